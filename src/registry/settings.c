#include "config.h"

#include "registry/settings.h"

#include <string.h>

#include "registry/look.h"
#include "registry/topic.h"

#define NOTIFICATIONS_MAX 10

static int
add_notification(struct registry *r, const struct rules_client *at, int64_t registry,
	int64_t position, const struct store_notification *n, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t topic;
	bool same;

	if (topic_check_subfolder(n->subfolder, f) ||
		look_topic(r, at->project, n->topic, &topic, f) ||
		db_prepare(r, "SELECT 1 FROM notifications WHERE registry = ? AND subfolder = ?",
			&q, f, "it", registry, n->subfolder) ||
		db_step(r, q, &same, f))
		return -1;
	if (same)
		return fault_set(f, FAULT_USAGE,
			"two event-notification-configs for subfolder '%.80s': the second would "
			"never count",
			n->subfolder);
	return db_run(r,
		"INSERT INTO notifications (registry, position, subfolder, topic)"
		" VALUES (?, ?, ?, ?)",
		f, "iiti", registry, position, n->subfolder, topic);
}

static int
set_notifications(struct registry *r, const struct rules_client *at, int64_t registry,
	const struct store_registry *settings, struct fault *f)
{
	if (settings->n_notifications > NOTIFICATIONS_MAX)
		return fault_set(
			f, FAULT_USAGE, "a registry has at most %d topics", NOTIFICATIONS_MAX);
	if (db_run(r, "DELETE FROM notifications WHERE registry = ?", f, "i", registry))
		return -1;
	for (size_t i = 0; i < settings->n_notifications; i++) {
		if (add_notification(r, at, registry, (int64_t)i, &settings->notifications[i], f))
			return -1;
	}
	return 0;
}

static int
set_state_topic(struct registry *r, const struct rules_client *at, int64_t registry,
	const char *name, struct fault *f)
{
	int64_t topic;

	if (!*name)
		return db_run(r, "UPDATE registries SET state_topic = NULL WHERE id = ?", f, "i",
			registry);
	if (look_topic(r, at->project, name, &topic, f))
		return -1;
	return db_run(
		r, "UPDATE registries SET state_topic = ? WHERE id = ?", f, "ii", topic, registry);
}

/* Each by itself: a broker that runs looks at all devices again when some of them change. */
int
settings_apply(struct registry *r, const struct rules_client *at, int64_t registry,
	const struct store_registry *settings, struct fault *f)
{
	const char *jit = settings->jit;

	if ((settings->replace && set_notifications(r, at, registry, settings, f)) ||
		(settings->state_topic &&
			set_state_topic(r, at, registry, settings->state_topic, f)) ||
		(settings->log_level &&
			db_run(r, "UPDATE registries SET log_level = ? WHERE id = ?", f, "ti",
				settings->log_level, registry)) ||
		(settings->mqtt && db_run(r, "UPDATE registries SET mqtt = ? WHERE id = ?", f, "ii",
					   (int64_t)(settings->mqtt > 0), registry)) ||
		(jit && db_run(r, "UPDATE registries SET jit = ? WHERE id = ?", f, "ti",
				strcmp(jit, "off") == 0 ? NULL : jit, registry)))
		return -1;
	return 0;
}

static int
add_notifications(struct registry *r, int64_t registry, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *list = json_array();
	bool row;

	if (!list || json_object_set_new(about, "eventNotificationConfigs", list))
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT t.project, t.name, n.subfolder FROM notifications n"
		    " JOIN topics t ON n.topic = t.id WHERE n.registry = ? ORDER BY n.position",
		    &q, f, "i", registry))
		return -1;
	for (;;) {
		json_t *entry;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return 0;
		entry = json_pack("{s:o}", "pubsubTopicName",
			json_sprintf("projects/%s/topics/%s", db_text(q, 0), db_text(q, 1)));
		if (entry && *db_text(q, 2))
			json_object_set_new(entry, "subfolderMatches", json_string(db_text(q, 2)));
		if (look_append(list, entry, f))
			return -1;
	}
}

int
settings_describe(struct registry *r, int64_t registry, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *members;
	bool row;

	if (add_notifications(r, registry, about, f) ||
		db_prepare(r,
			"SELECT r.log_level, r.mqtt, coalesce(r.jit, 'off'), t.project, t.name"
			" FROM registries r LEFT JOIN topics t ON r.state_topic = t.id"
			" WHERE r.id = ?",
			&q, f, "i", registry) ||
		db_step(r, q, &row, f))
		return -1;
	members = json_pack("{s:s, s:{s:s}, s:s}", "logLevel", db_text(q, 0), "mqttConfig",
		"mqttEnabledState", sqlite3_column_int(q, 1) ? "MQTT_ENABLED" : "MQTT_DISABLED",
		"jitRegistration", db_text(q, 2));
	if (members && *db_text(q, 4) &&
		json_object_set_new(members, "stateNotificationConfig",
			json_pack("{s:o}", "pubsubTopicName",
				json_sprintf(
					"projects/%s/topics/%s", db_text(q, 3), db_text(q, 4))))) {
		json_decref(members);
		return fault_nomem(f);
	}
	return json_object_update_new(about, members) ? fault_nomem(f) : 0;
}
