#include "config.h"

#include "registry/look.h"

#include <jansson.h>

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

	if (rules_check_id("device", device, f) || look_registry(r, at, &registry, f) ||
		db_prepare(r, "SELECT id FROM devices WHERE registry = ? AND name = ?", &q, f, "it",
			registry, device) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no device '%s' in registry '%s': see 'devices list'", device,
			at->registry);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

int
look_topic(struct registry *r, const char *project, const char *topic, int64_t *ret_row,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT id FROM topics WHERE project = ? AND name = ?", &q, f, "tt",
		    project, topic) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no topic '%s' in project '%s': create it with 'pubsub topics create %s'",
			topic, project, topic);
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

int
look_append(json_t *array, json_t *entry, struct fault *f)
{
	if (!entry || json_array_append_new(array, entry))
		return fault_nomem(f);
	return 0;
}
