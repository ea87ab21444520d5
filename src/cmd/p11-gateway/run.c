#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/gateway.h"
#include "mqtt/mqtt.h"

/* The settings come first: their rows' places are counted from there. */
struct run {
	struct gateway_settings settings;
	char *config;
	bool check;
};

static struct setting table[GATEWAY_SETTINGS_MAX + 3] = {
	{"config", 'c', SETTING_TEXT, offsetof(struct run, config), .value = "FILE",
		.help = "settings: [SECTION] and NAME = VALUE; see p11-gateway.conf(5)"},
	{"check", 0, SETTING_FLAG, offsetof(struct run, check),
		.help = "only say whether the settings are right"},
};

/* The command line as it was, to be laid over the file once more. */
static struct {
	int argc;
	char **argv;
} given;

static void
fill_table(void)
{
	for (size_t i = 0; i < GATEWAY_SETTINGS_MAX && gateway_settings_table[i].name; i++)
		table[i + 2] = gateway_settings_table[i];
}

/* The file's name without folder and end, for an uplink that has no other. */
static void
name_of(const char *path, char *ret, size_t size)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *end = strrchr(base, '.');

	snprintf(ret, size, "%.*s", end && end != base ? (int)(end - base) : (int)strlen(base),
		base);
}

static struct setting_list *
list_at(const struct setting *row, struct run *v)
{
	return (void *)((char *)v + row->offset);
}

/* Parses the command line into values that are there; a list in it replaces theirs. */
static int
lay_over(struct run *v, int argc, char **argv, int *ret_operands, struct fault *f)
{
	struct setting_list kept[GATEWAY_SETTINGS_MAX + 3] = {{NULL, 0}};
	int rc;

	for (size_t i = 0; table[i].name; i++) {
		if (table[i].type == SETTING_LIST) {
			kept[i] = *list_at(&table[i], v);
			*list_at(&table[i], v) = (struct setting_list){NULL, 0};
		}
	}
	rc = setting_parse(table, v, argc, argv, ret_operands, f);
	for (size_t i = 0; table[i].name; i++) {
		if (table[i].type == SETTING_LIST && list_at(&table[i], v)->n == 0)
			*list_at(&table[i], v) = kept[i];
		else
			setting_list_clear(&kept[i]);
	}
	return rc;
}

static int
check_urls(const struct gateway_settings *settings, struct fault *f)
{
	for (size_t i = 0; i < settings->uplink.url.n; i++) {
		if (mqtt_check_url(settings->uplink.url.items[i], f))
			return fault_prefix(f, "uplink.url");
	}
	return 0;
}

/* What the command line says counts before the file, and that before the environment. */
static int
read_all(struct run *v, int argc, char **argv, int *ret_operands, struct fault *f)
{
	AUTO(auto_free) char *config = NULL;
	char name[256];

	if (setting_preset(table, v, f) || lay_over(v, argc, argv, ret_operands, f))
		return -1;
	if (!v->config)
		return gateway_settings_finish(&v->settings, NULL, f) || check_urls(&v->settings, f)
			       ? -1
			       : 0;
	config = TAKE(v->config);
	setting_clear(table, v);
	*v = (struct run){0};
	name_of(config, name, sizeof(name));
	if (setting_preset(table, v, f) || gateway_settings_read(config, &v->settings, f) ||
		lay_over(v, argc, argv, ret_operands, f) ||
		gateway_settings_finish(&v->settings, name, f) || check_urls(&v->settings, f))
		return -1;
	return 0;
}

static int
load(void *values, int argc, char **argv, int *ret_operands, struct fault *f)
{
	given.argc = argc;
	given.argv = argv;
	return read_all(values, argc, argv, ret_operands, f);
}

static int
reload(void *with, struct gateway_settings *values, struct fault *f)
{
	struct run v = {0};
	int operands, rc = read_all(&v, given.argc, given.argv, &operands, f);

	(void)with;
	if (!rc) {
		*values = v.settings;
		v.settings = (struct gateway_settings){0};
	}
	setting_clear(table, &v);
	return rc;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct run *v = values;

	(void)argc, (void)argv;
	if (v->check) {
		puts("the settings are right");
		return 0;
	}
	return gateway_run(&v->settings, reload, NULL, f);
}

struct command
command_run(void)
{
	fill_table();
	return (struct command){
		.name = "run",
		.operands = "",
		.settings = table,
		.values_size = sizeof(struct run),
		.summary = "Carry a site's devices to the cloud, until stopped",
		.description = "Takes what p11_site.so put into the spool to the cloud, and config "
			       "and commands\n"
			       "back. Every setting of the file may also be given here, as "
			       "--SECTION.NAME=VALUE.\n"
			       "SIGHUP reads the settings again; SIGTERM ends in order.",
		.load = load,
		.run = run,
	};
}
