#include "config.h"

#include "registry/move.h"

#include <string.h>

#include "registry/look.h"
#include "registry/move_read.h"

#define NOTIFICATIONS_MAX 10

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
		move_word(about, "logLevel", move_log_levels, &settings.log_level, f) ||
		move_word(about, "jitRegistration", jit, &settings.jit, f) ||
		move_word(json_object_get(about, "mqttConfig"), "mqttEnabledState", mqtt, &enabled,
			f) ||
		read_cas(about, cas, &n, f))
		return -1;
	settings.mqtt = enabled && strcmp(enabled, "MQTT_DISABLED") == 0 ? -1 : 0;
	settings.state_topic = topic_id(json_object_get(about, "stateNotificationConfig"));
	if (settings.state_topic && need_topic(r, at, settings.state_topic, f))
		return -1;
	return store_registry_create_with(r, at, &settings, cas, n, now, f);
}
