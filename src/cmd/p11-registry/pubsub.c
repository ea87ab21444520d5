#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

struct pubsub {
	struct place place;
	char *topic;
	bool auto_ack;
	long limit;
};

static const struct setting project_settings[] = {PROJECT_SETTINGS, {NULL}};

static const struct setting subscribe_settings[] = {
	PROJECT_SETTINGS,
	{"topic", 0, SETTING_TEXT, offsetof(struct pubsub, topic), .value = "TOPIC",
		.help = "the topic whose messages it keeps"},
	{NULL},
};

static const struct setting pull_settings[] = {
	PROJECT_SETTINGS,
	{"auto-ack", 0, SETTING_FLAG, offsetof(struct pubsub, auto_ack),
		.help = "acknowledge them: they are not pulled again"},
	{"limit", 0, SETTING_NUMBER, offsetof(struct pubsub, limit), .preset = "100", .min = 1,
		.max = 10000, .value = "N", .help = "how many at most"},
	{NULL},
};

static int
create_topic(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;

	(void)argc;
	if (create_registry(place, &registry, f) ||
		store_topic_create(registry, place->project, argv[0], f))
		return -1;
	log_info("created topic [projects/%s/topics/%s]", place->project, argv[0]);
	return 0;
}

static int
list_topics(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"ID", "id"}, {"NAME", "name"}, {NULL}};
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;

	(void)argc, (void)argv;
	if (open_registry(place, &registry, f) ||
		store_topic_list(registry, place->project, &all, f))
		return -1;
	return put_list(place, all, columns, f);
}

static int
delete_topic(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;

	(void)argc;
	if (open_registry(place, &registry, f) ||
		store_topic_delete(registry, place->project, argv[0], f))
		return -1;
	log_info("deleted topic [%s]", argv[0]);
	return 0;
}

static int
create_subscription(void *values, int argc, char **argv, struct fault *f)
{
	struct pubsub *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;

	(void)argc;
	if (require("topic", v->topic, f) || open_registry(&v->place, &registry, f) ||
		store_subscription_create(registry, v->place.project, argv[0], v->topic, f))
		return -1;
	log_info("created subscription [projects/%s/subscriptions/%s]", v->place.project, argv[0]);
	return 0;
}

static int
list_subscriptions(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"ID", "id"}, {"TOPIC", "topic"},
		{"STATE", "state"}, {"WAITING", "numUndeliveredMessages"},
		{"BYTES", "numUndeliveredBytes"}, {"DROPPED", "numDroppedMessages"},
		{"NAME", "name"}, {NULL}};
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;

	(void)argc, (void)argv;
	if (open_registry(place, &registry, f) ||
		store_subscription_list(registry, place->project, &all, f))
		return -1;
	return put_list(place, all, columns, f);
}

static int
describe_subscription(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *about = NULL;

	(void)argc;
	if (open_registry(place, &registry, f) ||
		store_subscription_describe(registry, place->project, argv[0], &about, f))
		return -1;
	return put_thing(place, about, f);
}

/* Once a second; with: when it was shown last. */
static void
show_deleted(void *with, int64_t done, int64_t total)
{
	time_t *shown = with, now = clock_ms(CLOCK_MONOTONIC) / 1000;

	if (now == *shown)
		return;
	*shown = now;
	log_info("%" PRId64 " of %" PRId64 " messages are deleted", done, total);
}

static int
delete_subscription(void *values, int argc, char **argv, struct fault *f)
{
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	time_t shown = clock_ms(CLOCK_MONOTONIC) / 1000;

	(void)argc;
	if (open_registry(place, &registry, f) ||
		store_subscription_delete(registry, place->project, argv[0],
			isatty(STDERR_FILENO) ? show_deleted : NULL, &shown, f))
		return -1;
	log_info("deleted subscription [%s]", argv[0]);
	return 0;
}

static int
pull(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"DATA", "message.data"},
		{"MESSAGE_ID", "message.messageId"}, {"DEVICE_ID", "message.attributes.deviceId"},
		{"REGISTRY", "message.attributes.deviceRegistryId"},
		{"PROJECT", "message.attributes.projectId"},
		{"SUBFOLDER", "message.attributes.subFolder"},
		{"PUBLISH_TIME", "message.publishTime"}, {NULL}};
	struct pubsub *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	json_t *message;
	size_t i;

	(void)argc;
	if (open_registry(&v->place, &registry, f) ||
		store_pull(registry, v->place.project, argv[0], v->limit, &all, f))
		return -1;
	if (!is_json(&v->place)) {
		json_array_foreach(all, i, message)
		{
			if (show_text(json_object_get(message, "message"), "data", f))
				return -1;
		}
	}
	if (put_list(&v->place, all, columns, f))
		return -1;
	/* What nobody could read is not acknowledged: it is pulled again. */
	if (fflush(stdout) != 0)
		return fault_set(
			f, FAULT_IO, "cannot write to standard output: nothing was acknowledged");
	return v->auto_ack ? store_ack(registry, v->place.project, argv[0], all, f) : 0;
}

const struct command command_topics_create = {
	.name = "pubsub topics create",
	.operands = "TOPIC",
	.min = 1,
	.max = 1,
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "Create a topic for registries to send telemetry to",
	.run = create_topic,
};

const struct command command_topics_list = {
	.name = "pubsub topics list",
	.operands = "",
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "List a project's topics",
	.run = list_topics,
};

const struct command command_topics_delete = {
	.name = "pubsub topics delete",
	.operands = "TOPIC",
	.min = 1,
	.max = 1,
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "Delete a topic that nothing names any more",
	.run = delete_topic,
};

const struct command command_subscriptions_create = {
	.name = "pubsub subscriptions create",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = subscribe_settings,
	.values_size = sizeof(struct pubsub),
	.summary = "Keep a topic's messages from now on, to be pulled",
	.description =
		"The oldest messages are dropped when there are too many of them, in number or in\n"
		"bytes, or after seven days; p11_registry.so(8) has the options for that.",
	.run = create_subscription,
};

const struct command command_subscriptions_list = {
	.name = "pubsub subscriptions list",
	.operands = "",
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "List a project's subscriptions",
	.run = list_subscriptions,
};

const struct command command_subscriptions_describe = {
	.name = "pubsub subscriptions describe",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "Show a subscription, and how much waits in it",
	.run = describe_subscription,
};

const struct command command_subscriptions_delete = {
	.name = "pubsub subscriptions delete",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = project_settings,
	.values_size = sizeof(struct place),
	.summary = "Delete a subscription with the messages it holds",
	.description =
		"The messages are deleted a few at a time, so that the broker keeps running. When\n"
		"it is interrupted, run it again.",
	.run = delete_subscription,
};

const struct command command_subscriptions_pull = {
	.name = "pubsub subscriptions pull",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = pull_settings,
	.values_size = sizeof(struct pubsub),
	.summary = "Show the oldest messages of a subscription",
	.description = "At most 32 MiB of data are pulled at a time, and one message.",
	.run = pull,
};
