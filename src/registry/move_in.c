#include "config.h"

#include "registry/move.h"

#include <stdlib.h>
#include <string.h>

#include "registry/configs.h"
#include "registry/credentials.h"
#include "registry/devices.h"
#include "registry/gateways.h"
#include "registry/look.h"
#include "registry/metadata.h"
#include "registry/move_read.h"

static const char *const auth_methods[] = {
	"ASSOCIATION_ONLY", "DEVICE_AUTH_TOKEN_ONLY", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN", NULL};
static const char *const types[] = {"GATEWAY", "NON_GATEWAY", NULL};

static int
add_credential(struct registry *r, int64_t registry, int64_t device, const json_t *one, time_t now,
	int *expired, struct fault *f)
{
	static const struct {
		const char *format, *type;
	} formats[] = {
		{"RSA_PEM", "rsa-pem"},
		{"RSA_X509_PEM", "rsa-x509-pem"},
		{"ES256_PEM", "es256-pem"},
		{"ES256_X509_PEM", "es256-x509-pem"},
	};
	const json_t *key = json_object_get(one, "publicKey");
	struct store_credential credential = {.name = "credential"};
	const char *format;

	if (move_text(key, "format", &format, f) || move_text(key, "key", &credential.pem, f) ||
		move_time(one, "expirationTime", 0, &credential.expires, f))
		return -1;
	for (size_t i = 0; format && i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (strcmp(formats[i].format, format) == 0)
			credential.type = formats[i].type;
	}
	if (!credential.type || !credential.pem)
		return fault_set(f, FAULT_INVALID,
			"a credential of it has no publicKey of a format we know");
	/* Where there is no end Cloud IoT Core writes 1970, which is 0. */
	if (credential.expires && credential.expires <= now) {
		*expired += 1;
		return 0;
	}
	return credentials_add(r, registry, device, &credential, now, f);
}

static int
add_credentials(struct registry *r, int64_t registry, int64_t row, const json_t *device, time_t now,
	int *expired, struct fault *f)
{
	const json_t *list = json_object_get(device, "credentials"), *one;
	size_t i;

	if (list && !json_is_array(list))
		return fault_set(f, FAULT_INVALID, "its credentials are no list");
	json_array_foreach(list, i, one)
	{
		if (add_credential(r, registry, row, one, now, expired, f))
			return -1;
	}
	return 0;
}

static int
add_config(struct registry *r, int64_t row, const json_t *config, time_t now, struct fault *f)
{
	AUTO(auto_free) void *data = NULL;
	int64_t version;
	time_t updated;
	size_t len;

	if (move_number(config, "version", &version, f) ||
		move_time(config, "cloudUpdateTime", now, &updated, f) ||
		move_data(config, "binaryData", RULES_CONFIG_MAX, &data, &len, f))
		return -1;
	/* Version 1 is there, and empty, without a row. */
	if (version <= 1 && len == 0)
		return 0;
	return configs_add(r, row, version ? version : 1, data, len, updated, f);
}

static int
add_configs(struct registry *r, int64_t row, const json_t *device, time_t now, struct fault *f)
{
	const json_t *list = json_object_get(device, "configs"), *one;
	size_t i;

	if (!list)
		return add_config(r, row, json_object_get(device, "config"), now, f);
	json_array_foreach(list, i, one)
	{
		if (add_config(r, row, one, now, f))
			return -1;
	}
	return 0;
}

/* Newest first in the file, as REST lists them. */
static int
add_states(struct registry *r, int64_t row, const json_t *device, time_t now, struct fault *f)
{
	const json_t *list = json_object_get(device, "states");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *one = json_array_get(list, i);
		AUTO(auto_free) void *data = NULL;
		time_t updated;
		size_t len;

		if (move_time(one, "updateTime", now, &updated, f) ||
			move_data(one, "binaryData", RULES_STATE_MAX, &data, &len, f) ||
			db_run(r, "INSERT INTO states (device, updated, data) VALUES (?, ?, ?)", f,
				"iib", row, (int64_t)updated, data, len))
			return -1;
	}
	return 0;
}

static int
read_device(const json_t *device, struct store_device *ret, struct fault *f)
{
	const json_t *gateway = json_object_get(device, "gatewayConfig");
	const json_t *blocked = json_object_get(device, "blocked");
	const char *type;

	if (move_word(gateway, "gatewayType", types, &type, f) ||
		move_word(gateway, "gatewayAuthMethod", auth_methods, &ret->auth_method, f) ||
		move_word(device, "logLevel", move_log_levels, &ret->log_level, f))
		return -1;
	if (blocked && !json_is_boolean(blocked))
		return fault_set(f, FAULT_INVALID, "its 'blocked' is neither true nor false");
	if (json_object_get(device, "metadata") &&
		!json_is_object(json_object_get(device, "metadata")))
		return fault_set(f, FAULT_INVALID, "its metadata is no object of texts");
	ret->gateway = type && strcmp(type, "GATEWAY") == 0;
	ret->blocked = json_is_true(blocked);
	ret->metadata = json_object_get(device, "metadata");
	return 0;
}

static int
create(struct registry *r, int64_t registry, const char *id, const json_t *device, time_t now,
	int *expired, struct fault *f)
{
	struct store_device settings = {0};
	int64_t row, number;

	if (read_device(device, &settings, f) || move_number(device, "numId", &number, f) ||
		devices_add(r, registry, id, &settings, now, &row, f))
		return -1;
	/* Devices may name themselves by it; when another has it already a new one must do. */
	if (number && db_run(r, "UPDATE OR IGNORE devices SET num_id = ? WHERE id = ?", f, "ii",
			      number, row))
		return -1;
	if (add_credentials(r, registry, row, device, now, expired, f) ||
		add_configs(r, row, device, now, f))
		return -1;
	return add_states(r, row, device, now, f);
}

/* A config that differs from the newest becomes the next version. */
static int
renew_config(struct registry *r, int64_t row, const json_t *device, time_t now, struct fault *f)
{
	const json_t *list = json_object_get(device, "configs"), *config;
	struct registry_config newest = {.data = NULL};
	AUTO(auto_free) void *data = NULL;
	size_t len;
	bool same;

	config = list ? json_array_get(list, json_array_size(list) - 1)
		      : json_object_get(device, "config");
	if (!config)
		return 0;
	if (move_data(config, "binaryData", RULES_CONFIG_MAX, &data, &len, f) ||
		registry_config(r, row, &newest, f))
		return -1;
	same = newest.len == len && (len == 0 || memcmp(newest.data, data, len) == 0);
	free(newest.data);
	return same ? 0 : configs_add(r, row, newest.version + 1, data, len, now, f);
}

static int
update(struct registry *r, int64_t registry, int64_t row, const json_t *device, time_t now,
	int *expired, struct fault *f)
{
	AUTO(auto_free) char *metadata = NULL;
	struct store_device settings = {0};

	if (read_device(device, &settings, f) || metadata_write(settings.metadata, &metadata, f) ||
		db_run(r,
			"UPDATE devices SET gateway = ?, auth_method = ?, blocked = ?,"
			" log_level = ?, metadata = ? WHERE id = ?",
			f, "ititti", (int64_t)settings.gateway, settings.auth_method,
			(int64_t)settings.blocked, settings.log_level, metadata, row) ||
		db_run(r, "DELETE FROM credentials WHERE device = ?", f, "i", row) ||
		add_credentials(r, registry, row, device, now, expired, f))
		return -1;
	return renew_config(r, row, device, now, f);
}

static int
take(struct registry *r, const struct rules_client *at, const json_t *device,
	enum move_existing existing, time_t now, enum move_result *ret_result, int *expired,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	const char *id;
	int64_t registry;
	bool there;

	if (!json_is_object(device))
		return fault_set(f, FAULT_INVALID, "it is no object");
	if (move_text(device, "id", &id, f) || rules_check_id("device", id ? id : "", f) ||
		look_registry(r, at, &registry, f) ||
		db_prepare(r, "SELECT id FROM devices WHERE registry = ? AND name = ?", &q, f, "it",
			registry, id) ||
		db_step(r, q, &there, f))
		return -1;
	if (there && existing == MOVE_REFUSE)
		return fault_set(f, FAULT_EXISTS, "it is there already");
	*ret_result = !there ? MOVE_CREATED : existing == MOVE_UPDATE ? MOVE_UPDATED : MOVE_SKIPPED;
	switch (*ret_result) {
	case MOVE_CREATED:
		return create(r, registry, id, device, now, expired, f);
	case MOVE_UPDATED:
		return update(r, registry, sqlite3_column_int64(q, 0), device, now, expired, f);
	default:
		return 0;
	}
}

int
move_in_device(struct registry *r, const struct rules_client *at, const json_t *device,
	enum move_existing existing, time_t now, enum move_result *ret_result, int *ret_expired,
	struct fault *f)
{
	enum move_result result;
	int expired = 0;

	if (db_run(r, "SAVEPOINT device", f, ""))
		return -1;
	if (take(r, at, device, existing, now, &result, &expired, f)) {
		db_run(r, "ROLLBACK TO device", NULL, "");
		db_run(r, "RELEASE device", NULL, "");
		return -1;
	}
	if (db_run(r, "RELEASE device", f, ""))
		return -1;
	*ret_result = result;
	*ret_expired = expired;
	return 0;
}

int
move_in_binding(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, bool *ret_bound, struct fault *f)
{
	struct fault why = FAULT_INIT;

	*ret_bound = gateways_bind(r, at, gateway, device, &why) == 0 || why.code == FAULT_EXISTS;
	if (why.code == FAULT_IO || why.code == FAULT_NOMEM)
		return fault_set(f, why.code, "%s", why.text);
	return 0;
}
