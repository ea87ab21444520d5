#include "config.h"

#include <stdio.h>

#include "unit.h"

#include "gateway/poison.h"

#define HOLD_MS 600000

static const struct fault silent_end = {.code = FAULT_NET};
static const struct fault bad_topic_end = {
	.code = FAULT_NET, .native = 0x90, .text = "it does not take a topic"};
static const struct fault not_authorised = {
	.code = FAULT_AUTH, .native = 0x87, .text = "not authorised for this topic"};

static struct poison *poison;

static int
setup(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(poison_new(&poison, &f), &f);
	poison_configure(poison, HOLD_MS);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	poison_free(poison);
	return 0;
}

static enum poison_verdict
judge(const char *device, const char *topic, uint64_t seq, int64_t now_ms)
{
	return poison_judge(poison, device, topic, seq, now_ms);
}

/* Sends what poison_judge() lets pass, in the flight with the message's number. */
static void
send_one(const char *device, const char *topic, uint64_t seq, int64_t now_ms)
{
	enum poison_verdict verdict = judge(device, topic, seq, now_ms);

	assert_true(verdict == POISON_SEND || verdict == POISON_ALONE);
	poison_sent(
		poison, seq, &(struct poison_sent){device, topic, seq, 1, verdict == POISON_ALONE});
}

static bool
arrives(uint64_t seq, int64_t now_ms)
{
	struct poison_topic ended;

	return poison_arrived(poison, seq, now_ms, &ended);
}

/* The broker closes the connection, without a reason. Returns what is blocked for it. */
static const struct poison_topic *
closes(int64_t now_ms)
{
	const struct poison_topic *topic;

	assert_true(poison_closed(poison, poison_end_of(0), &silent_end, now_ms, &topic));
	poison_begin_pass(poison);
	return topic;
}

/* Has a topic blocked: three connections in a row end when its message alone is sent. */
static void
block(const char *device, const char *topic, uint64_t seq, int64_t now_ms)
{
	const struct poison_topic *blocked = NULL;

	for (int i = 0; i < 3; i++) {
		assert_null(blocked);
		send_one(device, topic, seq, now_ms);
		blocked = closes(now_ms);
	}
	assert_non_null(blocked);
	assert_string_equal(blocked->device, device);
	assert_string_equal(blocked->topic, topic);
	assert_true(blocked->closing);
	assert_int_equal(blocked->failures, 1);
}

static void
topic_that_closes_connections_is_found_among_others(void **state)
{
	const struct poison_topic *blocked = NULL;

	(void)state;
	/* Two connections end with all of them in flight; from then on each goes alone. */
	for (int i = 0; i < 2; i++) {
		send_one("good", "good/x", 1, 0);
		send_one("bad", "bad/x", 2, 0);
		send_one("late", "late/x", 3, 0);
		assert_false(poison_is_alone(poison));
		assert_null(closes(0));
	}
	assert_int_equal(judge("good", "good/x", 1, 0), POISON_ALONE);
	send_one("good", "good/x", 1, 0);
	assert_true(poison_is_alone(poison));
	assert_false(arrives(1, 0));
	assert_false(poison_is_alone(poison));
	assert_int_equal(judge("good", "good/x", 4, 0), POISON_SEND);
	for (int i = 0; i < 3; i++) {
		assert_null(blocked);
		send_one("bad", "bad/x", 2, 0);
		blocked = closes(0);
	}
	assert_non_null(blocked);
	assert_string_equal(blocked->topic, "bad/x");
	assert_int_equal(poison_blocked(poison), 1);
	assert_int_equal(judge("late", "late/x", 3, 0), POISON_ALONE);
	assert_int_equal(judge("other", "other/x", 5, 0), POISON_SEND);
}

static void
device_waits_behind_its_blocked_topic_and_nobody_else_does(void **state)
{
	(void)state;
	assert_int_equal(judge("bad", "ok", 1, 0), POISON_SEND);
	block("bad", "forbidden", 2, 0);
	/* Before it in the spool the order does not matter; after it, it does. */
	assert_int_equal(judge("bad", "ok", 1, 0), POISON_SEND);
	assert_int_equal(judge("bad", "forbidden", 2, 0), POISON_HOLD);
	assert_int_equal(judge("bad", "ok", 3, 0), POISON_HOLD);
	assert_int_equal(judge("good", "forbidden", 4, 0), POISON_SEND);
	poison_begin_pass(poison);
	assert_int_equal(judge("bad", "ok", 1, 0), POISON_SEND);
}

static void
block_is_tried_alone_less_and_less_often(void **state)
{
	int64_t now_ms = 0, wait_ms = 5000;

	(void)state;
	poison_configure(poison, INT64_C(1000) * HOLD_MS);
	block("bad", "forbidden", 2, now_ms);
	for (int i = 0; i < 15; i++) {
		int64_t due_ms = now_ms + (wait_ms > 10000 ? wait_ms : 10000);

		assert_int_equal(judge("bad", "forbidden", 2, due_ms - 1), POISON_HOLD);
		assert_false(poison_tick(poison, now_ms));
		assert_true(poison_tick(poison, due_ms));
		assert_false(poison_tick(poison, due_ms));
		now_ms = due_ms;
		poison_begin_pass(poison);
		send_one("bad", "forbidden", 2, now_ms);
		assert_true(poison_is_alone(poison));
		assert_int_equal(judge("bad", "ok", 3, now_ms), POISON_HOLD);
		assert_non_null(closes(now_ms));
		wait_ms = wait_ms < 1800000 ? 2 * wait_ms : 3600000;
	}
	assert_int_equal(wait_ms, 3600000);
	assert_true(poison_tick(poison, now_ms + wait_ms));
	poison_begin_pass(poison);
	send_one("bad", "forbidden", 2, now_ms + wait_ms);
	assert_true(arrives(2, now_ms + wait_ms));
	assert_int_equal(poison_blocked(poison), 0);
	assert_int_equal(judge("bad", "forbidden", 3, now_ms + wait_ms), POISON_SEND);
}

static void
attempts_to_connect_are_no_evidence(void **state)
{
	const struct poison_topic *topic;

	(void)state;
	send_one("own", "events", 1, 0);
	assert_null(closes(0));
	for (int i = 0; i < 100; i++) {
		assert_false(poison_closed(poison, POISON_END_INNOCENT, &silent_end, i, &topic));
		assert_null(topic);
		assert_false(poison_closed(poison, POISON_END_CLOSED, &silent_end, i, &topic));
		assert_null(topic);
	}
	assert_int_equal(judge("own", "events", 1, 100), POISON_SEND);
	send_one("own", "events", 1, 100);
	assert_false(arrives(1, 100));
	/* What was counted is forgotten. */
	for (int i = 0; i < 2; i++) {
		send_one("own", "events", 2, 200);
		assert_null(closes(200));
	}
	assert_int_equal(poison_blocked(poison), 0);
}

static void
ends_for_other_reasons_are_no_evidence(void **state)
{
	static const unsigned long innocent[] = {
		0x89, 0x8b, 0x8d, 0x8e, 0x93, 0x96, 0x97, 0x98, 0x9d};

	(void)state;
	for (size_t i = 0; i < sizeof(innocent) / sizeof(innocent[0]); i++)
		assert_int_equal(poison_end_of(innocent[i]), POISON_END_INNOCENT);
	assert_int_equal(poison_end_of(0), POISON_END_CLOSED);
	assert_int_equal(poison_end_of(0x87), POISON_END_CLOSED);
	assert_int_equal(poison_end_of(0x90), POISON_END_BLAMES);
}

static void
broker_that_blames_is_believed(void **state)
{
	const struct poison_topic *topic;

	(void)state;
	send_one("good", "good/x", 1, 0);
	send_one("bad", "bad/x", 2, 0);
	assert_true(poison_closed(poison, poison_end_of(0x90), &bad_topic_end, 0, &topic));
	assert_null(topic);
	send_one("good", "good/x", 1, 0);
	assert_false(arrives(1, 0));
	send_one("bad", "bad/x", 2, 0);
	assert_true(poison_is_alone(poison));
	assert_true(poison_closed(poison, poison_end_of(0x90), &bad_topic_end, 0, &topic));
	assert_non_null(topic);
	assert_string_equal(topic->reason, bad_topic_end.text);
	assert_int_equal(topic->code, 0x90);
}

static void
puback_that_refuses_blocks_the_topic_alone(void **state)
{
	const struct poison_topic *topic;

	(void)state;
	send_one("bad", "forbidden", 1, 0);
	send_one("bad", "forbidden", 2, 0);
	send_one("good", "fine", 3, 0);
	topic = poison_refused(poison, 1, &not_authorised, 0);
	assert_non_null(topic);
	assert_false(topic->closing);
	assert_string_equal(topic->reason, not_authorised.text);
	/* The second was under way: its refusal says the same once. */
	assert_null(poison_refused(poison, 2, &not_authorised, 0));
	assert_int_equal(poison_next(poison, NULL)->failures, 1);
	assert_false(arrives(3, 0));
	poison_begin_pass(poison);
	assert_int_equal(judge("bad", "forbidden", 1, 4999), POISON_HOLD);
	assert_int_equal(judge("good", "fine", 4, 0), POISON_SEND);
	poison_begin_pass(poison);
	send_one("bad", "forbidden", 1, 5000);
	assert_true(arrives(1, 5000));
	assert_int_equal(judge("bad", "forbidden", 2, 5000), POISON_SEND);
}

/* What was accepted before the refusal came does not end the block. */
static void
message_under_way_does_not_end_a_block(void **state)
{
	(void)state;
	send_one("bad", "sometimes", 1, 0);
	send_one("bad", "sometimes", 2, 0);
	assert_non_null(poison_refused(poison, 1, &not_authorised, 0));
	assert_false(arrives(2, 0));
	assert_int_equal(poison_blocked(poison), 1);
}

static void
held_messages_are_dropped_in_the_end(void **state)
{
	const struct poison_topic *topic;

	(void)state;
	block("bad", "forbidden", 2, 0);
	assert_int_equal(judge("bad", "forbidden", 2, 0), POISON_HOLD);
	assert_true(poison_tick(poison, HOLD_MS));
	poison_begin_pass(poison);
	/* The one that was refused goes; whether the next one is refused too is tried. */
	assert_int_equal(judge("bad", "forbidden", 2, HOLD_MS), POISON_DROP);
	assert_int_equal(judge("bad", "fine", 3, HOLD_MS), POISON_SEND);
	send_one("bad", "forbidden", 4, HOLD_MS);
	assert_true(poison_is_alone(poison));
	assert_non_null(closes(HOLD_MS));
	assert_int_equal(judge("bad", "forbidden", 4, HOLD_MS), POISON_DROP);
	assert_int_equal(judge("bad", "fine", 5, HOLD_MS), POISON_SEND);
	assert_int_equal(judge("bad", "forbidden", 6, HOLD_MS), POISON_DROP);
	topic = poison_next(poison, NULL);
	assert_int_equal(topic->dropped, 3);
	assert_null(poison_next(poison, topic));
	/* Once in a while one of them is tried all the same. */
	assert_int_equal(judge("bad", "forbidden", 7, topic->due_ms), POISON_ALONE);
}

static void
one_bad_payload_does_not_cost_the_others(void **state)
{
	(void)state;
	block("bad", "sometimes", 2, 0);
	assert_int_equal(judge("bad", "sometimes", 2, HOLD_MS), POISON_DROP);
	send_one("bad", "sometimes", 3, HOLD_MS);
	assert_true(arrives(3, HOLD_MS));
	assert_int_equal(judge("bad", "sometimes", 4, HOLD_MS), POISON_SEND);
}

static void
message_of_qos_0_is_found_out_too(void **state)
{
	const struct poison_sent sent = {"bad", "forbidden", 1, 0, false};

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(judge("bad", "forbidden", (uint64_t)i + 1, 0), POISON_SEND);
		poison_sent(poison, 1, &sent);
		assert_null(closes(0));
	}
	assert_int_equal(judge("bad", "forbidden", 3, 0), POISON_ALONE);
	block("bad", "forbidden", 3, 0);
	/* What another message's acknowledgement follows is innocent. */
	for (int i = 0; i < 4; i++) {
		poison_sent(poison, 1, &(struct poison_sent){"good", "fine", 5, 0, false});
		send_one("other", "fine", 6, 0);
		assert_false(arrives(6, 0));
		send_one("other", "fine", 7, 0);
		closes(0);
	}
	assert_int_equal(judge("good", "fine", 8, 0), POISON_SEND);
}

static void
device_with_many_blocked_topics_is_blocked_whole(void **state)
{
	char topic[16];

	(void)state;
	for (uint64_t i = 1; i <= POISON_DEVICE_TOPICS_MAX; i++) {
		snprintf(topic, sizeof(topic), "topic/%d", (int)i);
		if (i < POISON_DEVICE_TOPICS_MAX) {
			block("bad", topic, i, 0);
			assert_int_equal(poison_blocked(poison), i);
			continue;
		}
		for (int n = 0; n < 3; n++) {
			send_one("bad", topic, i, 0);
			closes(0);
		}
	}
	assert_int_equal(poison_blocked(poison), 1);
	assert_string_equal(poison_next(poison, NULL)->topic, "");
	assert_int_equal(judge("bad", "another", 9, 0), POISON_HOLD);
	assert_int_equal(judge("good", "another", 10, 0), POISON_SEND);
}

/* A broker that closes on everything, and is well again: all are tried as soon as one passes. */
static void
trouble_of_the_broker_is_not_held_against_topics(void **state)
{
	(void)state;
	block("one", "topic", 1, 0);
	block("two", "topic", 2, 0);
	block("three", "topic", 3, 0);
	assert_int_equal(judge("one", "topic", 1, 9999), POISON_HOLD);
	poison_begin_pass(poison);
	send_one("three", "topic", 3, 10000);
	assert_true(arrives(3, 10000));
	assert_int_equal(judge("one", "topic", 1, 10000), POISON_ALONE);
	assert_int_equal(judge("two", "topic", 2, 10000), POISON_ALONE);
}

static void
many_ends_in_vain_let_the_back_off_grow(void **state)
{
	const struct poison_topic *topic;
	int n = 0;

	(void)state;
	do {
		poison_sent(poison, 1, &(struct poison_sent){"x", "y", 1, 1, false});
	} while (poison_closed(poison, POISON_END_CLOSED, &silent_end, 0, &topic) && ++n < 1000);
	assert_in_range(n, 8, 100);
}

static void
attach_that_closes_connections_is_found_out(void **state)
{
	const struct poison_topic *blocked = NULL;
	const struct poison_sent bad = {"bad", "/devices/bad/attach", 0, 1, false};
	const struct poison_sent good = {"good", "/devices/good/attach", 0, 1, false};

	(void)state;
	assert_false(poison_attaches_alone(poison));
	for (int i = 0; i < 2; i++) {
		poison_sent(poison, 1, &bad);
		poison_sent(poison, 2, &good);
		closes(0);
	}
	assert_true(poison_attaches_alone(poison));
	for (int i = 0; i < 3; i++) {
		assert_null(blocked);
		poison_sent(poison, 1, &bad);
		blocked = closes(0);
	}
	assert_non_null(blocked);
	assert_true(blocked->attaches);
	poison_sent(poison, 2, &good);
	assert_false(arrives(2, 0));
	assert_true(poison_attaches_alone(poison));
	poison_sent(poison, 1, &bad);
	assert_true(arrives(1, 0));
	assert_false(poison_attaches_alone(poison));
}

/* Its message and its subscription are in flight together, and beside another's message. */
static void
subscription_of_an_attach_is_found_out_too(void **state)
{
	const struct poison_sent publish = {"bad", "/devices/bad/attach", 0, 1, false};
	const struct poison_sent subscribe = {"bad", "/devices/bad/config", 0, 1, false};
	const struct poison_topic *blocked = NULL;

	(void)state;
	for (int i = 0; i < 2; i++) {
		poison_sent(poison, 1, &publish);
		poison_sent(poison, 2, &subscribe);
		assert_false(arrives(1, 0));
		assert_int_equal(poison_in_flight(poison), 1);
		send_one("good", "fine", 3, 0);
		assert_null(closes(0));
		assert_int_equal(poison_in_flight(poison), 0);
	}
	assert_true(poison_attaches_alone(poison));
	for (int i = 0; i < 3; i++) {
		assert_null(blocked);
		poison_sent(poison, 1, &publish);
		poison_sent(poison, 2, &subscribe);
		blocked = closes(0);
	}
	assert_non_null(blocked);
	assert_true(blocked->attaches);
	assert_string_equal(blocked->device, "bad");
	assert_int_equal(poison_blocked(poison), 1);
}

static void
what_is_remembered_is_bounded_and_forgotten(void **state)
{
	char device[16];
	size_t n = 0;

	(void)state;
	for (unsigned i = 0; i < POISON_TOPICS_MAX + 100; i++) {
		const struct poison_topic *topic;

		snprintf(device, sizeof(device), "d%u", i);
		poison_sent(poison, 1, &(struct poison_sent){device, "t", 1, 1, true});
		poison_closed(poison, POISON_END_BLAMES, &bad_topic_end, i, &topic);
		assert_non_null(topic);
	}
	for (const struct poison_topic *t = NULL; (t = poison_next(poison, t));)
		n++;
	assert_int_equal(n, POISON_TOPICS_MAX);
	assert_int_equal(poison_blocked(poison), n);
	poison_tick(poison, INT64_C(30) * 86400 * 1000);
	assert_int_equal(poison_blocked(poison), 0);
}

static void
long_topics_are_told_apart_by_their_beginning(void **state)
{
	char a[2 * POISON_TOPIC_MAX], b[2 * POISON_TOPIC_MAX + 1];

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(a); i += 2) {
		a[i] = '\xc3';
		a[i + 1] = '\xa4';
	}
	a[sizeof(a) - 2] = a[sizeof(a) - 1] = '\0';
	snprintf(b, sizeof(b), "b%s", a);
	for (int i = 0; i < 3; i++) {
		send_one("bad", a, 1, 0);
		closes(0);
	}
	assert_int_equal(poison_blocked(poison), 1);
	assert_int_equal(judge("bad", b, 2, 0), POISON_SEND);
	assert_int_equal(judge("bad", a, 1, 0), POISON_HOLD);
}

static void
message_that_is_refused_three_times_is_struck_out(void **state)
{
	struct poison_strikes strikes = {.seq = 0};

	(void)state;
	assert_false(poison_strike(&strikes, 7, false));
	assert_false(poison_strike(&strikes, 8, false));
	assert_false(poison_strike(&strikes, 7, false));
	assert_true(poison_strike(&strikes, 7, false));
	assert_false(poison_strike(&strikes, 8, true));
	assert_int_equal(strikes.seq, 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(topic_that_closes_connections_is_found_among_others),
		TEST(device_waits_behind_its_blocked_topic_and_nobody_else_does),
		TEST(block_is_tried_alone_less_and_less_often),
		TEST(attempts_to_connect_are_no_evidence),
		TEST(ends_for_other_reasons_are_no_evidence),
		TEST(broker_that_blames_is_believed),
		TEST(puback_that_refuses_blocks_the_topic_alone),
		TEST(message_under_way_does_not_end_a_block),
		TEST(held_messages_are_dropped_in_the_end),
		TEST(one_bad_payload_does_not_cost_the_others),
		TEST(message_of_qos_0_is_found_out_too),
		TEST(device_with_many_blocked_topics_is_blocked_whole),
		TEST(trouble_of_the_broker_is_not_held_against_topics),
		TEST(many_ends_in_vain_let_the_back_off_grow),
		TEST(attach_that_closes_connections_is_found_out),
		TEST(subscription_of_an_attach_is_found_out_too),
		TEST(what_is_remembered_is_bounded_and_forgotten),
		TEST(long_topics_are_told_apart_by_their_beginning),
		TEST(message_that_is_refused_three_times_is_struck_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
