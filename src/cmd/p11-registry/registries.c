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

struct values {
	struct place place;
	struct setting_list notifications;
	struct setting_list cas;
	char *state_topic;
	char *log_level;
	char *jit;
	int mqtt;
	bool clear_notifications;
	bool clear_state_topic;
};

#define REGISTRY_VALUES \
	REGION_SETTINGS, \
		{"event-notification-config", 0, SETTING_LIST, \
			offsetof(struct values, notifications), .value = "topic=T[,subfolder=S]", \
			.help = "where telemetry goes; without subfolder the default; " \
				"repeatable"}, \
		{"state-pubsub-topic", 0, SETTING_TEXT, offsetof(struct values, state_topic), \
			.value = "TOPIC", .help = "where states go too"}, \
		{"log-level", 0, SETTING_CHOICE, offsetof(struct values, log_level), \
			.words = "none error info debug", .value = "LEVEL", \
			.help = "which of its devices' events are logged, unless theirs says so"}, \
		{"enable-mqtt-config", 0, SETTING_SWITCH, offsetof(struct values, mqtt), \
			.help = "let devices connect, as they may from the start; or, with " \
				"--no-, " \
				"none"}, \
	{ \
		"jit-registration", 0, SETTING_CHOICE, offsetof(struct values, jit), \
			.words = "off cn dns uri", .value = "NAME", \
			.help = "register a device by the certificate that its token brings, " \
				"when " \
				"this name in it is the device's id" \
	}

static const struct setting create_settings[] = {
	REGISTRY_VALUES,
	{"public-key-path", 0, SETTING_LIST, offsetof(struct values, cas), .value = "FILE",
		.help = "certificate of a CA that must have signed the devices'; repeatable"},
	{NULL},
};

static const struct setting update_settings[] = {
	REGISTRY_VALUES,
	{"clear-event-notification-configs", 0, SETTING_FLAG,
		offsetof(struct values, clear_notifications), .help = "telemetry goes nowhere"},
	{"clear-state-pubsub-topic", 0, SETTING_FLAG, offsetof(struct values, clear_state_topic),
		.help = "states are kept with their device alone"},
	{NULL},
};

static const struct setting region_settings[] = {REGION_SETTINGS, {NULL}};

static const char *const notification_keys[] = {"topic", "subfolder", NULL};

/* What a flag says, and the memory it stands in. */
struct flags {
	char *texts[NOTIFICATIONS_MAX][2];
	char *cas[SETTING_LIST_MAX];
	struct store_notification notifications[NOTIFICATIONS_MAX];
	struct store_registry settings;
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
read_notifications(const struct setting_list *list, struct flags *flags, struct fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		char **texts = flags->texts[i];

		if (split_flag("event-notification-config", list->items[i], notification_keys,
			    texts, f))
			return -1;
		if (!texts[0])
			return fault_set(f, FAULT_USAGE,
				"--event-notification-config names no topic: topic=NAME");
		flags->notifications[i].topic = texts[0];
		flags->notifications[i].subfolder = texts[1] ? texts[1] : "";
	}
	return 0;
}

static int
read_flags(struct values *v, struct flags *flags, struct fault *f)
{
	size_t len;

	if (v->clear_notifications && v->notifications.n)
		return fault_set(f, FAULT_USAGE,
			"--event-notification-config and --clear-event-notification-configs: give "
			"one of them");
	if (v->clear_state_topic && v->state_topic)
		return fault_set(f, FAULT_USAGE,
			"--state-pubsub-topic and --clear-state-pubsub-topic: give one of them");
	if (read_notifications(&v->notifications, flags, f))
		return -1;
	for (size_t i = 0; i < v->cas.n; i++) {
		if (file_read(v->cas.items[i], CERT_MAX, &flags->cas[i], &len, f))
			return -1;
	}
	to_upper(v->log_level);
	flags->settings = (struct store_registry){
		.replace = v->clear_notifications || v->notifications.n,
		.notifications = flags->notifications,
		.n_notifications = v->notifications.n,
		.state_topic = v->clear_state_topic ? "" : v->state_topic,
		.log_level = v->log_level,
		.mqtt = v->mqtt,
		.jit = v->jit,
	};
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
	struct values *v = values;
	AUTO(auto_flags) struct flags flags = {.cas = {NULL}};
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc;
	if (read_flags(v, &flags, f) || name_things(&v->place, argv[0], NULL, &at, f) ||
		create_registry(&v->place, &registry, f) ||
		store_registry_create_with(
			registry, &at, &flags.settings, flags.cas, v->cas.n, time(NULL), f))
		return -1;
	log_info("created registry [%s]", argv[0]);
	return is_json(&v->place) ? show(&v->place, registry, &at, f) : 0;
}

static int
update(void *values, int argc, char **argv, struct fault *f)
{
	struct values *v = values;
	AUTO(auto_flags) struct flags flags = {.cas = {NULL}};
	AUTO(auto_registry) struct registry *registry = NULL;
	const struct store_registry *s = &flags.settings;
	struct rules_client at;

	(void)argc;
	if (read_flags(v, &flags, f))
		return -1;
	if (!s->replace && !s->state_topic && !s->log_level && !s->mqtt && !s->jit)
		return fault_set(f, FAULT_USAGE, "say what to change: see --help");
	if (name_things(&v->place, argv[0], NULL, &at, f) ||
		open_registry(&v->place, &registry, f) ||
		store_registry_update(registry, &at, s, f))
		return -1;
	log_info("updated registry [%s]", argv[0]);
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
	.values_size = sizeof(struct values),
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
	.summary = "Show a registry: its topics, settings and CAs",
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

const struct command command_registries_update = {
	.name = "registries update",
	.operands = "REGISTRY",
	.min = 1,
	.max = 1,
	.settings = update_settings,
	.values_size = sizeof(struct values),
	.summary = "Change a registry",
	.description = "Topics given take the place of all there were. CAs are changed by\n"
		       "'registries credentials'.",
	.run = update,
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
