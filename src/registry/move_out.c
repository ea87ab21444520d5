#include "config.h"

#include "registry/move.h"

#include "base/clock.h"
#include "jwt/jwt.h"
#include "registry/devices.h"
#include "registry/look.h"
#include "registry/metadata.h"
#include "registry/states.h"

/* How long one call reads. */
#define READING_US 50000

int
move_out_registry(struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	json_t *about, *line;

	if (store_registry_describe(r, at, &about, f))
		return -1;
	line = json_pack("{s:i, s:o}", "p11-registry", 1, "registry", about);
	if (!line)
		return fault_nomem(f);
	*ret = line;
	return 0;
}

static int
add_credentials(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *list = json_array();
	char time[32];
	bool row;

	if (!list || json_object_set_new(about, "credentials", list))
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT format, pem, expires FROM credentials WHERE device = ? ORDER BY id", &q,
		    f, "i", device))
		return -1;
	for (;;) {
		json_t *one;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return 0;
		one = json_pack("{s:{s:s, s:s}}", "publicKey", "format", db_text(q, 0), "key",
			db_text(q, 1));
		if (one && sqlite3_column_int64(q, 2))
			json_object_set_new(one, "expirationTime",
				json_string(
					look_time(sqlite3_column_int64(q, 2), time, sizeof(time))));
		if (look_append(list, one, f))
			return -1;
	}
}

/* The versions that are kept, oldest first; nothing of a device that was never given one. */
static int
add_configs(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	char number[24], time[32];
	bool row;

	if (!list)
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT version, updated, data FROM configs WHERE device = ? ORDER BY version",
		    &q, f, "i", device))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		snprintf(number, sizeof(number), "%lld", (long long)sqlite3_column_int64(q, 0));
		if (look_append(list,
			    json_pack("{s:s, s:s, s:o}", "version", number, "cloudUpdateTime",
				    look_time(sqlite3_column_int64(q, 1), time, sizeof(time)),
				    "binaryData",
				    look_base64(
					    sqlite3_column_blob(q, 2), sqlite3_column_bytes(q, 2))),
			    f))
			return -1;
	}
	if (json_array_size(list) && json_object_set(about, "configs", list))
		return fault_nomem(f);
	return 0;
}

static int
add_states(struct registry *r, int64_t device, json_t *about, struct fault *f)
{
	json_t *states;

	if (states_list(r, device, 10, &states, f))
		return -1;
	if (json_array_size(states))
		return json_object_set_new(about, "states", states) ? fault_nomem(f) : 0;
	json_decref(states);
	return 0;
}

static int
add_bound(struct registry *r, int64_t gateway, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *list = json_array();
	bool row;

	if (!list || json_object_set_new(about, "boundDevices", list))
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT d.name FROM bindings b JOIN devices d ON b.device = d.id"
		    " WHERE b.gateway = ? ORDER BY d.name",
		    &q, f, "i", gateway))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return 0;
		if (look_append(list, json_string(db_text(q, 0)), f))
			return -1;
	}
}

/* What has a fixed place in the device's row, behind DEVICES_COLUMNS. */
static int
add_row(sqlite3_stmt *q, json_t *about, struct fault *f)
{
	json_t *metadata;

	if (*db_text(q, 6) && json_object_set_new(about, "logLevel", json_string(db_text(q, 6))))
		return fault_nomem(f);
	if (!*db_text(q, 7))
		return 0;
	if (metadata_read(db_text(q, 7), &metadata, f))
		return -1;
	return json_object_set_new(about, "metadata", metadata) ? fault_nomem(f) : 0;
}

static int
add_device(struct registry *r, const struct rules_client *at, sqlite3_stmt *q, json_t *list,
	struct fault *f)
{
	json_t *about = devices_summary(q, at);
	int64_t device = sqlite3_column_int64(q, 5);

	if (look_append(list, about, f) || add_row(q, about, f) ||
		add_credentials(r, device, about, f) || add_configs(r, device, about, f) ||
		add_states(r, device, about, f))
		return -1;
	/* Its full name says where it was, which is not where it goes. */
	json_object_del(about, "name");
	return sqlite3_column_int(q, 3) ? add_bound(r, device, about, f) : 0;
}

int
move_out_devices(struct registry *r, const struct rules_client *at, const char *after, json_t **ret,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t registry, began_us = clock_us(CLOCK_MONOTONIC);
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_registry(r, at, &registry, f) ||
		db_prepare(r,
			"SELECT " DEVICES_COLUMNS ", id, log_level, metadata FROM devices"
			" WHERE registry = ? AND name > ? ORDER BY name LIMIT ?",
			&q, f, "iti", registry, after, (int64_t)MOVE_BATCH))
		return -1;
	/* While it is read the write-ahead log is not written back, and grows. */
	while (json_array_size(list) == 0 || clock_us(CLOCK_MONOTONIC) - began_us < READING_US) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (add_device(r, at, q, list, f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}
