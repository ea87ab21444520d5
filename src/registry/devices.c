#include "config.h"

#include "registry/devices.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "jwt/jwt.h"
#include "registry/configs.h"
#include "registry/credentials.h"
#include "registry/look.h"
#include "registry/metadata.h"
#include "registry/note.h"

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
	AUTO(auto_free) char *metadata = NULL;
	int64_t number, row;

	if (rules_check_id("device", name, f) || draw_number(&number, f) ||
		metadata_write(device->metadata, &metadata, f))
		return -1;
	if (db_run(r,
		    "INSERT INTO devices (id, registry, name, num_id, gateway, auth_method,"
		    " blocked, created, log_level, metadata)"
		    " VALUES (" DB_NEW_ID("devices") ", ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		    f, "itiitiitt", registry, name, number, (int64_t)device->gateway,
		    device->auth_method, (int64_t)device->blocked, (int64_t)now, device->log_level,
		    metadata))
		return fault_prefix(f, "device '%s'", name);
	row = sqlite3_last_insert_rowid(r->db);
	if (device->config && configs_add(r, row, 1, device->config, device->config_len, now, f))
		return -1;
	*ret_row = row;
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
	if (note(r, at, row, "created", f, "type=%s credentials=%zu",
		    device->gateway ? "gateway" : "device", n_credentials))
		return -1;
	return db_commit(r, f);
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
	if (note(r, at, device, "deleted", f, "%s", "") ||
		db_run(r, "DELETE FROM devices WHERE id = ?", f, "i", device))
		return -1;
	return db_commit(r, f);
}

/* One column, and a line of the audit; nothing when the value is NULL. */
static int
set_text(struct registry *r, const struct rules_client *at, int64_t device, const char *sql,
	const char *name, const char *value, struct fault *f)
{
	if (!value)
		return 0;
	if (db_run(r, sql, f, "ti", value, device))
		return -1;
	return note(r, at, device, "updated", f, "%s=%s", name, value);
}

static int
set_auth_method(struct registry *r, const struct rules_client *at, int64_t device,
	const char *method, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (!method)
		return 0;
	if (db_prepare(r, "SELECT 1 FROM devices WHERE id = ? AND gateway", &q, f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_USAGE,
			"'%s' is no gateway: only one that was created with --device-type=gateway "
			"has an auth method",
			at->device);
	return set_text(r, at, device, "UPDATE devices SET auth_method = ? WHERE id = ?",
		"auth_method", method, f);
}

static int
set_metadata(struct registry *r, const struct rules_client *at, int64_t device,
	const json_t *metadata, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;

	if (!metadata)
		return 0;
	if (metadata_write(metadata, &text, f) ||
		db_run(r, "UPDATE devices SET metadata = ? WHERE id = ?", f, "ti", text, device))
		return -1;
	return note(r, at, device, "updated", f, "metadata=%zu pairs", json_object_size(metadata));
}

static int
set_blocked(struct registry *r, const struct rules_client *at, int64_t device, int blocked,
	struct fault *f)
{
	if (blocked == 0)
		return 0;
	if (db_run(r, "UPDATE devices SET blocked = ? WHERE id = ?", f, "ii",
		    (int64_t)(blocked > 0), device))
		return -1;
	return note(r, at, device, blocked > 0 ? "blocked" : "unblocked", f, "%s", "");
}

int
store_device_update(struct registry *r, const struct rules_client *at,
	const struct store_device_change *change, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t device;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		set_auth_method(r, at, device, change->auth_method, f) ||
		set_text(r, at, device, "UPDATE devices SET log_level = ? WHERE id = ?",
			"log_level", change->log_level, f) ||
		set_metadata(r, at, device, change->metadata, f) ||
		set_blocked(r, at, device, change->blocked, f))
		return -1;
	return db_commit(r, f);
}

int
store_device_block(struct registry *r, const struct rules_client *at, bool blocked, struct fault *f)
{
	const struct store_device_change change = {.blocked = blocked ? 1 : -1};

	return store_device_update(r, at, &change, f);
}
