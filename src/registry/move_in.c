#include "config.h"

#include "registry/move.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/times.h"
#include "jwt/jwt.h"
#include "registry/configs.h"
#include "registry/credentials.h"
#include "registry/devices.h"
#include "registry/look.h"
#include "registry/metadata.h"

#define NOTIFICATIONS_MAX 10

/* ---- reading: absent is NULL or 0, anything else than the type wanted is a fault ---- */

static int
read_text(const json_t *from, const char *member, const char **ret, struct fault *f)
{
	const json_t *value = json_object_get(from, member);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return fault_set(f, FAULT_INVALID, "its %s is no text", member);
	*ret = json_string_value(value);
	return 0;
}

/* As a text, as Google writes 64-bit numbers, or as a number. */
static int
read_number(const json_t *from, const char *member, int64_t *ret, struct fault *f)
{
	const json_t *value = json_object_get(from, member);
	const char *text = json_string_value(value);
	char *end = NULL;

	*ret = 0;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_integer(value))
		*ret = json_integer_value(value);
	else if (text)
		*ret = strtoll(text, &end, 10);
	if (*ret < 0 || (end ? end == text || *end : !json_is_integer(value)))
		return fault_set(f, FAULT_INVALID, "its %s is no number", member);
	return 0;
}

static int
read_time(const json_t *from, const char *member, time_t preset, time_t *ret, struct fault *f)
{
	const char *text;

	*ret = preset;
	if (read_text(from, member, &text, f))
		return -1;
	return text && *text ? times_read(text, ret, f) : 0;
}

static int
read_data(const json_t *from, const char *member, size_t max, void **ret, size_t *ret_len,
	struct fault *f)
{
	AUTO(auto_free) char *copy = NULL;
	const char *text;
	size_t len, n;

	if (read_text(from, member, &text, f))
		return -1;
	len = text ? strlen(text) : 0;
	copy = malloc(len + 1);
	if (!copy)
		return fault_nomem(f);
	memcpy(copy, text ? text : "", len + 1);
	n = base64_to_url(copy, len);
	if ((len && !n) || base64url_decode(copy, copy, n, &n))
		return fault_set(f, FAULT_INVALID, "its %s is not base64", member);
	if (n > max)
		return fault_set(f, FAULT_INVALID, "its %s is over %zu bytes", member, max);
	*ret = TAKE(copy);
	*ret_len = n;
	return 0;
}

/* One of the words that the file keeps, or NULL; "..._UNSPECIFIED" is none too. */
static int
read_word(const json_t *from, const char *member, const char *const *words, const char **ret,
	struct fault *f)
{
	const char *text;

	*ret = NULL;
	if (read_text(from, member, &text, f))
		return -1;
	if (!text || strstr(text, "_UNSPECIFIED"))
		return 0;
	for (; *words; words++) {
		if (strcmp(*words, text) == 0) {
			*ret = *words;
			return 0;
		}
	}
	return fault_set(f, FAULT_INVALID, "its %s is not one we know: '%.40s'", member, text);
}

static const char *const log_levels[] = {"NONE", "ERROR", "INFO", "DEBUG", NULL};
static const char *const auth_methods[] = {
	"ASSOCIATION_ONLY", "DEVICE_AUTH_TOKEN_ONLY", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN", NULL};
static const char *const types[] = {"GATEWAY", "NON_GATEWAY", NULL};

/* ---- the registry ---- */

/* The registry's own topics: those of another project come to be in this one. */
static const char *
topic_id(const json_t *notification)
{
	const char *name = json_string_value(json_object_get(notification, "pubsubTopicName"));
	const char *slash = name ? strrchr(name, '/') : NULL;

	return slash ? slash + 1 : name;
}

static int
need_topic(struct registry *r, const struct rules_client *at, const char *topic, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (!store_topic_create(r, at->project, topic, &why) || why.code == FAULT_EXISTS)
		return 0;
	return fault_set(f, why.code, "%s", why.text);
}

static int
read_notifications(struct registry *r, const struct rules_client *at, const json_t *about,
	struct store_notification *ret, size_t *ret_n, struct fault *f)
{
	const json_t *list = json_object_get(about, "eventNotificationConfigs"), *one;
	size_t i;

	if (json_array_size(list) > NOTIFICATIONS_MAX)
		return fault_set(
			f, FAULT_INVALID, "a registry has at most %d topics", NOTIFICATIONS_MAX);
	json_array_foreach(list, i, one)
	{
		const char *topic = topic_id(one);

		if (!topic)
			return fault_set(f, FAULT_INVALID,
				"an eventNotificationConfig of the registry has no "
				"pubsubTopicName");
		if (need_topic(r, at, topic, f))
			return -1;
		ret[i] = (struct store_notification){
			topic, json_string_value(json_object_get(one, "subfolderMatches"))};
		if (!ret[i].subfolder)
			ret[i].subfolder = "";
	}
	*ret_n = json_array_size(list);
	return 0;
}

static int
read_cas(const json_t *about, char **ret, size_t *ret_n, struct fault *f)
{
	const json_t *list = json_object_get(about, "credentials"), *one;
	size_t i;

	if (json_array_size(list) > RULES_REGISTRY_CAS_MAX)
		return fault_set(
			f, FAULT_INVALID, "a registry has at most %d CAs", RULES_REGISTRY_CAS_MAX);
	json_array_foreach(list, i, one)
	{
		const json_t *certificate = json_object_get(one, "publicKeyCertificate");

		ret[i] = (char *)json_string_value(json_object_get(certificate, "certificate"));
		if (!ret[i])
			return fault_set(f, FAULT_INVALID,
				"a credential of the registry has no certificate");
	}
	*ret_n = json_array_size(list);
	return 0;
}

int
move_in_registry(struct registry *r, const struct rules_client *at, const json_t *line, time_t now,
	struct fault *f)
{
	static const char *const mqtt[] = {"MQTT_ENABLED", "MQTT_DISABLED", NULL};
	static const char *const jit[] = {"off", "cn", "dns", "uri", NULL};
	struct store_notification notifications[NOTIFICATIONS_MAX];
	struct store_registry settings = {.replace = true, .notifications = notifications};
	const json_t *about = json_object_get(line, "registry");
	char *cas[RULES_REGISTRY_CAS_MAX];
	struct fault why = FAULT_INIT;
	const char *enabled;
	int64_t row;
	size_t n;

	if (json_integer_value(json_object_get(line, "p11-registry")) != 1 ||
		!json_is_object(about))
		return fault_set(f, FAULT_INVALID,
			"the first line is not {\"p11-registry\": 1, \"registry\": {...}}");
	if (!look_registry(r, at, &row, &why))
		return 0;
	if (why.code != FAULT_NOTFOUND)
		return fault_set(f, why.code, "%s", why.text);
	if (read_notifications(r, at, about, notifications, &settings.n_notifications, f) ||
		read_word(about, "logLevel", log_levels, &settings.log_level, f) ||
		read_word(about, "jitRegistration", jit, &settings.jit, f) ||
		read_word(json_object_get(about, "mqttConfig"), "mqttEnabledState", mqtt, &enabled,
			f) ||
		read_cas(about, cas, &n, f))
		return -1;
	settings.mqtt = enabled && strcmp(enabled, "MQTT_DISABLED") == 0 ? -1 : 0;
	settings.state_topic = topic_id(json_object_get(about, "stateNotificationConfig"));
	if (settings.state_topic && need_topic(r, at, settings.state_topic, f))
		return -1;
	return store_registry_create_with(r, at, &settings, cas, n, now, f);
}

/* ---- a device ---- */

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

	if (read_text(key, "format", &format, f) || read_text(key, "key", &credential.pem, f) ||
		read_time(one, "expirationTime", 0, &credential.expires, f))
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

	if (read_number(config, "version", &version, f) ||
		read_time(config, "cloudUpdateTime", now, &updated, f) ||
		read_data(config, "binaryData", RULES_CONFIG_MAX, &data, &len, f))
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

		if (read_time(one, "updateTime", now, &updated, f) ||
			read_data(one, "binaryData", RULES_STATE_MAX, &data, &len, f) ||
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

	if (read_word(gateway, "gatewayType", types, &type, f) ||
		read_word(gateway, "gatewayAuthMethod", auth_methods, &ret->auth_method, f) ||
		read_word(device, "logLevel", log_levels, &ret->log_level, f))
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

	if (read_device(device, &settings, f) || read_number(device, "numId", &number, f) ||
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
	if (read_data(config, "binaryData", RULES_CONFIG_MAX, &data, &len, f) ||
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
	if (read_text(device, "id", &id, f) || rules_check_id("device", id ? id : "", f) ||
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
move_in_bindings(struct registry *r, const struct rules_client *at, const json_t *device,
	int *ret_missing, struct fault *f)
{
	const char *gateway = json_string_value(json_object_get(device, "id"));
	const json_t *list = json_object_get(device, "boundDevices"), *one;
	int missing = 0;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *id = json_string_value(one);
		struct fault why = FAULT_INIT;

		if (!gateway || !id ||
			(store_gateway_bind(r, at, gateway, id, &why) &&
				why.code != FAULT_EXISTS)) {
			if (why.code == FAULT_IO || why.code == FAULT_NOMEM)
				return fault_set(f, why.code, "%s", why.text);
			missing++;
		}
	}
	*ret_missing = missing;
	return 0;
}
