#include "config.h"

#include "commands.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "pki/cert.h"

#define NOTIFICATIONS_MAX SETTING_LIST_MAX

struct create {
	struct place place;
	struct setting_list notifications;
	struct setting_list cas;
	bool enable_mqtt;
};

static const struct setting create_settings[] = {
	REGION_SETTINGS,
	{"event-notification-config", 0, SETTING_LIST, offsetof(struct create, notifications),
		.value = "topic=T[,subfolder=S]",
		.help = "where telemetry goes; without subfolder the default; repeatable"},
	{"public-key-path", 0, SETTING_LIST, offsetof(struct create, cas), .value = "FILE",
		.help = "certificate of a CA that must have signed the devices'; repeatable"},
	{"enable-mqtt-config", 0, SETTING_FLAG, offsetof(struct create, enable_mqtt),
		.preset = "true", .help = "taken for gcloud's sake: devices always use MQTT"},
	{NULL},
};

static const struct setting region_settings[] = {REGION_SETTINGS, {NULL}};

static const char *const notification_keys[] = {"topic", "subfolder", NULL};

/* What a flag says, and the memory it stands in. */
struct flags {
	char *texts[NOTIFICATIONS_MAX][2];
	char *cas[SETTING_LIST_MAX];
	struct store_notification notifications[NOTIFICATIONS_MAX];
};

static void
auto_flags(struct flags *flags)
{
	for (size_t i = 0; i < NOTIFICATIONS_MAX; i++) {
		free(flags->texts[i][0]);
		free(flags->texts[i][1]);
	}
	for (size_t i = 0; i < SETTING_LIST_MAX; i++)
		free(flags->cas[i]);
}

static int
read_flags(const struct create *v, struct flags *flags, struct fault *f)
{
	size_t len;

	for (size_t i = 0; i < v->notifications.n; i++) {
		char **texts = flags->texts[i];

		if (split_flag("event-notification-config", v->notifications.items[i],
			    notification_keys, texts, f))
			return -1;
		if (!texts[0])
			return fault_set(f, FAULT_USAGE,
				"--event-notification-config names no topic: topic=NAME");
		flags->notifications[i].topic = texts[0];
		flags->notifications[i].subfolder = texts[1] ? texts[1] : "";
	}
	for (size_t i = 0; i < v->cas.n; i++) {
		if (file_read(v->cas.items[i], CERT_MAX, &flags->cas[i], &len, f))
			return -1;
	}
	return 0;
}

static int
show(const struct place *place, struct registry *registry, const struct rules_client *at,
	struct fault *f)
{
	AUTO(auto_json) json_t *about = NULL;

	if (store_registry_describe(registry, at, &about, f))
		return -1;
	return put_thing(place, about, f);
}

static int
create(void *values, int argc, char **argv, struct fault *f)
{
	struct create *v = values;
	AUTO(auto_flags) struct flags flags = {.cas = {NULL}};
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (!v->enable_mqtt)
		return fault_set(f, FAULT_USAGE, "a registry without MQTT would take no device");
	if (read_flags(v, &flags, f) || name_things(&v->place, argv[0], NULL, &at, f) ||
		create_registry(&v->place, &registry, f) ||
		store_registry_create(registry, &at, flags.notifications, v->notifications.n,
			flags.cas, v->cas.n, time(NULL), f))
		return -1;
	log_info("created registry [%s]", argv[0]);
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
}

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (name_things(place, argv[0], NULL, &at, f) || open_registry(place, &registry, f))
		return -1;
	return show(place, registry, &at, f);
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {
		{"ID", "id"}, {"LOCATION", "name", "locations"}, {"NAME", "name"}, {NULL}};
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;

	(void)argc, (void)argv;
	if (require("region", place->region, f) || open_registry(place, &registry, f) ||
		store_registry_list(registry, place->project, place->region, &all, f))
		return -1;
	return put_list(place, all, columns, f);
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (name_things(place, argv[0], NULL, &at, f) || open_registry(place, &registry, f) ||
		store_registry_delete(registry, &at, f))
		return -1;
	log_info("deleted registry [%s]", argv[0]);
	return 0;
}

const struct command command_registries_create = {
	.name = "registries create",
	.operands = "REGISTRY",
	.min = 1,
	.max = 1,
	.settings = create_settings,
	.values_size = sizeof(struct create),
	.summary = "Create a registry",
	.description =
		"With a CA's certificate, a device's credential must be a certificate that this\n"
		"CA itself signed; without one, bare public keys are taken too.",
	.run = create,
};

const struct command command_registries_describe = {
	.name = "registries describe",
	.operands = "REGISTRY",
	.min = 1,
	.max = 1,
	.settings = region_settings,
	.values_size = sizeof(struct place),
	.summary = "Show a registry: its topics and its CAs",
	.run = describe,
};

const struct command command_registries_list = {
	.name = "registries list",
	.operands = "",
	.settings = region_settings,
	.values_size = sizeof(struct place),
	.summary = "List the registries of a project and region",
	.run = list,
};

const struct command command_registries_delete = {
	.name = "registries delete",
	.operands = "REGISTRY",
	.min = 1,
	.max = 1,
	.settings = region_settings,
	.values_size = sizeof(struct place),
	.summary = "Delete a registry that has no devices",
	.run = delete,
};
