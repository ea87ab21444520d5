#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/auto.h"
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
		{"WAITING", "numUndeliveredMessages"}, {"DROPPED", "numDroppedMessages"},
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

/* For people: the data itself where it is text, else as it came, in base64. */
static int
show_data(json_t *pulled, struct fault *f)
{
	json_t *message = json_object_get(pulled, "message");
	const char *base64 = json_string_value(json_object_get(message, "data"));
	int len = (int)strlen(base64);
	AUTO(auto_free) char *data = malloc((size_t)len + 1);
	json_t *text;

	if (!data)
		return fault_nomem(f);
	len = EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)base64, len);
	/* What the padding stands for is decoded to NULs. */
	for (const char *p = base64 + strlen(base64); len > 0 && p > base64 && p[-1] == '='; p--)
		len--;
	text = json_stringn(data, len > 0 ? (size_t)len : 0);
	if (text && json_string_length(text) == strlen(json_string_value(text)))
		return json_object_set_new(message, "data", text) ? fault_nomem(f) : 0;
	json_decref(text);
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
	if (strcmp(v->place.format, "table") == 0) {
		json_array_foreach(all, i, message)
		{
			if (show_data(message, f))
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

const struct command command_subscriptions_create = {
	.name = "pubsub subscriptions create",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = subscribe_settings,
	.values_size = sizeof(struct pubsub),
	.summary = "Keep a topic's messages from now on, to be pulled",
	.description =
		"A subscription keeps a million messages and seven days at most; the oldest\n"
		"are dropped.",
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

const struct command command_subscriptions_pull = {
	.name = "pubsub subscriptions pull",
	.operands = "SUBSCRIPTION",
	.min = 1,
	.max = 1,
	.settings = pull_settings,
	.values_size = sizeof(struct pubsub),
	.summary = "Show the oldest messages of a subscription",
	.run = pull,
};
