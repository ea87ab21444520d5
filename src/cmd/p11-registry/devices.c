#include "config.h"

#include "commands.h"

#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "keys.h"
#include "metadata.h"

struct device {
	struct place place;
	struct setting_list keys;
	struct setting_list metadata;
	struct setting_list metadata_files;
	char *device_type;
	char *auth_method;
	char *log_level;
	char *config;
	char *config_file;
	int blocked;
	bool clear_metadata;
};

#define DEVICE_VALUES \
	REGISTRY_SETTINGS, \
		{"auth-method", 0, SETTING_CHOICE, offsetof(struct device, auth_method), \
			.words = "association-only device-auth-token-only " \
				 "association-and-device-auth-token", \
			.value = "METHOD", \
			.help = "how a gateway's devices prove who they are; without it none may " \
				"use it"}, \
		{"log-level", 0, SETTING_CHOICE, offsetof(struct device, log_level), \
			.words = "none error info debug", .value = "LEVEL", \
			.help = "which of its events are logged; the registry's unless told"}, \
		{"metadata", 0, SETTING_LIST, offsetof(struct device, metadata), \
			.value = "KEY=VALUE,...", .help = "texts to keep with it; repeatable"}, \
	{ \
		"metadata-from-file", 0, SETTING_LIST, offsetof(struct device, metadata_files), \
			.value = "KEY=FILE,...", .help = "the same from files; repeatable" \
	}

static const struct setting create_settings[] = {
	DEVICE_VALUES,
	{"public-key", 0, SETTING_LIST, offsetof(struct device, keys),
		.value = "path=FILE,type=TYPE",
		.help = "a credential: es256-pem, es256-x509-pem, rsa-pem or rsa-x509-pem; also "
			"expiration-time=TIME; repeatable"},
	{"device-type", 0, SETTING_CHOICE, offsetof(struct device, device_type),
		.preset = "non-gateway", .words = "gateway non-gateway", .value = "TYPE",
		.help = "whether other devices connect through it"},
	{"blocked", 0, SETTING_SWITCH, offsetof(struct device, blocked),
		.help = "refuse its connections until it is unblocked"},
	{"config-data", 0, SETTING_TEXT, offsetof(struct device, config), .value = "TEXT",
		.help = "its first config, version 1"},
	{"config-file", 0, SETTING_TEXT, offsetof(struct device, config_file), .value = "FILE",
		.help = "a file that holds it, 64 KB at most"},
	{NULL},
};

static const struct setting update_settings[] = {
	DEVICE_VALUES,
	{"blocked", 0, SETTING_SWITCH, offsetof(struct device, blocked),
		.help = "refuse its connections; --no-blocked lets it in again"},
	{"clear-metadata", 0, SETTING_FLAG, offsetof(struct device, clear_metadata),
		.help = "remove all of it"},
	{NULL},
};

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

/* gcloud's words as the REST resource has them: "association-only" is "ASSOCIATION_ONLY". */
static void
to_name(char *word)
{
	to_upper(word);
	for (; word && *word; word++) {
		if (*word == '-')
			*word = '_';
	}
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
	AUTO(auto_json) json_t *metadata = NULL;
	AUTO(auto_free) char *config = NULL;
	struct rules_client at;

	(void)argc;
	if (v->auth_method && !device.gateway)
		return fault_set(f, FAULT_USAGE, "--auth-method goes with --device-type=gateway");
	to_name(v->auth_method);
	to_upper(v->log_level);
	if (metadata_flags_read(&v->metadata, &v->metadata_files, &metadata, f) ||
		read_data("config", v->config, v->config_file, RULES_CONFIG_MAX, &config,
			&device.config_len, f) ||
		read_keys(&v->keys, &keys, f))
		return -1;
	device.auth_method = v->auth_method;
	device.log_level = v->log_level;
	device.metadata = metadata;
	device.config = config;
	if (name_things(&v->place, v->place.registry, argv[0], &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_create(
			registry, &at, &device, keys.credentials, v->keys.n, time(NULL), f))
		return -1;
	log_info("created device [%s]", argv[0]);
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
}

static int
read_change(
	struct device *v, struct store_device_change *change, json_t **metadata, struct fault *f)
{
	if (metadata_flags_read(&v->metadata, &v->metadata_files, metadata, f))
		return -1;
	if (v->clear_metadata && *metadata)
		return fault_set(f, FAULT_USAGE,
			"--metadata replaces what there is: leave out --clear-metadata");
	if (v->clear_metadata) {
		*metadata = json_object();
		if (!*metadata)
			return fault_nomem(f);
	}
	if (!v->blocked && !v->auth_method && !v->log_level && !*metadata)
		return fault_set(f, FAULT_USAGE,
			"say what to change: --blocked, --no-blocked, --metadata, --log-level or "
			"--auth-method");
	to_name(v->auth_method);
	to_upper(v->log_level);
	*change = (struct store_device_change){.blocked = v->blocked,
		.auth_method = v->auth_method,
		.log_level = v->log_level,
		.metadata = *metadata};
	return 0;
}

static int
update(void *values, int argc, char **argv, struct fault *f)
{
	struct device *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *metadata = NULL;
	struct store_device_change change;
	struct rules_client at;

	(void)argc;
	if (read_change(v, &change, &metadata, f) ||
		name_things(&v->place, v->place.registry, argv[0], &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_update(registry, &at, &change, f))
		return -1;
	log_info("updated device [%s]%s", argv[0],
		v->blocked > 0	 ? ": it is blocked"
		: v->blocked < 0 ? ": it is not blocked"
				 : "");
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
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

const struct command command_devices_update = {
	.name = "devices update",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = update_settings,
	.values_size = sizeof(struct device),
	.summary = "Change a device: block it, its metadata, its log level",
	.description = "A running broker ends a blocked device's connection at once. Metadata "
		       "given takes\n"
		       "the place of all there was.",
	.run = update,
};
