#include "config.h"

#include "plugin/broker_config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"

#define FILE_MAX (1024 * 1024)
#define ARGS_MAX (64 * 1024)

/*
 * What has been read.
 *
 * per_listener  each listener has its own settings; what comes before the first is one more
 * listens       there is a listener
 * set, allowed  whether allow_anonymous is there, and what it says; of the listener, or of all
 * ours          the listener loads the plugin
 * others        the listener loads another plugin
 * acl           the listener has an acl_file
 * found         of the listeners that were read before and load the plugin
 */
struct reading {
	const char *plugin;
	bool per_listener, listens, set, allowed, ours, others, acl;
	struct broker_config found;
};

const char *
broker_config_file(const char *args, size_t len)
{
	const char *end = args + len, *ret = NULL;

	for (const char *at = args; at < end;) {
		const char *next = at + strnlen(at, (size_t)(end - at)) + 1;

		if (next < end && (!strcmp(at, "-c") || !strcmp(at, "--config-file")))
			ret = next;
		at = next;
	}
	return ret;
}

/* With settings for each listener, the next listener ends those of the one before. */
static void
end_listener(struct reading *r)
{
	r->found.allow_anonymous |= r->ours && r->set && r->allowed;
	r->found.denies_topics |= r->ours && !r->acl && !r->others;
	r->set = r->allowed = r->ours = r->others = r->acl = false;
}

static bool
is_plugin(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(slash ? slash + 1 : path, name) == 0;
}

static bool
is_true(const char *value)
{
	return !strcmp(value, "true") || !strcmp(value, "1");
}

/* Words are separated by spaces, as in mosquitto. */
static void
take_line(struct reading *r, char *line, const char **ret_include)
{
	char *rest = NULL, *key = strtok_r(line, " ", &rest), *value = strtok_r(NULL, " ", &rest);

	if (!key || !value || *line == '#')
		return;
	if (!strcmp(key, "listener") || !strcmp(key, "port")) {
		if (r->per_listener && !strcmp(key, "listener"))
			end_listener(r);
		r->listens = true;
	} else if (!strcmp(key, "per_listener_settings")) {
		r->per_listener = is_true(value);
	} else if (!strcmp(key, "allow_anonymous")) {
		r->set = true;
		r->allowed = is_true(value);
	} else if (!strcmp(key, "plugin") || !strcmp(key, "auth_plugin")) {
		*(is_plugin(value, r->plugin) ? &r->ours : &r->others) = true;
	} else if (!strcmp(key, "acl_file")) {
		r->acl = true;
	} else if (!strcmp(key, "include_dir")) {
		*ret_include = value;
	}
}

static int read_directory(struct reading *r, const char *path, struct fault *f);

/* deep: the file is in an included directory. Such files cannot include another directory. */
static int
read_file(struct reading *r, const char *path, bool deep, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;
	char *rest = NULL;
	size_t len;

	if (file_read_regular(path, FILE_MAX, &text, &len, f))
		return -1;
	for (char *line = strtok_r(text, "\r\n", &rest); line;
		line = strtok_r(NULL, "\r\n", &rest)) {
		const char *include = NULL;

		take_line(r, line, &include);
		if (include && !deep && read_directory(r, include, f))
			return -1;
	}
	return 0;
}

static int
is_configuration(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".conf");
}

/* In the order of bytes, whatever the locale. */
static int
compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
read_directory(struct reading *r, const char *path, struct fault *f)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_configuration, compare), rc = 0;

	if (n < 0)
		return fault_errno(f, "cannot read the directory '%s'", path);
	for (int i = 0; i < n; i++) {
		AUTO(auto_free) char *file = NULL;

		if (!rc && asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0) {
			file = NULL;
			rc = fault_nomem(f);
		}
		if (!rc)
			rc = read_file(r, file, true, f);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

int
broker_config_read(const char *path, const char *plugin, struct broker_config *ret, struct fault *f)
{
	struct reading r = {.plugin = plugin};

	if (read_file(&r, path, false, f))
		return -1;
	if (r.per_listener)
		end_listener(&r);
	else
		r.found = (struct broker_config){
			.allow_anonymous = r.set ? r.allowed : !r.listens,
			.denies_topics = r.ours && !r.acl && !r.others,
		};
	*ret = r.found;
	return 0;
}

int
broker_config_read_own(const char *plugin, struct broker_config *ret, struct fault *f)
{
	AUTO(auto_free) char *args = NULL;
	const char *path;
	size_t len;

	if (file_read_regular("/proc/self/cmdline", ARGS_MAX, &args, &len, f))
		return -1;
	path = broker_config_file(args, len);
	return path ? broker_config_read(path, plugin, ret, f)
		    : fault_set(f, FAULT_NOTFOUND, "mosquitto was started without -c");
}
