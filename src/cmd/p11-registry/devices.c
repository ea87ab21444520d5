#include "config.h"

#include "commands.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "keys.h"

struct device {
	struct place place;
	struct setting_list keys;
	char *device_type;
	char *auth_method;
	int blocked;
	long limit;
};

static const struct setting create_settings[] = {
	REGISTRY_SETTINGS,
	{"public-key", 0, SETTING_LIST, offsetof(struct device, keys),
		.value = "path=FILE,type=TYPE",
		.help = "a credential: es256-pem, es256-x509-pem, rsa-pem or rsa-x509-pem; also "
			"expiration-time=TIME; repeatable"},
	{"device-type", 0, SETTING_CHOICE, offsetof(struct device, device_type),
		.preset = "non-gateway", .words = "gateway non-gateway", .value = "TYPE",
		.help = "whether other devices connect through it"},
	{"auth-method", 0, SETTING_CHOICE, offsetof(struct device, auth_method),
		.words = "association-only device-auth-token-only "
			 "association-and-device-auth-token",
		.value = "METHOD",
		.help = "how a gateway's devices prove who they are; without it none may use it"},
	{"blocked", 0, SETTING_SWITCH, offsetof(struct device, blocked),
		.help = "refuse its connections until it is unblocked"},
	{NULL},
};

static const struct setting update_settings[] = {
	REGISTRY_SETTINGS,
	{"blocked", 0, SETTING_SWITCH, offsetof(struct device, blocked),
		.help = "refuse its connections; --no-blocked lets it in again"},
	{NULL},
};

static const struct setting list_settings[] = {
	REGISTRY_SETTINGS,
	{"limit", 0, SETTING_NUMBER, offsetof(struct device, limit), .preset = "1000", .min = 1,
		.max = INT_MAX - 1, .value = "N", .help = "how many at most"},
	{NULL},
};

static const struct setting device_settings[] = {REGISTRY_SETTINGS, {NULL}};

/* The credentials that flags name, and the memory they stand in. */
struct keys {
	struct key_flag flags[RULES_CREDENTIALS_MAX];
	struct store_credential credentials[RULES_CREDENTIALS_MAX];
};

static void
auto_keys(struct keys *keys)
{
	for (size_t i = 0; i < RULES_CREDENTIALS_MAX; i++)
		key_flag_clear(&keys->flags[i]);
}

static int
read_keys(const struct setting_list *list, struct keys *keys, struct fault *f)
{
	if (list->n > RULES_CREDENTIALS_MAX)
		return fault_set(f, FAULT_USAGE, "a device has at most %d credentials",
			RULES_CREDENTIALS_MAX);
	for (size_t i = 0; i < list->n; i++) {
		if (key_flag_read("public-key", list->items[i], &keys->flags[i], f))
			return -1;
		keys->credentials[i] = keys->flags[i].credential;
	}
	return 0;
}

/* gcloud's words as the REST resource has them; without one no device may use the gateway. */
static int
read_auth_method(const struct device *v, bool gateway, const char **ret, struct fault *f)
{
	static const struct {
		const char *word, *name;
	} methods[] = {
		{"association-only", "ASSOCIATION_ONLY"},
		{"device-auth-token-only", "DEVICE_AUTH_TOKEN_ONLY"},
		{"association-and-device-auth-token", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN"},
	};

	*ret = NULL;
	if (!v->auth_method)
		return 0;
	if (!gateway)
		return fault_set(f, FAULT_USAGE, "--auth-method goes with --device-type=gateway");
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (strcmp(v->auth_method, methods[i].word) == 0)
			*ret = methods[i].name;
	}
	return 0;
}

static int
show(const struct place *place, struct registry *registry, const struct rules_client *at,
	struct fault *f)
{
	AUTO(auto_json) json_t *about = NULL;

	if (store_device_describe(registry, at, &about, f))
		return -1;
	return put_thing(place, about, f);
}

static int
create(void *values, int argc, char **argv, struct fault *f)
{
	struct device *v = values;
	struct store_device device = {
		.gateway = strcmp(v->device_type, "gateway") == 0, .blocked = v->blocked > 0};
	AUTO(auto_keys) struct keys keys = {.flags = {{.pem = NULL}}};
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (read_auth_method(v, device.gateway, &device.auth_method, f) ||
		read_keys(&v->keys, &keys, f) ||
		name_things(&v->place, v->place.registry, argv[0], &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_create(
			registry, &at, &device, keys.credentials, v->keys.n, time(NULL), f))
		return -1;
	log_info("created device [%s]", argv[0]);
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
}

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (name_things(place, place->registry, argv[0], &at, f) ||
		open_registry(place, &registry, f))
		return -1;
	return show(place, registry, &at, f);
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"ID", "id"}, {"NUM_ID", "numId"},
		{"BLOCKED", "blocked"}, {"GATEWAY_TYPE", "gatewayConfig.gatewayType"},
		{"GATEWAY_AUTH_METHOD", "gatewayConfig.gatewayAuthMethod"}, {NULL}};
	struct device *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (name_things(&v->place, v->place.registry, NULL, &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_list(registry, &at, &(struct store_filter){.limit = v->limit + 1}, &all, f))
		return -1;
	if (json_array_size(all) > (size_t)v->limit) {
		json_array_remove(all, (size_t)v->limit);
		log_warn("there are more than these %ld devices: see --limit", v->limit);
	}
	return put_list(&v->place, all, columns, f);
}

static int
update(void *values, int argc, char **argv, struct fault *f)
{
	struct device *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (v->blocked == 0)
		return fault_set(f, FAULT_USAGE, "say what to change: --blocked or --no-blocked");
	if (name_things(&v->place, v->place.registry, argv[0], &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_block(registry, &at, v->blocked > 0, f))
		return -1;
	log_info("device [%s] is %s", argv[0], v->blocked > 0 ? "blocked" : "not blocked");
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (name_things(place, place->registry, argv[0], &at, f) ||
		open_registry(place, &registry, f) || store_device_delete(registry, &at, f))
		return -1;
	log_info("deleted device [%s]", argv[0]);
	return 0;
}

const struct command command_devices_create = {
	.name = "devices create",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = create_settings,
	.values_size = sizeof(struct device),
	.summary = "Create a device or a gateway",
	.run = create,
};

const struct command command_devices_describe = {
	.name = "devices describe",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = device_settings,
	.values_size = sizeof(struct place),
	.summary = "Show a device and its credentials",
	.run = describe,
};

const struct command command_devices_list = {
	.name = "devices list",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct device),
	.summary = "List a registry's devices by id",
	.run = list,
};

const struct command command_devices_update = {
	.name = "devices update",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = update_settings,
	.values_size = sizeof(struct device),
	.summary = "Block a device or let it in again",
	.description = "A running broker ends a blocked device's connection at once.",
	.run = update,
};

const struct command command_devices_delete = {
	.name = "devices delete",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = device_settings,
	.values_size = sizeof(struct place),
	.summary = "Delete a device; a running broker ends its connection at once",
	.run = delete,
};
