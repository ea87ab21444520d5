/* The operator's side of the registry: registries, topics and devices. */
#include "config.h"

#include "unit.h"

#include "soft-store.h"

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
	       "INSERT INTO deliveries (subscription, number, message) VALUES (1, 1, 1), (1, 2, "
	       "2)");
	assert_ok(store_subscription_delete(c->store, "p", "sub", NULL, NULL, &f), &f);
	assert_fault(store_subscription_delete(c->store, "p", "sub", NULL, NULL, &f), &f,
		FAULT_NOTFOUND);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_registrys_settings_are_replaced_one_by_one),
		TEST(a_topic_goes_when_nothing_names_it),
		TEST(metadata_has_limits),
		TEST(a_device_is_changed_in_one_go),
		TEST(a_description_tells_what_the_broker_saw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
