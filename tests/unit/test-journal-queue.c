/* What waits to be written to the registry's file, and how much of it a transaction writes. */
#include "config.h"

#include "unit.h"

#include "plugin/journal_queue.h"
#include "plugin/sessions.h"
#include "soft-store.h"

#define N_LINES	  100
#define N_DEVICES 3

static char connections[N_DEVICES];

struct queued {
	struct sessions *sessions;
	struct journal_queue *queue;
};

/* A device that is in the registry, is connected, and was heard of at a time. */
static struct device *
device(struct context *c, struct sessions *sessions, int i)
{
	struct registry_admission admission = {.client = place};
	struct session *session;
	struct fault f = FAULT_INIT;
	char query[64];

	snprintf(admission.client.device, sizeof(admission.client.device), "dev-%d", i);
	add(c, admission.client.device, NULL);
	snprintf(query, sizeof(query), "SELECT id FROM devices WHERE name = 'dev-%d'", i);
	admission.device_row = count(c, query);
	assert_ok(sessions_put(sessions, &connections[i], admission.client.device, &admission,
			  &session, &f),
		&f);
	session->self.activity.heartbeat = NOW;
	roster_note(sessions_roster(sessions), &session->self);
	return &session->self;
}

/* N_LINES lines; the activities of N_DEVICES devices, of which one has gone. */
static struct queued
fill(struct context *c)
{
	struct queued q;
	struct fault f = FAULT_INIT;

	assert_ok(sessions_new(&q.sessions, &f), &f);
	assert_ok(journal_queue_new(c->broker, sessions_roster(q.sessions), &q.queue, &f), &f);
	for (int i = 0; i < N_LINES; i++) {
		struct registry_event *event = journal_queue_event(q.queue);

		assert_non_null(event);
		event->when = NOW;
		event->class = REGISTRY_DEVICE;
		event->causer = 1;
		event->of = place;
		event->event = "connected";
		snprintf(event->detail, sizeof(event->detail), "n=%d", i);
	}
	for (int i = 0; i < N_DEVICES; i++) {
		struct device *one = device(c, q.sessions, i);

		if (i == 0) {
			journal_queue_keep(q.queue, one);
			sessions_remove(q.sessions, &connections[i]);
		}
	}
	return q;
}

static void
clear(struct queued *q)
{
	journal_queue_free(q->queue);
	sessions_free(q->sessions);
}

static int64_t
lines(struct context *c)
{
	return count(c, "SELECT count(*) FROM audit WHERE class = 'device'");
}

static int64_t
activities(struct context *c)
{
	return count(c, "SELECT count(*) FROM activity WHERE heartbeat > 0");
}

static void
assert_all_written(struct context *c)
{
	assert_int_equal(lines(c), N_LINES);
	assert_int_equal(activities(c), N_DEVICES);
	assert_int_equal(count(c, "SELECT count(*) FROM audit a WHERE class = 'device'"
				  " AND detail = 'n=' || (number - 1)"),
		N_LINES);
}

static void
a_transaction_that_has_no_time_leaves_the_rest(void **state)
{
	struct context *c = *state;
	struct queued q = fill(c);
	struct fault f = FAULT_INIT;
	int n = 1;

	/* One of each kind, so that none waits for all of another. */
	assert_ok(journal_queue_write(q.queue, 0, &f), &f);
	assert_int_equal(lines(c), 1);
	assert_int_equal(activities(c), 2);
	for (; !journal_queue_is_empty(q.queue); n++)
		assert_ok(journal_queue_write(q.queue, 0, &f), &f);
	assert_int_equal(n, N_LINES);
	assert_all_written(c);
	clear(&q);
}

static void
a_transaction_that_has_time_writes_all(void **state)
{
	struct context *c = *state;
	struct queued q = fill(c);
	struct fault f = FAULT_INIT;

	assert_ok(journal_queue_write(q.queue, INT64_MAX, &f), &f);
	assert_true(journal_queue_is_empty(q.queue));
	assert_all_written(c);
	clear(&q);
}

static void
what_cannot_be_written_waits(void **state)
{
	struct context *c = *state;
	struct queued q = fill(c);
	struct fault f = FAULT_INIT;

	/* The second device fails, when a line and an activity were written before it. */
	sql(c, "CREATE TRIGGER refuse BEFORE INSERT ON activity WHEN new.device ="
	       " (SELECT id FROM devices WHERE name = 'dev-2')"
	       " BEGIN SELECT RAISE(ABORT, 'refused'); END");
	assert_int_equal(journal_queue_write(q.queue, INT64_MAX, &f), -1);
	assert_int_equal(lines(c), 0);
	assert_int_equal(activities(c), 0);
	sql(c, "DROP TRIGGER refuse");
	f = (struct fault)FAULT_INIT;
	assert_ok(journal_queue_write(q.queue, INT64_MAX, &f), &f);
	assert_true(journal_queue_is_empty(q.queue));
	assert_all_written(c);
	assert_int_equal(journal_queue_take_lost(q.queue), 0);
	clear(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_transaction_that_has_no_time_leaves_the_rest),
		TEST(a_transaction_that_has_time_writes_all),
		TEST(what_cannot_be_written_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
