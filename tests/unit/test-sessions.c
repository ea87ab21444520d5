#include "config.h"

#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "base/auto.h"
#include "plugin/attributes.h"
#include "plugin/sessions.h"
#include "plugin/version.h"

#define N_MANY 5000

/* What a broker's connections are to sessions.c: addresses. */
static char connections[N_MANY];

static void
put(struct sessions *sessions, const void *client, const char *id, time_t until)
{
	struct registry_admission admission = {.device_row = 7, .until = until};
	struct session *session;
	struct fault f = FAULT_INIT;

	snprintf(admission.client.device, sizeof(admission.client.device), "%s", id);
	assert_ok(sessions_put(sessions, client, id, &admission, &session, &f), &f);
	assert_ptr_equal(session, sessions_find(sessions, client));
}

static struct device *
attach(struct sessions *sessions, const void *client, const char *id, int64_t row, time_t until)
{
	struct registry_admission admission = {.device_row = row, .until = until};
	struct device *device;
	struct fault f = FAULT_INIT;

	snprintf(admission.client.device, sizeof(admission.client.device), "%s", id);
	assert_ok(
		sessions_attach(sessions, sessions_find(sessions, client), &admission, &device, &f),
		&f);
	return device;
}

static struct device *
expired(struct sessions *sessions, time_t now)
{
	return roster_expired(sessions_roster(sessions), now);
}

static struct sessions *
fresh(void)
{
	struct sessions *sessions = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(sessions_new(&sessions, &f), &f);
	return sessions;
}

static void
a_connection_is_found_until_it_is_removed(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	assert_null(sessions_find(s, &connections[0]));
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "b", 10);
	assert_string_equal(sessions_find(s, &connections[0])->client_id, "a");
	assert_string_equal(sessions_find(s, &connections[1])->client_id, "b");
	sessions_remove(s, &connections[0]);
	sessions_remove(s, &connections[0]);
	assert_null(sessions_find(s, &connections[0]));
	assert_int_equal(sessions_count(s), 1);
}

static void
a_connection_let_in_again_has_one_session(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	put(s, &connections[0], "a", 10);
	sessions_end(s, sessions_find(s, &connections[0]));
	put(s, &connections[0], "a", 20);
	assert_int_equal(sessions_count(s), 1);
	assert_int_equal(sessions_find(s, &connections[0])->self.admission.until, 20);
	assert_null(expired(s, 19));
	assert_null(sessions_take_ended(s));
}

/* A takeover: the new connection is let in before the old one is gone. */
static void
only_the_newest_of_a_client_id_is_the_newest(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "a", 10);
	for (int i = 2; i < 1000; i++) {
		char id[16];

		snprintf(id, sizeof(id), "other%d", i);
		put(s, &connections[i], id, 10);
	}
	assert_false(sessions_is_newest(s, sessions_find(s, &connections[0])));
	assert_true(sessions_is_newest(s, sessions_find(s, &connections[1])));
	sessions_remove(s, &connections[1]);
	assert_true(sessions_is_newest(s, sessions_find(s, &connections[0])));
}

static void
sessions_expire_in_the_order_of_their_times(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	unsigned random = 1;
	time_t last = 0;
	int n = 0;

	(void)state;
	for (int i = 0; i < N_MANY; i++) {
		char id[16];

		random = random * 1103515245 + 12345;
		snprintf(id, sizeof(id), "d%d", i);
		put(s, &connections[i], id, 1 + (random >> 16) % 1000);
	}
	for (int i = 0; i < N_MANY; i += 3)
		sessions_remove(s, &connections[i]);
	assert_null(expired(s, 0));
	for (struct device *next; (next = expired(s, 2000)); n++) {
		struct session *session = next->session;

		assert_true(next->admission.until >= last);
		assert_ptr_equal(sessions_find(s, session->client), session);
		last = next->admission.until;
		assert_non_null(expired(s, last));
		if (last > 1 && n == 0)
			assert_null(expired(s, last - 1));
		if (n % 2)
			sessions_end(s, session);
		else
			sessions_remove(s, session->client);
	}
	assert_int_equal(n, N_MANY - (N_MANY + 2) / 3);
}

static void
a_change_makes_every_device_stale_once(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct roster *devices = sessions_roster(s);
	struct device *first, *second, *third;

	(void)state;
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "b", 10);
	first = &sessions_find(s, &connections[0])->self;
	second = attach(s, &connections[0], "child", 8, 0);
	third = &sessions_find(s, &connections[1])->self;
	assert_null(roster_stale(devices));
	roster_make_stale(devices);
	put(s, &connections[2], "c", 10);
	assert_true(roster_is_stale(devices, first));
	assert_true(roster_is_stale(devices, second));
	assert_true(roster_is_stale(devices, third));
	assert_false(roster_is_stale(devices, &sessions_find(s, &connections[2])->self));
	roster_fresh(devices, first);
	assert_false(roster_is_stale(devices, first));
	sessions_end(s, third->session);
	assert_ptr_equal(roster_stale(devices), second);
	roster_fresh(devices, second);
	assert_null(roster_stale(devices));
	roster_make_stale(devices);
	assert_true(roster_is_stale(devices, first));
}

static void
devices_are_found_by_their_row_wherever_they_are(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct roster *devices = sessions_roster(s);
	struct device *child, *found;

	(void)state;
	put(s, &connections[0], "gw", 10);
	put(s, &connections[1], "other", 10);
	child = attach(s, &connections[0], "child", 8, 0);
	assert_ptr_equal(roster_of(devices, 8, NULL), child);
	assert_null(roster_of(devices, 8, child));
	assert_null(roster_of(devices, 9, NULL));
	found = roster_of(devices, 7, NULL);
	assert_non_null(found);
	found = roster_of(devices, 7, found);
	assert_non_null(found);
	assert_null(roster_of(devices, 7, found));
	sessions_detach(s, child);
	assert_null(roster_of(devices, 8, NULL));
}

static void
attached_devices_go_with_their_gateway(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct session *gateway;
	char id[16];

	(void)state;
	put(s, &connections[0], "gw", 2000);
	gateway = sessions_find(s, &connections[0]);
	assert_null(session_any_attached(gateway));
	for (int i = 0; i < 1000; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		attach(s, &connections[0], id, 100 + i, 1 + i);
	}
	assert_int_equal(session_attached(gateway), 1000);
	assert_int_equal(session_device(gateway, "d77")->admission.device_row, 177);
	assert_ptr_equal(session_device(gateway, "gw"), &gateway->self);
	assert_null(session_device(gateway, "d1000"));
	assert_int_equal(expired(s, 5)->admission.device_row, 100);
	sessions_end(s, gateway);
	assert_int_equal(session_attached(gateway), 0);
	assert_null(expired(s, 5000));
	assert_null(roster_of(sessions_roster(s), 177, NULL));
}

/* A device may attach again with a token, or without one, at any time. */
static void
a_new_admission_moves_the_end(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct roster *devices = sessions_roster(s);
	struct registry_admission admission = {0};
	struct device *many[500];
	char id[16];

	(void)state;
	put(s, &connections[0], "gw", 2000);
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "d%d", i);
		many[i] = attach(s, &connections[0], id, 100 + i, 0);
	}
	assert_null(expired(s, 1999));
	for (int i = 0; i < 500; i++) {
		admission = many[i]->admission;
		admission.until = 1000 - i;
		roster_renew(devices, many[i], &admission);
	}
	assert_ptr_equal(expired(s, 1999), many[499]);
	admission = many[499]->admission;
	admission.until = 0;
	roster_renew(devices, many[499], &admission);
	assert_ptr_equal(expired(s, 1999), many[498]);
}

static void
what_is_not_heard_of_is_idle(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();

	(void)state;
	put(s, &connections[0], "a", 10);
	put(s, &connections[1], "b", 10);
	put(s, &connections[2], "watched by the broker", 10);
	assert_null(sessions_idle(s, 1000));
	sessions_hear(s, sessions_find(s, &connections[0]), 100);
	sessions_hear(s, sessions_find(s, &connections[1]), 200);
	sessions_hear(s, sessions_find(s, &connections[0]), 300);
	assert_null(sessions_idle(s, 199));
	assert_ptr_equal(sessions_idle(s, 200), sessions_find(s, &connections[1]));
	sessions_end(s, sessions_find(s, &connections[1]));
	assert_null(sessions_idle(s, 299));
	assert_ptr_equal(sessions_idle(s, 300), sessions_find(s, &connections[0]));
}

static void
what_is_noted_is_taken_once(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct roster *devices = sessions_roster(s);
	struct device *device;

	(void)state;
	put(s, &connections[0], "a", 10);
	device = &sessions_find(s, &connections[0])->self;
	assert_null(roster_take_noted(devices));
	roster_note(devices, device);
	roster_note(devices, device);
	assert_true(roster_is_noted(device));
	assert_ptr_equal(roster_take_noted(devices), device);
	assert_null(roster_take_noted(devices));
	roster_note(devices, device);
	sessions_remove(s, &connections[0]);
	assert_false(roster_any_noted(devices));
}

static void
the_broker_s_version_is_read(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		long version;
	} rows[] = {
#define ROW(text, version) {text, sizeof(text) - 1, version}
		ROW("mosquitto version %s\0"
		    "2.0.11\0x",
			2000011),
		ROW("\0"
		    "2.0.21\0\0"
		    "2.0.21\0",
			2000021),
		ROW("\0"
		    "2.1.0\0",
			2001000),
		ROW("\0"
		    "2.0.11\0"
		    "2.0.15\0",
			0),
		ROW("\0"
		    "2.0.11",
			0),
		ROW("version 2.0.11\0", 0),
		ROW("\0"
		    "2.0\0"
		    "2.0.x\0"
		    "2..1\0"
		    "2.0.1111\0",
			0),
		ROW("\0"
		    "2.",
			0),
		ROW("\0", 0),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(version_find(rows[i].bytes, rows[i].len), rows[i].version);
}

static void
an_ended_session_waits_once_to_be_closed(void **state)
{
	AUTO(auto_sessions) struct sessions *s = fresh();
	struct session *first;

	(void)state;
	for (int i = 0; i < 3; i++)
		put(s, &connections[i], "a", 10);
	first = sessions_find(s, &connections[0]);
	assert_null(sessions_take_ended(s));
	sessions_end(s, first);
	sessions_end(s, first);
	sessions_end(s, sessions_find(s, &connections[1]));
	sessions_remove(s, &connections[1]);
	assert_ptr_equal(sessions_take_ended(s), first);
	assert_null(sessions_take_ended(s));
	assert_true(sessions_find(s, &connections[0])->ended);
	sessions_remove(s, &connections[0]);
	assert_int_equal(sessions_count(s), 1);
}

/* assert_attributes(COPY, NAME, VALUE, ..., NULL): these and no other; frees the copy */
static void
assert_attributes(mosquitto_property *copy, ...)
{
	const mosquitto_property *at = NULL;
	const char *name;
	va_list pairs;

	va_start(pairs, copy);
	while ((name = va_arg(pairs, const char *))) {
		char *found_name = NULL, *found_value = NULL;

		at = mosquitto_property_read_string_pair(at ? at : copy, MQTT_PROP_USER_PROPERTY,
			&found_name, &found_value, at != NULL);
		assert_non_null(at);
		assert_string_equal(found_name, name);
		assert_string_equal(found_value, va_arg(pairs, const char *));
		free(found_name);
		free(found_value);
	}
	va_end(pairs);
	assert_null(mosquitto_property_next(at));
	mosquitto_property_free_all(&copy);
}

static mosquitto_property *
copy_of(struct attributes **kept, const struct registry_message *about)
{
	mosquitto_property *copy = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(attributes_copy(kept, about, &copy, &f), &f);
	return copy;
}

/* Each message has its own subfolder, though what was made for the last one is kept. */
static void
attributes_are_each_messages_own(void **state)
{
	struct registry_admission from = {.device_id = "dev",
		.device_num_id = "17",
		.client = {.project = "p", .region = "r", .registry = "reg"}};
	struct registry_message about = {.from = &from, .subfolder = "a"};
	AUTO(auto_sessions) struct sessions *sessions = fresh();
	struct device *device;

	(void)state;
	put(sessions, &connections[0], "gw", 100);
	device = attach(sessions, &connections[0], "dev", 3, 0);
	for (int i = 0; i < 2; i++) {
		about.subfolder = "a/b";
		about.gateway = NULL;
		assert_attributes(copy_of(&device->attributes, &about), "deviceId", "dev",
			"deviceNumId", "17", "deviceRegistryId", "reg", "deviceRegistryLocation",
			"r", "projectId", "p", "subFolder", "a/b", NULL);
		about.subfolder = "";
		about.gateway = "gw";
		for (int again = 0; again < 2; again++)
			assert_attributes(copy_of(&device->attributes, &about), "deviceId", "dev",
				"deviceNumId", "17", "deviceRegistryId", "reg",
				"deviceRegistryLocation", "r", "projectId", "p", "subFolder", "",
				"gatewayId", "gw", NULL);
	}
}

/* Messages that a connection may still send, at 10 in a second. */
static int
left_of(struct session *session)
{
	int n = 0;

	while (limits_take(&session->self.allowance.messages, session_rate(session, 10), 1, 1000))
		n++;
	return n;
}

static void
a_new_connection_has_no_new_allowance(void **state)
{
	AUTO(auto_sessions) struct sessions *sessions = fresh();

	(void)state;
	put(sessions, &connections[0], "dev", 100);
	assert_int_equal(left_of(sessions_find(sessions, &connections[0])), 50);
	/* Neither beside the old connection nor after it. */
	put(sessions, &connections[1], "dev", 100);
	assert_int_equal(left_of(sessions_find(sessions, &connections[1])), 0);
	sessions_remove(sessions, &connections[0]);
	sessions_end(sessions, sessions_find(sessions, &connections[1]));
	put(sessions, &connections[2], "dev", 100);
	assert_int_equal(left_of(sessions_find(sessions, &connections[2])), 0);
	sessions_remove(sessions, &connections[1]);
	sessions_remove(sessions, &connections[2]);
	put(sessions, &connections[3], "dev", 100);
	assert_int_equal(left_of(sessions_find(sessions, &connections[3])), 0);
}

static void
an_attached_device_adds_to_its_gateway_s_allowance(void **state)
{
	AUTO(auto_sessions) struct sessions *sessions = fresh();
	struct session *session;

	(void)state;
	put(sessions, &connections[0], "gw", 100);
	session = sessions_find(sessions, &connections[0]);
	attach(sessions, &connections[0], "one", 1, 0);
	attach(sessions, &connections[0], "two", 2, 0);
	assert_int_equal(session_rate(session, 10), 30);
	assert_int_equal(session_rate(session, 0), 0);
	assert_int_equal(left_of(session), 150);
	sessions_detach(sessions, session_device(session, "two"));
	assert_int_equal(left_of(session), 0);
	attach(sessions, &connections[0], "two", 2, 0);
	assert_int_equal(left_of(session), 0);
}

static void
allowances_of_those_that_went_last_are_kept(void **state)
{
	const struct allowance used = {.states = {.used_ns = 5, .at_ms = 7}};
	AUTO(auto_allowances) struct allowances *allowances = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(allowances_new(&allowances, &f), &f);
	for (int64_t row = 1; row <= ALLOWANCES_MAX + 2; row++)
		allowances_keep(allowances, row, &used);
	/* One that has used nothing takes nobody's place. */
	allowances_keep(allowances, 100000, &(struct allowance){.states = {.at_ms = 8}});
	assert_int_equal(allowances_take(allowances, 2).states.used_ns, 0);
	assert_int_equal(allowances_take(allowances, 3).states.used_ns, 5);
	assert_int_equal(allowances_take(allowances, 3).states.used_ns, 0);
	assert_int_equal(allowances_take(allowances, ALLOWANCES_MAX + 2).states.at_ms, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attributes_are_each_messages_own),
		cmocka_unit_test(a_connection_is_found_until_it_is_removed),
		cmocka_unit_test(a_connection_let_in_again_has_one_session),
		cmocka_unit_test(only_the_newest_of_a_client_id_is_the_newest),
		cmocka_unit_test(sessions_expire_in_the_order_of_their_times),
		cmocka_unit_test(a_change_makes_every_device_stale_once),
		cmocka_unit_test(devices_are_found_by_their_row_wherever_they_are),
		cmocka_unit_test(attached_devices_go_with_their_gateway),
		cmocka_unit_test(a_new_admission_moves_the_end),
		cmocka_unit_test(what_is_not_heard_of_is_idle),
		cmocka_unit_test(what_is_noted_is_taken_once),
		cmocka_unit_test(the_broker_s_version_is_read),
		cmocka_unit_test(an_ended_session_waits_once_to_be_closed),
		cmocka_unit_test(a_new_connection_has_no_new_allowance),
		cmocka_unit_test(an_attached_device_adds_to_its_gateway_s_allowance),
		cmocka_unit_test(allowances_of_those_that_went_last_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
