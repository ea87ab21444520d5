#include "config.h"

#include "registry/devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "jwt/jwt.h"
#include "registry/credentials.h"
#include "registry/look.h"

/* A device's number: random, positive, of 19 digits at most, as Cloud IoT Core's are. */
static int
draw_number(int64_t *ret, struct fault *f)
{
	uint64_t number;

	if (RAND_bytes((unsigned char *)&number, sizeof(number)) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "no random numbers");
	*ret = (int64_t)(number >> 1 | 1u << 30);
	return 0;
}

int
devices_add(struct registry *r, int64_t registry, const char *name,
	const struct store_device *device, time_t now, int64_t *ret_row, struct fault *f)
{
	int64_t number;

	if (rules_check_id("device", name, f) || draw_number(&number, f))
		return -1;
	if (db_run(r,
		    "INSERT INTO devices (registry, name, num_id, gateway, auth_method, blocked,"
		    " created) VALUES (?, ?, ?, ?, ?, ?, ?)",
		    f, "itiitii", registry, name, number, (int64_t)device->gateway,
		    device->auth_method, (int64_t)device->blocked, (int64_t)now))
		return fault_prefix(f, "device '%s'", name);
	*ret_row = sqlite3_last_insert_rowid(r->db);
	return 0;
}

int
store_device_create(struct registry *r, const struct rules_client *at,
	const struct store_device *device, const struct store_credential *credentials,
	size_t n_credentials, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry, row;

	(void)open;
	if (rules_check_id("device", at->device, f) || db_begin(r, f) ||
		look_registry(r, at, &registry, f) ||
		devices_add(r, registry, at->device, device, now, &row, f))
		return -1;
	for (size_t i = 0; i < n_credentials; i++) {
		if (credentials_add(r, registry, row, &credentials[i], now, f))
			return -1;
	}
	return db_commit(r, f);
}

/* What is in both lists and descriptions, from the columns of DEVICE_COLUMNS. */
#define DEVICE_COLUMNS "name, num_id, blocked, gateway, auth_method"

static json_t *
summary(sqlite3_stmt *q, const struct rules_client *at)
{
	char number[24];
	json_t *about;

	snprintf(number, sizeof(number), "%" PRId64, (int64_t)sqlite3_column_int64(q, 1));
	about = json_pack("{s:s, s:o, s:s, s:b, s:{s:s}}", "id", db_text(q, 0), "name",
		json_sprintf("projects/%s/locations/%s/registries/%s/devices/%s", at->project,
			at->region, at->registry, db_text(q, 0)),
		"numId", number, "blocked", sqlite3_column_int(q, 2), "gatewayConfig",
		"gatewayType", sqlite3_column_int(q, 3) ? "GATEWAY" : "NON_GATEWAY");
	if (about && *db_text(q, 4) &&
		json_object_set_new(json_object_get(about, "gatewayConfig"), "gatewayAuthMethod",
			json_string(db_text(q, 4)))) {
		json_decref(about);
		return NULL;
	}
	return about;
}

int
store_device_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *about = NULL;
	json_t *credentials;
	int64_t device;
	bool row;

	if (look_device(r, at, at->device, &device, f) ||
		db_prepare(r, "SELECT " DEVICE_COLUMNS " FROM devices WHERE id = ?", &q, f, "i",
			device) ||
		db_step(r, q, &row, f))
		return -1;
	about = summary(q, at);
	if (!about)
		return fault_nomem(f);
	if (store_credential_list(r, at, &credentials, f))
		return -1;
	if (json_object_set_new(about, "credentials", credentials))
		return fault_nomem(f);
	*ret = TAKE(about);
	return 0;
}

int
store_device_list(struct registry *r, const struct rules_client *at, const char *after, long limit,
	json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t registry;
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_registry(r, at, &registry, f) ||
		db_prepare(r,
			"SELECT " DEVICE_COLUMNS " FROM devices WHERE registry = ? AND name > ?"
			" ORDER BY name LIMIT ?",
			&q, f, "iti", registry, after, (int64_t)limit))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(list, summary(q, at), f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}

int
store_device_delete(struct registry *r, const struct rules_client *at, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t device;
	bool row;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_prepare(r, "SELECT 1 FROM bindings WHERE gateway = ? LIMIT 1", &q, f, "i",
			device) ||
		db_step(r, q, &row, f))
		return -1;
	if (row)
		return fault_set(f, FAULT_EXISTS,
			"gateway '%s' still has devices bound to it: unbind them first",
			at->device);
	if (db_run(r, "DELETE FROM devices WHERE id = ?", f, "i", device))
		return -1;
	return db_commit(r, f);
}

int
store_device_block(struct registry *r, const struct rules_client *at, bool blocked, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t device;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_run(r, "UPDATE devices SET blocked = ? WHERE id = ?", f, "ii", (int64_t)blocked,
			device))
		return -1;
	return db_commit(r, f);
}
