#include "config.h"

#include "registry/configs.h"

#include <inttypes.h>
#include <stdio.h>

#include "jwt/jwt.h"
#include "registry/look.h"
#include "registry/note.h"

#define KEPT 10

static json_t *
config_of(int64_t version, int64_t updated, const void *data, int len)
{
	char number[24], time[32];

	snprintf(number, sizeof(number), "%" PRId64, version);
	return json_pack("{s:s, s:s, s:o}", "version", number, "cloudUpdateTime",
		look_time(updated, time, sizeof(time)), "binaryData", look_base64(data, len));
}

/* Version 1 of a device that was never given one: empty, and as old as the device. */
static int
first_config(struct registry *r, int64_t device, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT created FROM devices WHERE id = ?", &q, f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	*ret = config_of(1, row ? sqlite3_column_int64(q, 0) : 0, "", 0);
	return *ret ? 0 : fault_nomem(f);
}

/* The newest version and when it came, 0 when it was there from the start. */
static int
newest(struct registry *r, int64_t device, int64_t *ret_version, int64_t *ret_updated,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT version, updated FROM configs WHERE device = ?"
		    " ORDER BY version DESC LIMIT 1",
		    &q, f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	*ret_version = row ? sqlite3_column_int64(q, 0) : 1;
	*ret_updated = *ret_version > 1 ? sqlite3_column_int64(q, 1) : 0;
	return 0;
}

int
configs_add(struct registry *r, int64_t device, int64_t version, const void *data, size_t len,
	time_t now, struct fault *f)
{
	if (len > RULES_CONFIG_MAX)
		return fault_set(f, FAULT_USAGE, "a config has at most %d bytes, not %zu",
			RULES_CONFIG_MAX, len);
	if (db_run(r, "INSERT INTO configs (device, version, updated, data) VALUES (?, ?, ?, ?)", f,
		    "iiib", device, version, (int64_t)now, len ? data : "", len))
		return -1;
	return db_run(r, "DELETE FROM configs WHERE device = ? AND version <= ?", f, "ii", device,
		version - KEPT);
}

int
configs_describe(struct registry *r, int64_t device, int64_t version, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t last, updated;
	bool row;

	if (newest(r, device, &last, &updated, f) ||
		db_prepare(r,
			"SELECT version, updated, data FROM configs WHERE device = ? AND version = "
			"?",
			&q, f, "ii", device, version ? version : last) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row && (version ? version : last) == 1 && last <= KEPT)
		return first_config(r, device, ret, f);
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no config of version %" PRId64 ": the newest is %" PRId64
			", and the newest %d are kept",
			version, last, KEPT);
	*ret = config_of(sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1),
		sqlite3_column_blob(q, 2), sqlite3_column_bytes(q, 2));
	return *ret ? 0 : fault_nomem(f);
}

/* Whether the newest may be followed by another, now. */
static int
check_turn(int64_t version, int64_t updated, int64_t expected, time_t now, struct fault *f)
{
	if (expected && expected != version)
		return fault_set(f, FAULT_PRECONDITION,
			"version %" PRId64 " is not the newest config, which is %" PRId64
			": look at it and update that one",
			expected, version);
	if (updated == (int64_t)now)
		return fault_set(f, FAULT_PRECONDITION,
			"the config was updated in this very second: wait a second, one update a "
			"second is the limit");
	return 0;
}

int
store_config_update(struct registry *r, const struct rules_client *at, const void *data, size_t len,
	int64_t expected, time_t now, json_t **ret, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_json) json_t *config = NULL;
	int64_t device, version, updated;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		newest(r, device, &version, &updated, f) ||
		check_turn(version, updated, expected, now, f) ||
		configs_add(r, device, version + 1, data, len, now, f) ||
		configs_describe(r, device, version + 1, &config, f) ||
		note(r, at, device, "config updated", f, "version=%" PRId64 " bytes=%zu",
			version + 1, len) ||
		db_commit(r, f))
		return -1;
	*ret = TAKE(config);
	return 0;
}

int
store_config_describe(struct registry *r, const struct rules_client *at, int64_t version,
	json_t **ret, struct fault *f)
{
	int64_t device;

	if (look_device(r, at, at->device, &device, f))
		return -1;
	return configs_describe(r, device, version, ret, f);
}

static int
append_first(struct registry *r, int64_t device, json_t *list, struct fault *f)
{
	json_t *config;

	if (first_config(r, device, &config, f))
		return -1;
	return look_append(list, config, f);
}

int
store_config_list(struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t device, oldest = 2;
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_device(r, at, at->device, &device, f) ||
		db_prepare(r,
			"SELECT version, updated, data FROM configs WHERE device = ?"
			" ORDER BY version DESC",
			&q, f, "i", device))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		oldest = sqlite3_column_int64(q, 0);
		if (look_append(list,
			    config_of(oldest, sqlite3_column_int64(q, 1), sqlite3_column_blob(q, 2),
				    sqlite3_column_bytes(q, 2)),
			    f))
			return -1;
	}
	if (oldest == 2 && json_array_size(list) < KEPT && append_first(r, device, list, f))
		return -1;
	*ret = TAKE(list);
	return 0;
}
