#include "config.h"

#include "commands.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"

struct config {
	struct place place;
	char *device;
	char *data;
	char *file;
	long version;
};

#define CONFIG_SETTINGS \
	REGISTRY_SETTINGS, \
	{ \
		"device", 0, SETTING_TEXT, offsetof(struct config, device), \
			.value = "ID", .help = "the device's id" \
	}

static const struct setting update_settings[] = {
	CONFIG_SETTINGS,
	{"config-data", 0, SETTING_TEXT, offsetof(struct config, data), .value = "TEXT",
		.help = "the config itself"},
	{"config-file", 0, SETTING_TEXT, offsetof(struct config, file), .value = "FILE",
		.help = "a file that holds it, 64 KB at most"},
	{"version-to-update", 0, SETTING_NUMBER, offsetof(struct config, version), .min = 0,
		.max = LONG_MAX, .value = "N",
		.help = "the version that must be the newest; 0 takes any"},
	{NULL},
};

static const struct setting describe_settings[] = {
	CONFIG_SETTINGS,
	{"version", 0, SETTING_NUMBER, offsetof(struct config, version), .min = 0, .max = LONG_MAX,
		.value = "N", .help = "which one; 0 is the newest"},
	{NULL},
};

static const struct setting device_settings[] = {CONFIG_SETTINGS, {NULL}};

static int
start(const struct config *v, struct rules_client *at, struct registry **ret_registry,
	struct fault *f)
{
	if (require("device", v->device, f) ||
		name_things(&v->place, v->place.registry, v->device, at, f))
		return -1;
	return open_registry(&v->place, ret_registry, f);
}

static int
update(void *values, int argc, char **argv, struct fault *f)
{
	struct config *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *config = NULL;
	AUTO(auto_free) char *data = NULL;
	struct rules_client at;
	size_t len;

	(void)argc, (void)argv;
	if (read_data("config", v->data, v->file, RULES_CONFIG_MAX, &data, &len, f))
		return -1;
	if (!data)
		return fault_set(f, FAULT_USAGE, "give --config-data or --config-file");
	if (start(v, &at, &registry, f) ||
		store_config_update(registry, &at, data, len, v->version, time(NULL), &config, f))
		return -1;
	log_info("config of device [%s] is version %s now", v->device,
		json_string_value(json_object_get(config, "version")));
	return is_json(&v->place) ? put_thing(&v->place, config, f) : 0;
}

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct config *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *config = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) ||
		store_config_describe(registry, &at, v->version, &config, f))
		return -1;
	return put_thing(&v->place, config, f);
}

static int
get_value(void *values, int argc, char **argv, struct fault *f)
{
	struct config *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *config = NULL;
	AUTO(auto_free) char *data = NULL;
	struct rules_client at;
	size_t len;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) || store_config_describe(registry, &at, 0, &config, f) ||
		decode(json_string_value(json_object_get(config, "binaryData")), &data, &len, f))
		return -1;
	/* A file or a program gets what was stored; a terminal would obey it. */
	if (isatty(STDOUT_FILENO))
		return put_lines(data, len, f);
	if (fwrite(data, 1, len, stdout) != len)
		return fault_set(f, FAULT_IO, "cannot write to standard output");
	return 0;
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"VERSION", "version"},
		{"CLOUD_UPDATE_TIME", "cloudUpdateTime"}, {"DATA", "binaryData"}, {NULL}};
	struct config *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) || store_config_list(registry, &at, &all, f))
		return -1;
	if (!is_json(&v->place) && show_texts(all, "binaryData", f))
		return -1;
	return put_list(&v->place, all, columns, f);
}

const struct command command_configs_update = {
	.name = "devices configs update",
	.operands = "",
	.settings = update_settings,
	.values_size = sizeof(struct config),
	.summary = "Give a device its next config",
	.description =
		"A connected device that is subscribed to its config gets it within a second,\n"
		"any other when it subscribes. One update a second is the limit.",
	.run = update,
};

const struct command command_configs_describe = {
	.name = "devices configs describe",
	.operands = "",
	.settings = describe_settings,
	.values_size = sizeof(struct config),
	.summary = "Show a device's config",
	.run = describe,
};

const struct command command_configs_get_value = {
	.name = "devices configs get-value",
	.operands = "",
	.settings = device_settings,
	.values_size = sizeof(struct config),
	.summary = "Print a device's newest config as it is",
	.run = get_value,
};

const struct command command_configs_list = {
	.name = "devices configs list",
	.operands = "",
	.settings = device_settings,
	.values_size = sizeof(struct config),
	.summary = "List a device's newest ten configs",
	.run = list,
};
