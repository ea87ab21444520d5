/* The operator's side of the registry: settings, configs, commands, lists, logs, migration. */
#include "config.h"

#include "unit.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "jwt/jwt.h"
#include "registry/db.h"
#include "registry/registry.h"
#include "registry/store.h"
#include "schema-1.h"

#define NOW 1800000000

/*
 * store   what p11-registry has open
 * broker  what the plugin has open
 * db      the same file, through SQLite alone
 */
struct context {
	char dir[64];
	char path[96];
	struct registry *store;
	struct registry *broker;
	sqlite3 *db;
};

static const struct rules_client place = {.project = "p", .region = "r", .registry = "reg"};

static const struct rules_client *
named(const char *device)
{
	static struct rules_client at;

	at = place;
	strcpy(at.device, device);
	return &at;
}

static int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *at)
{
	(void)about, (void)kind, (void)at;
	return remove(path);
}

static void
open_all(struct context *c)
{
	struct fault f = FAULT_INIT;

	assert_ok(registry_open(c->path, &c->store, &f), &f);
	assert_ok(registry_open(c->path, &c->broker, &f), &f);
	assert_int_equal(sqlite3_open(c->path, &c->db), SQLITE_OK);
	sqlite3_busy_timeout(c->db, 10000);
}

static int
set_up_folder(void **state)
{
	struct context *c = calloc(1, sizeof(*c));

	strcpy(c->dir, "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->path, sizeof(c->path), "%s/registry.db", c->dir);
	*state = c;
	return 0;
}

static int
set_up(void **state)
{
	static const struct store_notification rules[] = {{"alerts", "alert"}, {"main-topic", ""}};
	struct fault f = FAULT_INIT;
	struct context *c;

	set_up_folder(state);
	c = *state;
	open_all(c);
	assert_ok(store_topic_create(c->store, "p", "main-topic", &f), &f);
	assert_ok(store_topic_create(c->store, "p", "alerts", &f), &f);
	assert_ok(store_registry_create(c->store, &place, rules, 2, NULL, 0, NOW, &f), &f);
	return 0;
}

static int
tear_down(void **state)
{
	struct context *c = *state;

	sqlite3_close(c->db);
	registry_close(c->store);
	registry_close(c->broker);
	nftw(c->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(c);
	return 0;
}

static void
sql(struct context *c, const char *text)
{
	char *error = NULL;

	if (sqlite3_exec(c->db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", text, error);
}

/* A text that SQLite reads, "" for null; valid until the next call. */
static const char *
ask(struct context *c, const char *query)
{
	static char text[512];
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(c->db, query, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(c->db));
	text[0] = '\0';
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0))
		snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	return text;
}

static int64_t
count(struct context *c, const char *query)
{
	return strtoll(ask(c, query), NULL, 10);
}

static void
add(struct context *c, const char *id, const struct store_device *device)
{
	static const struct store_device plain = {.gateway = false};
	struct fault f = FAULT_INIT;

	assert_ok(store_device_create(
			  c->store, named(id), device ? device : &plain, NULL, 0, NOW, &f),
		&f);
}

static json_t *
describe(struct context *c, const char *id)
{
	struct fault f = FAULT_INIT;
	json_t *about;

	assert_ok(store_device_describe(c->store, named(id), &about, &f), &f);
	return about;
}

/* The text at a path such as "a.b". */
static const char *
text_of(const json_t *thing, const char *path)
{
	char copy[64], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, ".", &rest); name; name = strtok_r(NULL, ".", &rest))
		thing = json_object_get(thing, name);
	return json_string_value(thing) ? json_string_value(thing) : "(none)";
}

static void
a_registrys_settings_are_replaced_one_by_one(void **state)
{
	static const struct store_notification other[] = {{"alerts", ""}};
	static const struct store_notification unknown[] = {{"alerts", "x"}, {"nowhere", ""}};
	static const struct store_registry changes[] = {
		{.replace = true, .notifications = other, .n_notifications = 1},
		{.state_topic = "main-topic", .jit = "cn"},
		{.log_level = "DEBUG"},
		{.mqtt = -1},
	};
	static const struct store_registry bad[] = {
		{.log_level = "NONE",
			.replace = true,
			.notifications = unknown,
			.n_notifications = 2},
		{.log_level = "NONE", .state_topic = "nowhere"},
	};
	static const struct store_registry undo = {
		.replace = true, .state_topic = "", .jit = "off", .mqtt = 1};
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	json_t *about;

	for (size_t i = 0; i < N_ELEMENTS(changes); i++)
		assert_ok(store_registry_update(c->store, &place, &changes[i], &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_fault(
			store_registry_update(c->store, &place, &bad[i], &f), &f, FAULT_NOTFOUND);
	assert_ok(store_registry_describe(c->store, &place, &about, &f), &f);
	assert_string_equal(text_of(about, "logLevel"), "DEBUG");
	assert_string_equal(text_of(about, "mqttConfig.mqttEnabledState"), "MQTT_DISABLED");
	assert_string_equal(text_of(about, "jitRegistration"), "cn");
	assert_string_equal(text_of(about, "stateNotificationConfig.pubsubTopicName"),
		"projects/p/topics/main-topic");
	assert_int_equal(json_array_size(json_object_get(about, "eventNotificationConfigs")), 1);
	json_decref(about);
	assert_string_equal(ask(c, "SELECT jit FROM registries"), "cn");
	assert_ok(store_registry_update(c->store, &place, &undo, &f), &f);
	assert_string_equal(
		ask(c, "SELECT coalesce(jit, 'null') || coalesce(state_topic, 'null') || mqtt"
		       " || log_level FROM registries"),
		"nullnull1DEBUG");
	assert_int_equal(count(c, "SELECT count(*) FROM notifications"), 0);
}

static void
a_topic_goes_when_nothing_names_it(void **state)
{
	static const struct store_registry away = {.replace = true};
	static const struct store_registry states = {.state_topic = "alerts"};
	static const struct store_registry none = {.state_topic = ""};
	struct context *c = *state;
	struct fault f = FAULT_INIT;

	assert_ok(store_subscription_create(c->store, "p", "sub", "main-topic", &f), &f);
	assert_fault(store_topic_delete(c->store, "p", "main-topic", &f), &f, FAULT_EXISTS);
	assert_non_null(strstr(f.text, "'sub'"));
	sql(c, "INSERT INTO messages VALUES (1, 1, 1, '{}', ''), (2, 2, 2, '{}', '');"
	       "INSERT INTO deliveries VALUES (1, 1, 1), (1, 2, 2)");
	assert_ok(store_subscription_delete(c->store, "p", "sub", &f), &f);
	assert_fault(store_subscription_delete(c->store, "p", "sub", &f), &f, FAULT_NOTFOUND);
	assert_int_equal(count(c, "SELECT count(*) FROM deliveries"), 0);
	/* Another subscription still holds the second. */
	assert_int_equal(count(c, "SELECT sum(id) FROM messages"), 2);
	assert_fault(store_topic_delete(c->store, "p", "main-topic", &f), &f, FAULT_EXISTS);
	assert_non_null(strstr(f.text, "'reg'"));
	assert_ok(store_registry_update(c->store, &place, &away, &f), &f);
	assert_ok(store_topic_delete(c->store, "p", "main-topic", &f), &f);
	assert_ok(store_registry_update(c->store, &place, &states, &f), &f);
	assert_fault(store_topic_delete(c->store, "p", "alerts", &f), &f, FAULT_EXISTS);
	assert_ok(store_registry_update(c->store, &place, &none, &f), &f);
	assert_ok(store_topic_delete(c->store, "p", "alerts", &f), &f);
	assert_fault(store_topic_delete(c->store, "p", "alerts", &f), &f, FAULT_NOTFOUND);
}

static int
update_config(struct context *c, const char *data, int64_t expected, time_t now, struct fault *f)
{
	json_t *config;

	if (store_config_update(
		    c->store, named("dev"), data, strlen(data), expected, now, &config, f))
		return -1;
	json_decref(config);
	return 0;
}

/* What the broker would send. */
static void
assert_config(struct context *c, int64_t version, const char *data)
{
	struct registry_config config;
	struct fault f = FAULT_INIT;

	assert_ok(registry_config(c->broker, count(c, "SELECT id FROM devices WHERE name = 'dev'"),
			  &config, &f),
		&f);
	assert_int_equal(config.version, version);
	assert_int_equal(config.len, strlen(data));
	if (config.len)
		assert_memory_equal(config.data, data, config.len);
	free(config.data);
}

static void
configs_count_from_one_and_ten_are_kept(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	json_t *list, *config;
	char text[16];

	add(c, "dev", NULL);
	assert_config(c, 1, "");
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_of(json_array_get(list, 0), "version"), "1");
	assert_string_equal(text_of(json_array_get(list, 0), "binaryData"), "");
	assert_string_equal(
		text_of(json_array_get(list, 0), "cloudUpdateTime"), "2027-01-15T08:00:00Z");
	json_decref(list);
	for (int version = 2; version <= 10; version++) {
		snprintf(text, sizeof(text), "v%d", version);
		assert_ok(update_config(c, text, version - 1, NOW + version, &f), &f);
		assert_config(c, version, text);
	}
	assert_ok(store_config_describe(c->store, named("dev"), 1, &config, &f), &f);
	json_decref(config);
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 10);
	assert_string_equal(text_of(json_array_get(list, 0), "version"), "10");
	assert_string_equal(text_of(json_array_get(list, 9), "version"), "1");
	json_decref(list);
	assert_ok(update_config(c, "v11", 0, NOW + 11, &f), &f);
	assert_ok(update_config(c, "v12", 0, NOW + 12, &f), &f);
	assert_int_equal(count(c, "SELECT min(version) * 100 + count(*) FROM configs"), 310);
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 10);
	assert_string_equal(text_of(json_array_get(list, 9), "version"), "3");
	json_decref(list);
	assert_fault(
		store_config_describe(c->store, named("dev"), 1, &config, &f), &f, FAULT_NOTFOUND);
	assert_fault(
		store_config_describe(c->store, named("dev"), 13, &config, &f), &f, FAULT_NOTFOUND);
}

static void
a_config_is_updated_once_a_second_and_in_turn(void **state)
{
	static const struct store_device given = {.config = "first", .config_len = 5};
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	char *large = malloc(RULES_CONFIG_MAX + 2);

	add(c, "dev", &given);
	assert_config(c, 1, "first");
	assert_fault(update_config(c, "x", 2, NOW, &f), &f, FAULT_PRECONDITION);
	assert_ok(update_config(c, "second", 1, NOW, &f), &f);
	assert_fault(update_config(c, "x", 0, NOW, &f), &f, FAULT_PRECONDITION);
	assert_non_null(strstr(f.text, "wait a second"));
	assert_fault(update_config(c, "x", 1, NOW + 1, &f), &f, FAULT_PRECONDITION);
	assert_config(c, 2, "second");
	memset(large, 'x', RULES_CONFIG_MAX + 1);
	large[RULES_CONFIG_MAX + 1] = '\0';
	assert_fault(update_config(c, large, 0, NOW + 1, &f), &f, FAULT_USAGE);
	large[RULES_CONFIG_MAX] = '\0';
	assert_ok(update_config(c, large, 0, NOW + 1, &f), &f);
	assert_config(c, 3, large);
	assert_ok(store_device_delete(c->store, named("dev"), &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM configs"), 0);
	free(large);
}

static int64_t
put(struct context *c, const char *subfolder, const char *data)
{
	const struct store_command command = {
		.subfolder = subfolder, .data = data, .len = strlen(data), .expires = NOW + 10};
	struct fault f = FAULT_INIT;
	int64_t id;

	assert_ok(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f);
	return id;
}

static void
a_command_is_handed_over_and_answered(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct registry_command taken;
	struct store_answer answer;
	int64_t id, second;
	bool there;

	add(c, "dev", NULL);
	id = put(c, "a/b", "do it");
	assert_ok(store_command_look(c->store, id, &answer, &f), &f);
	assert_int_equal(answer.done, 0);
	assert_ok(registry_next_command(c->broker, 0, NOW, &taken, &there, &f), &f);
	assert_true(there);
	assert_string_equal(taken.subfolder, "a/b");
	assert_int_equal(taken.len, 5);
	assert_memory_equal(taken.data, "do it", 5);
	assert_ok(registry_answer_command(c->broker, taken.id, true, "sent to it", &f), &f);
	registry_command_clear(&taken);
	assert_ok(store_command_look(c->store, id, &answer, &f), &f);
	assert_int_equal(answer.done, 1);
	assert_ok(store_command_end(c->store, named("dev"), id, "-", &answer, &f), &f);
	assert_string_equal(answer.outcome, "sent to it");
	second = put(c, "", "");
	assert_int_not_equal(second, id);
	assert_ok(registry_answer_command(c->broker, second, false, "not connected", &f), &f);
	assert_ok(store_command_end(c->store, named("dev"), second, "-", &answer, &f), &f);
	assert_int_equal(answer.done, 2);
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 0);
	assert_string_equal(ask(c, "SELECT group_concat(event || ' ' || detail) FROM audit"
				   " WHERE event LIKE 'command%'"),
		"command sent subfolder=a/b outcome=sent to it,"
		"command not sent subfolder= outcome=not connected");
}

static void
a_command_that_nobody_takes_is_withdrawn(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct registry_command taken;
	struct store_answer answer;
	bool there;
	int64_t id;

	add(c, "dev", NULL);
	id = put(c, "", "x");
	/* The broker does not send what its sender no longer waits for. */
	assert_ok(registry_next_command(c->broker, 0, NOW + 10, &taken, &there, &f), &f);
	assert_false(there);
	assert_ok(store_command_end(c->store, named("dev"), id, "silence", &answer, &f), &f);
	assert_int_equal(answer.done, 0);
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 0);
	assert_string_equal(ask(c, "SELECT detail FROM audit WHERE event = 'command not sent'"),
		"subfolder= outcome=silence");
	id = put(c, "", "x");
	assert_ok(store_device_delete(c->store, named("dev"), &f), &f);
	assert_fault(store_command_look(c->store, id, &answer, &f), &f, FAULT_NOTFOUND);
	/* What a killed sender left goes with the next command. */
	add(c, "dev", NULL);
	put(c, "", "x");
	sql(c, "UPDATE commands SET expires = expires - 1000");
	put(c, "", "y");
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 1);
}

static void
a_commands_subfolder_is_part_of_a_topic(void **state)
{
	static const char *const bad[] = {
		"a+", "#", "a/#", "/a", "a/", "a//b", "a\nb", "a\x7f", "\xff", "\xc3"};
	static const char *const good[] = {"", "a", "a/b/c", "\xc3\xa4", "a b"};
	struct context *c = *state;
	struct store_command command = {.data = "x", .len = 1, .expires = NOW + 10};
	struct fault f = FAULT_INIT;
	char text[RULES_SUBFOLDER_MAX + 2];
	int64_t id;

	add(c, "dev", NULL);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		command.subfolder = bad[i];
		assert_fault(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f,
			FAULT_USAGE);
	}
	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		put(c, good[i], "x");
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	command.subfolder = text;
	assert_fault(
		store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f, FAULT_USAGE);
	text[RULES_SUBFOLDER_MAX] = '\0';
	put(c, text, "x");
	command.subfolder = "";
	command.len = RULES_COMMAND_MAX + 1;
	assert_fault(
		store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f, FAULT_USAGE);
}

/* An object of n pairs, each value len bytes. */
static json_t *
pairs(int n, size_t len)
{
	json_t *metadata = json_object();
	char *value = malloc(len + 1);
	char key[16];

	memset(value, 'v', len);
	value[len] = '\0';
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		json_object_set_new(metadata, key, json_string(value));
	}
	free(value);
	return metadata;
}

static void
assert_metadata(struct context *c, json_t *metadata, bool taken)
{
	const struct store_device_change change = {.metadata = metadata};
	struct fault f = FAULT_INIT;

	if (taken)
		assert_ok(store_device_update(c->store, named("dev"), &change, &f), &f);
	else
		assert_fault(
			store_device_update(c->store, named("dev"), &change, &f), &f, FAULT_USAGE);
	json_decref(metadata);
}

static void
metadata_has_limits(void **state)
{
	struct context *c = *state;
	char key[130];
	json_t *about;

	add(c, "dev", NULL);
	memset(key, 'k', sizeof(key));
	key[129] = '\0';
	assert_metadata(c, json_pack("{s:s}", key, "v"), false);
	key[128] = '\0';
	assert_metadata(c, json_pack("{s:s}", key, "v"), true);
	assert_metadata(c, json_pack("{s:s}", "", "v"), false);
	assert_metadata(c, json_pack("{s:s}", "1a", "v"), false);
	assert_metadata(c, json_pack("{s:s}", "a b", "v"), false);
	assert_metadata(c, json_pack("{s:i}", "a", 1), false);
	assert_metadata(c, pairs(501, 1), false);
	assert_metadata(c, pairs(500, 1), true);
	assert_metadata(c, pairs(1, 32769), false);
	assert_metadata(c, pairs(8, 32764), true);
	assert_metadata(c, pairs(8, 32765), false);
	about = describe(c, "dev");
	assert_int_equal(json_object_size(json_object_get(about, "metadata")), 8);
	assert_int_equal(strlen(text_of(about, "metadata.key7")), 32764);
	json_decref(about);
	assert_metadata(c, json_object(), true);
	assert_string_equal(ask(c, "SELECT typeof(metadata) FROM devices"), "null");
}

static void
a_device_is_changed_in_one_go(void **state)
{
	static const struct store_device gateway = {.gateway = true};
	static const struct store_device_change all = {
		.blocked = 1, .auth_method = "ASSOCIATION_ONLY", .log_level = "DEBUG"};
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	json_t *about;

	add(c, "dev", NULL);
	add(c, "gwy", &gateway);
	assert_fault(store_device_update(c->store, named("dev"), &all, &f), &f, FAULT_USAGE);
	assert_int_equal(count(c, "SELECT count(*) FROM devices WHERE blocked"), 0);
	assert_ok(store_device_update(c->store, named("gwy"), &all, &f), &f);
	about = describe(c, "gwy");
	assert_true(json_is_true(json_object_get(about, "blocked")));
	assert_string_equal(text_of(about, "gatewayConfig.gatewayAuthMethod"), "ASSOCIATION_ONLY");
	assert_string_equal(text_of(about, "logLevel"), "DEBUG");
	json_decref(about);
	assert_ok(store_device_block(c->store, named("gwy"), false, &f), &f);
	assert_string_equal(ask(c, "SELECT group_concat(event) FROM audit WHERE device = 'gwy'"),
		"created,updated,updated,blocked,unblocked");
}

static void
a_description_tells_what_the_broker_saw(void **state)
{
	struct context *c = *state;
	struct registry_admission from = {.client = place};
	struct registry_message message = {.from = &from, .payload = "fine", .len = 4};
	const struct registry_activity seen = {.heartbeat = NOW + 1,
		.event = NOW + 2,
		.config_sent = NOW + 3,
		.config_version = 7,
		.error = NOW + 4,
		.error_text = TEXT("too fast")};
	struct fault f = FAULT_INIT;
	const char *backend;
	json_t *about, *list;

	add(c, "dev", NULL);
	about = describe(c, "dev");
	assert_null(json_object_get(about, "lastEventTime"));
	assert_null(json_object_get(about, "state"));
	assert_string_equal(text_of(about, "config.version"), "1");
	json_decref(about);
	from.device_row = count(c, "SELECT id FROM devices");
	from.registry_row = count(c, "SELECT id FROM registries");
	assert_ok(registry_state(c->broker, &message, NOW, &backend, &f), &f);
	message.payload = "\xff";
	message.len = 1;
	assert_ok(registry_state(c->broker, &message, NOW + 5, &backend, &f), &f);
	assert_ok(registry_keep_activity(c->broker, from.device_row, &seen, &f), &f);
	about = describe(c, "dev");
	assert_string_equal(text_of(about, "lastHeartbeatTime"), "2027-01-15T08:00:01Z");
	assert_string_equal(text_of(about, "lastEventTime"), "2027-01-15T08:00:02Z");
	assert_string_equal(text_of(about, "lastConfigSendTime"), "2027-01-15T08:00:03Z");
	assert_string_equal(text_of(about, "lastConfigSentVersion"), "7");
	assert_string_equal(text_of(about, "lastErrorTime"), "2027-01-15T08:00:04Z");
	assert_string_equal(text_of(about, "lastErrorStatus.message"), "too fast");
	assert_string_equal(text_of(about, "lastStateTime"), "2027-01-15T08:00:05Z");
	assert_string_equal(text_of(about, "state.binaryData"), "/w==");
	json_decref(about);
	assert_ok(store_state_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 1), "binaryData"), "ZmluZQ==");
	json_decref(list);
}

/* The ids of a list, with a blank behind each. */
static void
assert_list(struct context *c, const struct store_filter *filter, const char *wanted)
{
	struct fault f = FAULT_INIT;
	char ids[256] = "";
	json_t *list, *one;
	size_t i;

	assert_ok(store_device_list(c->store, &place, filter, &list, &f), &f);
	json_array_foreach(list, i, one)
	{
		strcat(ids, text_of(one, "id"));
		strcat(ids, " ");
	}
	json_decref(list);
	assert_string_equal(ids, wanted);
}

static void
fill(struct context *c)
{
	static const struct rules_client next = {.project = "p", .region = "r", .registry = "next"};
	static const struct store_device gateway = {.gateway = true};
	static const struct store_device blocked = {.blocked = true};
	static const struct store_device both = {.gateway = true, .blocked = true};
	const struct store_device plain = {.gateway = false};
	struct rules_client at = next;
	struct fault f = FAULT_INIT;

	add(c, "dev1", NULL);
	add(c, "dev3", &blocked);
	add(c, "dev2", NULL);
	add(c, "gw1", &gateway);
	add(c, "gwy", &both);
	add(c, "dev4", NULL);
	assert_ok(store_registry_create(c->store, &next, NULL, 0, NULL, 0, NOW, &f), &f);
	strcpy(at.device, "dev1");
	assert_ok(store_device_create(c->store, &at, &plain, NULL, 0, NOW, &f), &f);
	assert_ok(store_gateway_bind(c->store, &place, "gw1", "dev4", &f), &f);
	assert_ok(store_gateway_bind(c->store, &place, "gw1", "dev3", &f), &f);
	assert_ok(store_gateway_bind(c->store, &place, "gwy", "dev1", &f), &f);
	sql(c, "UPDATE devices SET num_id = id + 5000000000");
}

static void
lists_are_filtered_and_paged(void **state)
{
	struct context *c = *state;
	json_t *ids = json_pack("[s, s, s, s, s]", "dev4", "dev1", "none", "5000000003",
		"5000000007" /* the other registry's */);
	const struct {
		struct store_filter filter;
		const char *wanted;
	} rows[] = {
		{{.limit = 0}, "dev1 dev2 dev3 dev4 gw1 gwy "},
		{{.limit = 2}, "dev1 dev2 "},
		{{.limit = 2, .after = "dev2"}, "dev3 dev4 "},
		{{.after = "gwy"}, ""},
		{{.gateway = 1}, "gw1 gwy "},
		{{.gateway = 1, .after = "gw1"}, "gwy "},
		{{.gateway = -1}, "dev1 dev2 dev3 dev4 "},
		{{.blocked = 1}, "dev3 gwy "},
		{{.blocked = 1, .gateway = 1}, "gwy "},
		{{.blocked = 1, .gateway = -1}, "dev3 "},
		{{.blocked = -1, .gateway = 1}, "gw1 "},
		{{.blocked = -1}, "dev1 dev2 dev4 gw1 "},
		{{.bound = "gw1"}, "dev3 dev4 "},
		{{.bound = "gw1", .blocked = -1}, "dev4 "},
		{{.bound = "gw1", .after = "dev3"}, "dev4 "},
		{{.bound = "dev2"}, ""},
		{{.ids = ids}, "dev1 dev2 dev4 "},
		{{.ids = ids, .after = "dev1", .limit = 1}, "dev2 "},
		{{.ids = ids, .blocked = 1}, ""},
	};

	fill(c);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_list(c, &rows[i].filter, rows[i].wanted);
	json_decref(ids);
}

/* How SQLite would run a statement must name an index, or a table that stays small. */
static void
assert_no_scan(struct context *c, const char *statement)
{
	static const char *const small[] = {"json_each", "CONSTANT", "audit", "commands", "topics",
		"notifications", "registries", "subscriptions", "sqlite_master", "n", "t", "s"};
	char *plan = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement);
	bool by_row = !strstr(statement, "devices WHERE id IN (");
	sqlite3_stmt *q;

	assert_int_equal(sqlite3_prepare_v2(c->db, plan, -1, &q, NULL), SQLITE_OK);
	while (sqlite3_step(q) == SQLITE_ROW) {
		const char *step = (const char *)sqlite3_column_text(q, 3);
		bool fine = strncmp(step, "SCAN ", 5) != 0;

		for (size_t i = 0; !fine && i < N_ELEMENTS(small); i++)
			fine = strcspn(step + 5, " ") == strlen(small[i]) &&
			       strncmp(step + 5, small[i], strlen(small[i])) == 0;
		if (!fine)
			fail_msg("%s: %s", statement, step);
		by_row = by_row || strstr(step, "devices USING INTEGER PRIMARY KEY");
	}
	/* A walk through one registry's part of an index is a walk all the same. */
	if (!by_row)
		fail_msg("%s: does not look devices up one by one", statement);
	sqlite3_finalize(q);
	sqlite3_free(plan);
}

static void
no_query_walks_through_the_devices(void **state)
{
	static const struct store_filter filters[] = {
		{.limit = 1}, {.gateway = 1}, {.blocked = 1}, {.bound = "gw1"}};
	struct context *c = *state;
	json_t *ids = json_pack("[s, s]", "dev4", "5000000003");
	const struct store_filter some = {.ids = ids};
	struct fault f = FAULT_INIT;
	int n = 0;
	json_t *list;

	fill(c);
	for (size_t i = 0; i < N_ELEMENTS(filters); i++) {
		assert_ok(store_device_list(c->store, &place, &filters[i], &list, &f), &f);
		json_decref(list);
	}
	assert_ok(store_device_list(c->store, &place, &some, &list, &f), &f);
	json_decref(list);
	json_decref(ids);
	json_decref(describe(c, "dev1"));
	json_decref(describe(c, "5000000003"));
	assert_ok(store_gateway_list(c->store, &place, "gw1", &list, &f), &f);
	json_decref(list);
	assert_ok(store_log_list(c->store, named("dev1"), 10, 0, &list, &f), &f);
	json_decref(list);
	assert_ok(store_device_block(c->store, named("dev1"), true, &f), &f);
	assert_ok(store_device_delete(c->store, named("dev1"), &f), &f);
	for (; n < DB_STATEMENTS_MAX && c->store->statements[n].sql; n++) {
		if (strncmp(c->store->statements[n].sql, "PRAGMA", 6) != 0)
			assert_no_scan(c, c->store->statements[n].sql);
	}
	assert_in_range(n, 20, DB_STATEMENTS_MAX - 1);
	/* And the filters do use what was made for them. */
	assert_true(count(c, "SELECT count(*) FROM sqlite_master WHERE name IN"
			     " ('devices_gateways', 'devices_blocked')") == 2);
}

static void
the_audit_tells_who_was_changed(void **state)
{
	struct context *c = *state;
	struct rules_client project = {.project = "p"};
	struct fault f = FAULT_INIT;
	json_t *list;

	fill(c);
	assert_ok(store_device_delete(c->store, named("dev2"), &f), &f);
	assert_ok(store_log_list(c->store, named("dev2"), 10, 0, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "created");
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "deleted");
	json_decref(list);
	assert_ok(store_log_list(c->store, named("5000000006"), 10, 0, &list, &f), &f);
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "bound");
	assert_string_equal(text_of(json_array_get(list, 1), "device"), "dev4");
	assert_string_equal(text_of(json_array_get(list, 1), "detail"), "gateway=gw1");
	json_decref(list);
	/* The newest, the oldest of these first. */
	assert_ok(store_log_list(c->store, &place, 2, 0, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "bound");
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "deleted");
	json_decref(list);
	assert_ok(store_log_list(c->store, &project, 1000, 0, &list, &f), &f);
	assert_int_equal(json_array_size(list), 13);
	json_decref(list);
	assert_ok(store_log_list(c->store, &place, 1000, 0, &list, &f), &f);
	assert_int_equal(json_array_size(list), 11);
	json_decref(list);
	sql(c, "UPDATE audit SET time = 100 WHERE id < 5");
	assert_ok(store_log_list(c->store, &project, 1000, 101, &list, &f), &f);
	assert_int_equal(json_array_size(list), 9);
	json_decref(list);
	strcpy(project.project, "q");
	assert_ok(store_log_list(c->store, &project, 1000, 0, &list, &f), &f);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

static void
a_file_of_the_first_version_is_brought_up_to_date(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	json_t *about, *list;
	sqlite3 *old;
	char *error = NULL;

	assert_int_equal(sqlite3_open(c->path, &old), SQLITE_OK);
	if (sqlite3_exec(old, schema_1, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(old);
	open_all(c);
	assert_int_equal(count(c, "PRAGMA user_version"), 2);
	assert_string_equal(ask(c, "PRAGMA integrity_check"), "ok");
	assert_string_equal(ask(c, "PRAGMA foreign_key_check"), "");
	assert_string_equal(
		ask(c, "SELECT (SELECT count(*) FROM registries) || (SELECT count(*) FROM"
		       " registry_cas) || (SELECT count(*) FROM devices) || (SELECT count(*)"
		       " FROM credentials) || (SELECT count(*) FROM bindings) || (SELECT"
		       " count(*) FROM states) || (SELECT count(*) FROM messages) || (SELECT"
		       " count(*) FROM deliveries) || (SELECT count(*) FROM subscriptions)"),
		"112112111");
	assert_string_equal(ask(c, "SELECT log_level || mqtt FROM registries"), "INFO1");
	about = describe(c, "dev");
	assert_string_equal(text_of(about, "numId"), "4000000001");
	assert_string_equal(text_of(about, "config.version"), "1");
	assert_string_equal(text_of(about, "state.binaryData"), "c2Vjb25k");
	assert_int_equal(json_object_size(json_object_get(about, "metadata")), 0);
	json_decref(about);
	assert_ok(update_config(c, "new", 1, NOW, &f), &f);
	assert_config(c, 2, "new");
	assert_list(c, &(struct store_filter){.gateway = 1}, "gwy ");
	assert_ok(store_device_block(c->store, named("dev"), true, &f), &f);
	assert_list(c, &(struct store_filter){.blocked = 1}, "dev ");
	assert_int_equal(count(c, "SELECT count(*) FROM changes"), 2);
	assert_ok(store_pull(c->store, "p", "sub", 10, &list, &f), &f);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	assert_ok(store_subscription_delete(c->store, "p", "sub", &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM messages"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registrys_settings_are_replaced_one_by_one),
		TEST(a_topic_goes_when_nothing_names_it),
		TEST(configs_count_from_one_and_ten_are_kept),
		TEST(a_config_is_updated_once_a_second_and_in_turn),
		TEST(a_command_is_handed_over_and_answered),
		TEST(a_command_that_nobody_takes_is_withdrawn),
		TEST(a_commands_subfolder_is_part_of_a_topic),
		TEST(metadata_has_limits),
		TEST(a_device_is_changed_in_one_go),
		TEST(a_description_tells_what_the_broker_saw),
		TEST(lists_are_filtered_and_paged),
		TEST(no_query_walks_through_the_devices),
		TEST(the_audit_tells_who_was_changed),
		cmocka_unit_test_setup_teardown(a_file_of_the_first_version_is_brought_up_to_date,
			set_up_folder, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
