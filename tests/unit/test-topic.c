#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "registry/attach.h"
#include "registry/limits.h"
#include "registry/topic.h"

static void
topics_are_taken_apart(void **state)
{
	static const struct {
		const char *topic;
		enum topic_kind kind;
		const char *device;
		const char *subfolder;
	} rows[] = {
		{"/devices/dev/events", TOPIC_EVENTS, "dev", ""},
		{"/devices/dev/events/a/b", TOPIC_EVENTS, "dev", "a/b"},
		{"/devices/dev/state", TOPIC_STATE, "dev", ""},
		{"/devices/dev/config", TOPIC_CONFIG, "dev", ""},
		{"/devices/dev/commands/#", TOPIC_COMMANDS, "dev", "#"},
		{"/devices/dev/commands", TOPIC_COMMANDS, "dev", ""},
		{"/devices/dev/errors", TOPIC_ERRORS, "dev", ""},
		{"/devices/dev/attach", TOPIC_ATTACH, "dev", ""},
		{"/devices/dev/detach", TOPIC_DETACH, "dev", ""},
		{"/devices/2582332477650079/events", TOPIC_EVENTS, "2582332477650079", ""},
		{"/devices/02582332477650079/events", TOPIC_OTHER, "", ""},
		{"/devices/12345678901234567890/events", TOPIC_OTHER, "", ""},
		{"/devices/dev/state/x", TOPIC_OTHER, "", ""},
		{"/devices/dev/attach/x", TOPIC_OTHER, "", ""},
		{"/devices/dev/eventsx", TOPIC_OTHER, "", ""},
		{"/devices/dev/events/", TOPIC_OTHER, "", ""},
		{"/devices/dev/", TOPIC_OTHER, "", ""},
		{"/devices/dev", TOPIC_OTHER, "", ""},
		{"/devices//events", TOPIC_OTHER, "", ""},
		{"/devices/+/events", TOPIC_OTHER, "", ""},
		{"devices/dev/events", TOPIC_OTHER, "", ""},
		{"$share/g/devices/dev/config", TOPIC_OTHER, "", ""},
		{"#", TOPIC_OTHER, "", ""},
		{"", TOPIC_OTHER, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct topic topic;

		topic_parse(rows[i].topic, &topic);
		if (topic.kind != rows[i].kind)
			fail_msg("'%s'", rows[i].topic);
		assert_string_equal(topic.device, rows[i].device);
		assert_string_equal(topic.subfolder, rows[i].subfolder);
	}
}

static void
an_id_too_long_is_no_topic(void **state)
{
	char text[RULES_ID_MAX + 64];
	struct topic topic;

	(void)state;
	for (int len = RULES_ID_MAX; len <= RULES_ID_MAX + 1; len++) {
		snprintf(text, sizeof(text), "/devices/%0*d/state", len, 0);
		memset(text + 9, 'x', (size_t)len);
		topic_parse(text, &topic);
		assert_int_equal(topic.kind, len > RULES_ID_MAX ? TOPIC_OTHER : TOPIC_STATE);
		assert_int_equal(strlen(topic.device), len > RULES_ID_MAX ? 0 : len);
	}
}

static void
an_invalid_device_id_is_told_from_other_topics(void **state)
{
	static const struct {
		const char *topic;
		enum topic_kind kind; /* TOPIC_OTHER: not such a topic */
		const char *device;
	} rows[] = {
		{"/devices/a b/attach", TOPIC_ATTACH, "a b"},
		{"/devices/ab/attach", TOPIC_ATTACH, "ab"},
		{"/devices//attach", TOPIC_ATTACH, ""},
		{"/devices/goog1/detach", TOPIC_DETACH, "goog1"},
		{"/devices/1dev/events", TOPIC_EVENTS, "1dev"},
		{"/devices/1dev/events/attach", TOPIC_EVENTS, "1dev"},
		{"/devices/caf\xc3\xa9/state", TOPIC_STATE, "caf\xc3\xa9"},
		{"/devices/02582332477650079/attach", TOPIC_ATTACH, "02582332477650079"},
		{"/devices/room/1/attach", TOPIC_ATTACH, "room/1"},
		{"/devices/room/1/detach", TOPIC_DETACH, "room/1"},
		{"/devices/dev/attach", TOPIC_OTHER, ""},
		{"/devices/dev/events/attach", TOPIC_OTHER, ""},
		{"/devices/room/1/events", TOPIC_OTHER, ""},
		{"/devices/a b/config", TOPIC_OTHER, ""},
		{"/devices/a b/commands", TOPIC_OTHER, ""},
		{"/devices/a b/attachx", TOPIC_OTHER, ""},
		{"/devices/a b/attach/", TOPIC_OTHER, ""},
		{"/devices/a b", TOPIC_OTHER, ""},
		{"/devices/attach", TOPIC_OTHER, ""},
		{"devices/a b/attach", TOPIC_OTHER, ""},
		{"/a b/attach", TOPIC_OTHER, ""},
		{"", TOPIC_OTHER, ""},
	};
	char text[2 * RULES_ID_MAX];
	struct topic topic;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (topic_parse_invalid_device(rows[i].topic, &topic) !=
			(rows[i].kind != TOPIC_OTHER))
			fail_msg("'%s'", rows[i].topic);
		assert_int_equal(topic.kind, rows[i].kind);
		assert_string_equal(topic.device, rows[i].device);
	}
	/* A long one is cut between two characters. */
	strcpy(text, "/devices/x");
	for (int i = 0; i < 200; i++)
		strcat(text, "\xc3\xa9");
	strcat(text, "/attach");
	assert_true(topic_parse_invalid_device(text, &topic));
	assert_int_equal(topic.kind, TOPIC_ATTACH);
	assert_int_equal(strlen(topic.device), 255);
}

static int
check(const char *text, size_t len, int qos, struct fault *f)
{
	struct topic topic;

	topic_parse(text, &topic);
	return topic_check_publish(&topic, text, len, 1000, qos, f);
}

static void
what_may_be_published_is_checked(void **state)
{
	static const struct {
		const char *topic;
		size_t len;
		int qos;
		enum fault_code code;
	} rows[] = {
		{"/devices/dev/events", 1000, 1, FAULT_NONE},
		{"/devices/dev/events", 1001, 1, FAULT_USAGE},
		{"/devices/dev/events/a/b.c", 0, 0, FAULT_NONE},
		{"/devices/dev/events/a//b", 1, 0, FAULT_AUTH},
		{"/devices/dev/events/a/", 1, 0, FAULT_AUTH},
		{"/devices/dev/events/#", 1, 0, FAULT_AUTH},
		{"/devices/dev/events/a b", 1, 0, FAULT_AUTH},
		{"/devices/dev/events", 1, 2, FAULT_AUTH},
		{"/devices/dev/state", 1000, 1, FAULT_NONE},
		{"/devices/dev/state", 1001, 1, FAULT_USAGE},
		{"/devices/dev/attach", 1, 1, FAULT_NONE},
		{"/devices/dev/detach", 1, 1, FAULT_NONE},
		{"/devices/dev/config", 1, 1, FAULT_AUTH},
		{"/devices/dev/errors", 1, 1, FAULT_AUTH},
		{"/devices/dev/commands", 1, 1, FAULT_AUTH},
		{"$SYS/x", 1, 1, FAULT_AUTH},
	};
	char topic[1100];
	struct fault f;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		f = (struct fault)FAULT_INIT;
		check(rows[i].topic, rows[i].len, rows[i].qos, &f);
		if (f.code != rows[i].code)
			fail_msg("'%s': %s", rows[i].topic, f.text);
	}
	for (int len = RULES_SUBFOLDER_MAX; len <= RULES_SUBFOLDER_MAX + 1; len++) {
		snprintf(topic, sizeof(topic), "/devices/dev/events/%0*d", len, 7);
		assert_int_equal(check(topic, 1, 1, NULL), len > RULES_SUBFOLDER_MAX ? -1 : 0);
	}
}

static void
filters_are_few(void **state)
{
	static const struct {
		const char *filter;
		bool is;
	} rows[] = {
		{"/devices/dev/config", true},
		{"/devices/dev/errors", true},
		{"/devices/dev/commands/#", true},
		{"/devices/dev/commands", false},
		{"/devices/dev/commands/a", false},
		{"/devices/dev/commands/+", false},
		{"/devices/dev/commands/a/#", false},
		{"/devices/dev/events", false},
		{"/devices/dev/state", false},
		{"/devices/dev/attach", false},
		{"/devices/+/config", false},
		{"/devices/dev/#", false},
		{"#", false},
		{"$share/x/devices/dev/config", false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct topic topic;

		topic_parse(rows[i].filter, &topic);
		if (topic_is_filter(&topic) != rows[i].is)
			fail_msg("'%s'", rows[i].filter);
	}
}

static void
an_attach_is_read(void **state)
{
	static const struct {
		const char *body;
		const char *token; /* NULL: refused */
	} rows[] = {
		{"", ""},
		{"{}", ""},
		{"{\"authorization\":\"\"}", ""},
		{" {\"authorization\" : \"a.b.c\", \"more\": [1]} ", "a.b.c"},
		{"{\"authorization\":1}", NULL},
		{"{\"authorization\":null}", NULL},
		{"{\"authorization\":\"a\",\"authorization\":\"b\"}", NULL},
		{"{\"authorization\":\"a\\u0000b\"}", NULL},
		{"{\"authorization\":\"a\"}x", NULL},
		{"{\"authorization\":\"a\"", NULL},
		{"[]", NULL},
		{"\"a.b.c\"", NULL},
		{"a.b.c", NULL},
	};
	static char large[20000];
	struct fault f = FAULT_INIT;
	char *none = NULL;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_secret) char *token = NULL;

		if (attach_parse(rows[i].body, strlen(rows[i].body), &token, &f)) {
			assert_int_equal(f.code, FAULT_AUTH);
			if (rows[i].token)
				fail_msg("'%s': %s", rows[i].body, f.text);
			continue;
		}
		if (!rows[i].token)
			fail_msg("'%s' is taken", rows[i].body);
		assert_string_equal(token, rows[i].token);
	}
	memset(large, ' ', sizeof(large));
	large[0] = '{';
	large[sizeof(large) - 1] = '}';
	assert_int_equal(attach_parse(large, sizeof(large), &none, &f), -1);
	assert_null(none);
}

static void
a_rate_is_an_average(void **state)
{
	struct limits_bucket bucket = {0};
	int64_t now = 1000;
	int n = 0;

	(void)state;
	assert_true(limits_take(&bucket, 0, 1000000, now));
	while (limits_take(&bucket, 10, 1, now))
		n++;
	assert_int_equal(n, 10 * LIMITS_WINDOW_S);
	assert_false(limits_take(&bucket, 10, 1, now + 99));
	assert_true(limits_take(&bucket, 10, 1, now + 100));
	assert_false(limits_take(&bucket, 10, 1, now + 100));
	for (n = 0, now += 1100; limits_take(&bucket, 10, 1, now);)
		n++;
	assert_int_equal(n, 10);
	/* After any pause there is one window's worth, and no more at the same moment. */
	for (n = 0, now = INT64_MAX / 2; limits_take(&bucket, 10, 1, now);)
		n++;
	assert_int_equal(n, 10 * LIMITS_WINDOW_S);
}

static void
what_is_larger_than_the_bucket_passes_when_it_is_full(void **state)
{
	struct limits_bucket bucket = {0};

	(void)state;
	assert_true(limits_take(&bucket, 100, 100000, 0));
	assert_false(limits_take(&bucket, 100, 1, 4999));
	/* The average counts: so much has to flow back before anything more passes. */
	assert_false(limits_take(&bucket, 100, 1, 5000));
}

static void
another_rate_leaves_the_bucket_as_full_as_it_was(void **state)
{
	struct limits_bucket bucket = {0};
	int n = 0;

	(void)state;
	while (limits_take(&bucket, 1000, 1, 7))
		n++;
	assert_int_equal(n, 1000 * LIMITS_WINDOW_S);
	/* Neither more nor fewer attached devices refill it, or empty it for long. */
	assert_false(limits_take(&bucket, 100000, 100, 7));
	assert_false(limits_take(&bucket, 10, 1, 7));
	assert_true(limits_take(&bucket, 10, 1, 107));
}

/* The sender's clock and the broker's differ, and messages are late by up to three seconds. */
static void
a_sender_that_waits_is_never_refused(void **state)
{
	struct limits_bucket sender = {0}, broker = {0};
	int64_t now = 5000, sent = 0, late_until = 0;

	(void)state;
	srand(1);
	for (; now < 5000 + 600 * 1000; now += 1 + rand() % 20) {
		int64_t arrives = now + 777;

		if (rand() % 1000 == 0)
			late_until = arrives + rand() % 3000;
		if (arrives < late_until)
			arrives = late_until;
		while (limits_wait_ms(&sender, 1000, now) == 0) {
			int64_t n = 1 + rand() % 50;

			limits_spend(&sender, 100, n, now);
			assert_true(limits_take(&broker, 100, n, arrives));
			sent += n;
		}
		assert_in_range(limits_wait_ms(&sender, 1000, now), 1, 501);
	}
	/* It loses nothing of its rate by that. */
	assert_in_range(sent, 599 * 100, 602 * 100);
	assert_int_equal(limits_wait_ms(&sender, 1000, now + 10000), 0);
	limits_spend(&sender, 0, 1000000, now + 10000);
	assert_int_equal(limits_wait_ms(&sender, 1000, now + 10000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(topics_are_taken_apart),
		cmocka_unit_test(an_id_too_long_is_no_topic),
		cmocka_unit_test(an_invalid_device_id_is_told_from_other_topics),
		cmocka_unit_test(what_may_be_published_is_checked),
		cmocka_unit_test(filters_are_few),
		cmocka_unit_test(an_attach_is_read),
		cmocka_unit_test(a_rate_is_an_average),
		cmocka_unit_test(what_is_larger_than_the_bucket_passes_when_it_is_full),
		cmocka_unit_test(another_rate_leaves_the_bucket_as_full_as_it_was),
		cmocka_unit_test(a_sender_that_waits_is_never_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
