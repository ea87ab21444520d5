/* What a subscription keeps, and how its messages go: never more than a few at a time. */
#include "config.h"

#include "unit.h"

#include "registry/batch.h"
#include "registry/db.h"
#include "soft-store.h"

#define KIB 1024

/* Two devices of a registry whose events go to one subscription. */
struct devices {
	struct registry_admission flood, good;
};

static void
admit(struct context *c, const char *name, struct registry_admission *ret)
{
	char query[96];

	add(c, name, NULL);
	snprintf(query, sizeof(query), "SELECT id FROM devices WHERE name = '%s'", name);
	*ret = (struct registry_admission){.client = place,
		.device_row = count(c, query),
		.registry_row = count(c, "SELECT id FROM registries")};
	snprintf(ret->device_id, sizeof(ret->device_id), "%s", name);
}

static void
set_up_devices(struct context *c, struct devices *d)
{
	struct fault f = FAULT_INIT;

	assert_ok(store_subscription_create(c->store, "p", "sub", "main-topic", &f), &f);
	admit(c, "flood", &d->flood);
	admit(c, "good", &d->good);
}

static void
send_at(struct context *c, const struct registry_admission *from, size_t len, time_t now)
{
	char *payload = calloc(1, len + 1);
	const struct registry_message message = {
		.from = from, .subfolder = "", .payload = payload, .len = len};
	struct fault f = FAULT_INIT;
	const char *backend;

	assert_ok(registry_telemetry(c->broker, &message, now, &backend, &f), &f);
	free(payload);
}

static void
send(struct context *c, const struct registry_admission *from, size_t len)
{
	send_at(c, from, len, NOW);
}

static void
bound(struct context *c, int64_t messages, int64_t bytes, int64_t device_bytes)
{
	const struct registry_retention retention = {messages, bytes, device_bytes, 86400};

	registry_set_retention(c->broker, &retention);
}

/* Messages of a device that wait. */
static int64_t
kept_of(struct context *c, const struct registry_admission *from)
{
	char query[128];

	snprintf(query, sizeof(query), "SELECT count(*) FROM deliveries WHERE device = %lld",
		(long long)from->device_row);
	return count(c, query);
}

/* A number of the subscription, as the operator sees it. */
static int64_t
listed(struct context *c, const char *member)
{
	struct fault f = FAULT_INIT;
	int64_t n;
	json_t *about;

	assert_ok(store_subscription_describe(c->store, "p", "sub", &about, &f), &f);
	n = json_integer_value(json_object_get(about, member));
	json_decref(about);
	return n;
}

/* The numbers that a subscription keeps of itself are what SQLite counts. */
static void
assert_counted(struct context *c)
{
	assert_int_equal(
		listed(c, "numUndeliveredMessages"), count(c, "SELECT count(*) FROM deliveries"));
	assert_int_equal(listed(c, "numUndeliveredBytes"),
		count(c, "SELECT coalesce(sum(length(data) + length(attributes) + 128), 0)"
			 " FROM messages"));
	assert_int_equal(count(c, "SELECT count(*) FROM messages"),
		count(c, "SELECT count(DISTINCT message) FROM deliveries"));
}

static void
a_device_past_its_share_loses_its_own_oldest(void **state)
{
	struct context *c = *state;
	struct devices d;

	set_up_devices(c, &d);
	bound(c, 1000, 1000 * KIB, 50 * KIB);
	for (int i = 0; i < 10; i++)
		send(c, &d.good, 100);
	for (int i = 0; i < 200; i++)
		send(c, &d.flood, 10 * KIB);
	assert_int_equal(kept_of(c, &d.good), 10);
	assert_int_equal(kept_of(c, &d.flood), 4);
	assert_int_equal(count(c, "SELECT dropped FROM subscriptions"), 196);
	/* The newest are those that are left. */
	assert_int_equal(count(c, "SELECT max(number) - min(number) FROM deliveries WHERE device ="
				  " (SELECT id FROM devices WHERE name = 'flood')"),
		3);
	assert_counted(c);
}

static void
a_full_subscription_loses_its_oldest(void **state)
{
	struct context *c = *state;
	struct devices d;

	set_up_devices(c, &d);
	bound(c, 1000, 100 * KIB, 1000 * KIB);
	for (int i = 0; i < 30; i++)
		send(c, &d.good, 10 * KIB);
	assert_int_equal(kept_of(c, &d.good), 9);
	bound(c, 5, 100 * KIB, 1000 * KIB);
	/* Each makes room by one message or more, as far as the time that it may take allows. */
	for (int i = 0; i < 10; i++)
		send(c, &d.flood, 1);
	assert_int_equal(count(c, "SELECT count(*) FROM deliveries"), 5);
	assert_int_equal(kept_of(c, &d.flood), 5);
	assert_counted(c);
}

/* What a message may delete is bounded, and so is by how much a bound is exceeded. */
static void
small_messages_make_room_for_large_ones_in_turn(void **state)
{
	struct context *c = *state;
	int64_t dropped;
	struct devices d;

	set_up_devices(c, &d);
	bound(c, 100000, 1000 * KIB, 10000 * KIB);
	for (int i = 0; i < 2500; i++)
		send(c, &d.good, 1);
	for (int i = 0; i < 1000; i++) {
		dropped = count(c, "SELECT dropped FROM subscriptions");
		send(c, &d.flood, 100 * KIB);
		assert_in_range(count(c, "SELECT dropped FROM subscriptions") - dropped, 0, 65);
		assert_in_range(listed(c, "numUndeliveredBytes"), 0, 1125 * KIB);
	}
	assert_int_equal(kept_of(c, &d.good), 0);
	assert_int_equal(kept_of(c, &d.flood), 9);
	assert_counted(c);
}

static void
a_message_larger_than_a_bound_is_kept_alone(void **state)
{
	struct context *c = *state;
	struct devices d;

	set_up_devices(c, &d);
	bound(c, 1000, 10 * KIB, 10 * KIB);
	for (int i = 0; i < 3; i++)
		send(c, &d.flood, 100 * KIB);
	assert_int_equal(count(c, "SELECT count(*) FROM deliveries"), 1);
	assert_counted(c);
}

static void
old_messages_go_a_few_at_a_time(void **state)
{
	struct context *c = *state;
	struct devices d;
	int64_t left;

	set_up_devices(c, &d);
	bound(c, 100000, 1000 * KIB, 1000 * KIB);
	for (int i = 0; i < 500; i++)
		send(c, &d.good, 1);
	send_at(c, &d.flood, 1, NOW + 86401);
	left = kept_of(c, &d.good);
	assert_in_range(left, 500 - 64, 499);
	for (int i = 0; i < 500; i++)
		send_at(c, &d.flood, 1, NOW + 86401);
	assert_int_equal(kept_of(c, &d.good), 0);
	assert_counted(c);
}

static void
acknowledged_bytes_count_no_more(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct devices d;
	json_t *pulled;

	set_up_devices(c, &d);
	bound(c, 1000, 1000 * KIB, 100 * KIB);
	for (int i = 0; i < 9; i++)
		send(c, &d.flood, 10 * KIB);
	assert_ok(store_pull(c->store, "p", "sub", 5, &pulled, &f), &f);
	assert_ok(store_ack(c->store, "p", "sub", pulled, &f), &f);
	json_decref(pulled);
	assert_counted(c);
	for (int i = 0; i < 5; i++)
		send(c, &d.flood, 10 * KIB);
	assert_int_equal(kept_of(c, &d.flood), 9);
	assert_int_equal(count(c, "SELECT dropped FROM subscriptions"), 0);
	assert_ok(store_pull(c->store, "p", "sub", 100, &pulled, &f), &f);
	assert_ok(store_ack(c->store, "p", "sub", pulled, &f), &f);
	json_decref(pulled);
	assert_int_equal(listed(c, "numUndeliveredBytes"), 0);
	send(c, &d.flood, 10 * KIB);
	assert_counted(c);
}

/* The broker may not have heard of the deletion yet. */
static void
a_subscription_that_is_deleted_gets_no_more(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct devices d;
	json_t *list;

	set_up_devices(c, &d);
	send(c, &d.good, 1);
	sql(c, "UPDATE subscriptions SET deleting = 1");
	send(c, &d.good, 1);
	assert_int_equal(kept_of(c, &d.good), 1);
	assert_int_equal(count(c, "SELECT dropped FROM subscriptions"), 0);
	assert_fault(store_pull(c->store, "p", "sub", 1, &list, &f), &f, FAULT_NOTFOUND);
	assert_fault(store_subscription_create(c->store, "p", "sub", "main-topic", &f), &f,
		FAULT_EXISTS);
	assert_non_null(strstr(f.text, "is being deleted"));
	assert_ok(store_subscription_list(c->store, "p", &list, &f), &f);
	assert_string_equal(text_of(json_array_get(list, 0), "state"), "DELETING");
	json_decref(list);
	assert_ok(store_subscription_delete(c->store, "p", "sub", NULL, NULL, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM messages"), 0);
	send(c, &d.good, 1);
	assert_int_equal(count(c, "SELECT count(*) FROM messages"), 0);
}

static void
a_pull_is_bounded_in_bytes(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct devices d;
	json_t *pulled;

	set_up_devices(c, &d);
	for (int i = 0; i < 40; i++)
		send(c, &d.good, 1024 * KIB);
	assert_ok(store_pull(c->store, "p", "sub", 1000, &pulled, &f), &f);
	assert_int_equal(json_array_size(pulled), STORE_PULL_BYTES_MAX / (1024 * KIB));
	json_decref(pulled);
}

/* step and fails_at: counted from 1. */
struct steps {
	struct context *c;
	int64_t n, max, fails_at, in_transaction;
	bool was_free;
};

/* Adds a topic; another connection sees those of the transactions that were ended. */
static int
add_topic(struct registry *r, void *with, bool *ret_more, struct fault *f)
{
	struct steps *s = with;
	int64_t seen = count(s->c, "SELECT count(*) FROM topics WHERE project = 'batch'");

	*ret_more = ++s->n < s->max;
	s->was_free |= seen > 0;
	if (s->n - seen > s->in_transaction)
		s->in_transaction = s->n - seen;
	if (s->n == s->fails_at)
		return fault_set(f, FAULT_INVALID, "the step fails");
	return db_run(r, "INSERT INTO topics (project, name) VALUES ('batch', ?)", f, "i", s->n);
}

static void
a_batch_is_committed_piece_by_piece(void **state)
{
	struct context *c = *state;
	struct steps steps = {.c = c, .max = 1000};
	struct fault f = FAULT_INIT;

	assert_ok(batch_run(c->store, BATCH_COMMIT, add_topic, &steps, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM topics WHERE project = 'batch'"), 1000);
	assert_true(steps.was_free);
	assert_true(steps.in_transaction < 1000);
}

static void
what_a_batch_did_before_a_fault_stays(void **state)
{
	struct context *c = *state;
	struct steps steps = {.c = c, .max = 1000, .fails_at = 1000};
	struct fault f = FAULT_INIT;
	int64_t n;

	assert_fault(batch_run(c->store, BATCH_COMMIT, add_topic, &steps, &f), &f, FAULT_INVALID);
	n = count(c, "SELECT count(*) FROM topics WHERE project = 'batch'");
	assert_in_range(n, 1, 999);
	/* The file is not locked. */
	sql(c, "DELETE FROM topics WHERE project = 'batch'");
}

static void
a_batch_that_is_rolled_back_changes_nothing(void **state)
{
	struct context *c = *state;
	struct steps steps = {.c = c, .max = 100};
	struct fault f = FAULT_INIT;

	assert_ok(batch_run(c->store, BATCH_ROLL_BACK, add_topic, &steps, &f), &f);
	assert_int_equal(steps.n, 100);
	assert_int_equal(count(c, "SELECT count(*) FROM topics WHERE project = 'batch'"), 0);
}

static void
deleted_messages_are_not_overwritten(void **state)
{
	struct context *c = *state;
	sqlite3_stmt *q;

	assert_int_equal(
		sqlite3_prepare_v2(c->broker->db, "PRAGMA secure_delete", -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int(q, 0), 0);
	sqlite3_finalize(q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_past_its_share_loses_its_own_oldest),
		TEST(a_full_subscription_loses_its_oldest),
		TEST(small_messages_make_room_for_large_ones_in_turn),
		TEST(a_message_larger_than_a_bound_is_kept_alone),
		TEST(old_messages_go_a_few_at_a_time),
		TEST(acknowledged_bytes_count_no_more),
		TEST(a_subscription_that_is_deleted_gets_no_more),
		TEST(a_pull_is_bounded_in_bytes),
		TEST(a_batch_is_committed_piece_by_piece),
		TEST(what_a_batch_did_before_a_fault_stays),
		TEST(a_batch_that_is_rolled_back_changes_nothing),
		TEST(deleted_messages_are_not_overwritten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
