#include "config.h"

#include "commands.h"

#include <string.h>

#include "base/auto.h"
#include "base/log.h"

struct gateway {
	struct place place;
	char *gateway;
	char *gateway_region;
	char *gateway_registry;
	char *device;
	char *device_region;
	char *device_registry;
};

#define GATEWAY_SETTINGS \
	REGISTRY_SETTINGS, \
		{"gateway", 0, SETTING_TEXT, offsetof(struct gateway, gateway), .value = "ID", \
			.help = "the gateway's id"}, \
		{"gateway-region", 0, SETTING_TEXT, offsetof(struct gateway, gateway_region), \
			.value = "REGION", .help = "the gateway's region, in place of --region"}, \
	{ \
		"gateway-registry", 0, SETTING_TEXT, offsetof(struct gateway, gateway_registry), \
			.value = "ID", .help = "the gateway's registry, in place of --registry" \
	}

static const struct setting pair_settings[] = {
	GATEWAY_SETTINGS,
	{"device", 0, SETTING_TEXT, offsetof(struct gateway, device), .value = "ID",
		.help = "the device's id"},
	{"device-region", 0, SETTING_TEXT, offsetof(struct gateway, device_region),
		.value = "REGION", .help = "the device's region: the gateway's"},
	{"device-registry", 0, SETTING_TEXT, offsetof(struct gateway, device_registry),
		.value = "ID", .help = "the device's registry: the gateway's"},
	{NULL},
};

static const struct setting list_settings[] = {GATEWAY_SETTINGS, {NULL}};

/* A binding is within one registry; gcloud wants it said for both all the same. */
static int
start(const struct gateway *v, struct rules_client *at, struct registry **ret_registry,
	struct fault *f)
{
	struct place place = v->place;
	const char *registry = v->gateway_registry ? v->gateway_registry : place.registry;

	if (v->gateway_region)
		place.region = v->gateway_region;
	if ((v->device_registry && registry && strcmp(v->device_registry, registry) != 0) ||
		(v->device_region && place.region && strcmp(v->device_region, place.region) != 0))
		return fault_set(f, FAULT_USAGE,
			"a device can be bound to a gateway of its own registry only");
	if (!registry)
		registry = v->device_registry;
	if (!place.region)
		place.region = v->device_region;
	if (require("gateway", v->gateway, f) || name_things(&place, registry, NULL, at, f))
		return -1;
	return open_registry(&place, ret_registry, f);
}

static int
bind(void *values, int argc, char **argv, struct fault *f)
{
	struct gateway *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (require("device", v->device, f) || start(v, &at, &registry, f) ||
		store_gateway_bind(registry, &at, v->gateway, v->device, f))
		return -1;
	log_info("device [%s] is bound to gateway [%s]", v->device, v->gateway);
	return 0;
}

static int
unbind(void *values, int argc, char **argv, struct fault *f)
{
	struct gateway *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (require("device", v->device, f) || start(v, &at, &registry, f) ||
		store_gateway_unbind(registry, &at, v->gateway, v->device, f))
		return -1;
	log_info("device [%s] is no longer bound to gateway [%s]", v->device, v->gateway);
	return 0;
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"ID", "id"}, {"NUM_ID", "numId"}, {NULL}};
	struct gateway *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) || store_gateway_list(registry, &at, v->gateway, &all, f))
		return -1;
	return put_list(&v->place, all, columns, f);
}

const struct command command_gateways_bind = {
	.name = "devices gateways bind",
	.operands = "",
	.settings = pair_settings,
	.values_size = sizeof(struct gateway),
	.summary = "Let a gateway speak for a device",
	.run = bind,
};

const struct command command_gateways_unbind = {
	.name = "devices gateways unbind",
	.operands = "",
	.settings = pair_settings,
	.values_size = sizeof(struct gateway),
	.summary = "Let a gateway speak for a device no longer",
	.run = unbind,
};

const struct command command_gateways_list = {
	.name = "devices gateways list-bound-devices",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct gateway),
	.summary = "List the devices that a gateway may speak for",
	.run = list,
};
