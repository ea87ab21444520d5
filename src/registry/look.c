#include "config.h"

#include "registry/look.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <openssl/evp.h>

int
look_registry(struct registry *r, const struct rules_client *at, int64_t *ret_row, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (rules_check_id("registry", at->registry, f))
		return -1;
	if (db_prepare(r, "SELECT id FROM registries WHERE project = ? AND region = ? AND name = ?",
		    &q, f, "ttt", at->project, at->region, at->registry) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no registry '%s' in project '%s', region '%s': see 'registries list'",
			at->registry, at->project, at->region);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

int
look_device(struct registry *r, const struct rules_client *at, const char *device, int64_t *ret_row,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t registry;
	bool row;

	if (look_registry(r, at, &registry, f))
		return -1;
	/* An id begins with a letter: what is all digits cannot be one. */
	if (rules_is_number(device)
			? db_prepare(r, "SELECT id FROM devices WHERE registry = ? AND num_id = ?",
				  &q, f, "ii", registry, (int64_t)strtoll(device, NULL, 10))
			: rules_check_id("device", device, f) ||
				  db_prepare(r,
					  "SELECT id FROM devices"
					  " WHERE registry = ? AND name = ?",
					  &q, f, "it", registry, device))
		return -1;
	if (db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no device '%s' in registry '%s': see 'devices list'", device,
			at->registry);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

int
look_path(const char *kind, const char *project, const char *name, struct look_path *ret,
	struct fault *f)
{
	const char *what = strcmp(kind, "topics") == 0 ? "topic" : "subscription";
	size_t len = strlen(project), n = strlen(kind);
	struct look_path path;
	const char *id = name;

	if (strncmp(name, "projects/", 9) == 0) {
		project = name + 9;
		len = strcspn(project, "/");
		id = project + len;
		if (*id != '/' || strncmp(id + 1, kind, n) != 0 || id[n + 1] != '/')
			return fault_set(f, FAULT_USAGE,
				"'%.128s' is no %s: it is written ID or projects/PROJECT/%s/ID",
				name, what, kind);
		id += n + 2;
	}
	if (len > RULES_ID_MAX)
		return fault_set(f, FAULT_USAGE, "the project's id is longer than %d characters",
			RULES_ID_MAX);
	memcpy(path.project, project, len);
	path.project[len] = '\0';
	if (rules_check_segment("project", path.project, f) || rules_check_id(what, id, f))
		return -1;
	strcpy(path.id, id);
	*ret = path;
	return 0;
}

int
look_topic(struct registry *r, const char *project, const char *topic, int64_t *ret_row,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct look_path path;
	bool row;

	if (look_path("topics", project, topic, &path, f) ||
		db_prepare(r, "SELECT id FROM topics WHERE project = ? AND name = ?", &q, f, "tt",
			path.project, path.id) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no topic '%s' in project '%s': create it with 'pubsub topics create %s'",
			path.id, path.project, path.id);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

int
look_subscription(struct registry *r, const char *project, const char *subscription, bool deleting,
	int64_t *ret_row, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct look_path path;
	bool row;

	if (look_path("subscriptions", project, subscription, &path, f) ||
		db_prepare(r,
			"SELECT id, deleting FROM subscriptions WHERE project = ? AND name = ?", &q,
			f, "tt", path.project, path.id) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no subscription '%s' in project '%s': create it with 'pubsub "
			"subscriptions create %s --topic=TOPIC'",
			path.id, path.project, path.id);
	if (sqlite3_column_int(q, 1) && !deleting)
		return fault_set(f, FAULT_NOTFOUND,
			"subscription '%s' is being deleted: finish that with 'pubsub "
			"subscriptions delete %s'",
			path.id, path.id);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

const char *
look_time(int64_t seconds, char *buffer, size_t size)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	if (seconds == 0 || !gmtime_r(&t, &tm) ||
		!strftime(buffer, size, "%Y-%m-%dT%H:%M:%SZ", &tm))
		buffer[0] = '\0';
	return buffer;
}

json_t *
look_base64(const void *data, int len)
{
	AUTO(auto_free) char *text = malloc((size_t)len / 3 * 4 + 5);

	if (!text)
		return NULL;
	return json_stringn(text, (size_t)EVP_EncodeBlock((unsigned char *)text, data, len));
}

int
look_append(json_t *array, json_t *entry, struct fault *f)
{
	if (!entry || json_array_append_new(array, entry))
		return fault_nomem(f);
	return 0;
}
