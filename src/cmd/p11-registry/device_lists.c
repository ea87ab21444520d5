#include "config.h"

#include "commands.h"

#include <limits.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"

struct list {
	struct place place;
	struct setting_list ids;
	struct setting_list num_ids;
	char *device_type;
	char *gateway;
	char *page_token;
	int blocked;
	long limit;
};

static const struct setting list_settings[] = {
	REGISTRY_SETTINGS,
	{"device-ids", 0, SETTING_LIST, offsetof(struct list, ids), .value = "ID,...",
		.help = "those with these ids; repeatable"},
	{"device-num-ids", 0, SETTING_LIST, offsetof(struct list, num_ids), .value = "N,...",
		.help = "those with these numeric ids; repeatable"},
	{"device-type", 0, SETTING_CHOICE, offsetof(struct list, device_type),
		.words = "gateway non-gateway", .value = "TYPE", .help = "those of this type"},
	{"blocked", 0, SETTING_SWITCH, offsetof(struct list, blocked),
		.help = "those that are blocked; --no-blocked the others"},
	{"gateway", 0, SETTING_TEXT, offsetof(struct list, gateway), .value = "ID",
		.help = "those bound to this gateway"},
	{"limit", 0, SETTING_NUMBER, offsetof(struct list, limit), .preset = "1000", .min = 1,
		.max = INT_MAX - 1, .value = "N", .help = "how many at most"},
	{"page-token", 0, SETTING_TEXT, offsetof(struct list, page_token), .value = "ID",
		.help = "those behind this id: the last one of the page before"},
	{NULL},
};

static const struct setting device_settings[] = {REGISTRY_SETTINGS, {NULL}};

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *about = NULL;
	struct rules_client at;

	(void)argc;
	if (name_things(place, place->registry, argv[0], &at, f) ||
		open_registry(place, &registry, f))
		return -1;
	if (store_device_describe(registry, &at, &about, f))
		return -1;
	return put_thing(place, about, f);
}

/* What stands between the commas of a flag that may be given several times. */
static int
split_ids(const struct setting_list *list, json_t *ids, struct fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		for (const char *at = list->items[i]; *at;) {
			size_t len = strcspn(at, ",");

			if (len && json_array_append_new(ids, json_stringn(at, len)))
				return fault_set(f, FAULT_USAGE, "an id is no text in UTF-8");
			at += len + (at[len] == ',');
		}
	}
	return 0;
}

static int
read_filter(const struct list *v, struct store_filter *filter, json_t **ids, struct fault *f)
{
	struct store_filter read = {.after = v->page_token,
		.limit = v->limit + 1,
		.blocked = v->blocked,
		.bound = v->gateway};

	if (v->device_type)
		read.gateway = strcmp(v->device_type, "gateway") == 0 ? 1 : -1;
	if (v->ids.n || v->num_ids.n) {
		if (v->gateway)
			return fault_set(f, FAULT_USAGE,
				"--gateway does not go with --device-ids and --device-num-ids");
		*ids = json_array();
		if (!*ids)
			return fault_nomem(f);
		if (split_ids(&v->ids, *ids, f) || split_ids(&v->num_ids, *ids, f))
			return -1;
		read.ids = *ids;
	}
	*filter = read;
	return 0;
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"ID", "id"}, {"NUM_ID", "numId"},
		{"BLOCKED", "blocked"}, {"GATEWAY_TYPE", "gatewayConfig.gatewayType"},
		{"GATEWAY_AUTH_METHOD", "gatewayConfig.gatewayAuthMethod"}, {NULL}};
	struct list *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	AUTO(auto_json) json_t *ids = NULL;
	struct store_filter filter;
	struct rules_client at;

	(void)argc, (void)argv;
	if (read_filter(v, &filter, &ids, f) ||
		name_things(&v->place, v->place.registry, NULL, &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_device_list(registry, &at, &filter, &all, f))
		return -1;
	if (json_array_size(all) > (size_t)v->limit) {
		json_array_remove(all, (size_t)v->limit);
		log_warn("there are more devices: go on with --page-token=%s",
			json_string_value(
				json_object_get(json_array_get(all, (size_t)v->limit - 1), "id")));
	}
	return put_list(&v->place, all, columns, f);
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

const struct command command_devices_describe = {
	.name = "devices describe",
	.operands = "DEVICE",
	.min = 1,
	.max = 1,
	.settings = device_settings,
	.values_size = sizeof(struct place),
	.summary = "Show a device: its credentials, config, state and times",
	.run = describe,
};

const struct command command_devices_list = {
	.name = "devices list",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct list),
	.summary = "List a registry's devices by id",
	.run = list,
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
