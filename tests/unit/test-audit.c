/* The audit: who can push out whose lines. */
#include "config.h"

#include "unit.h"

#include "registry/audit.h"
#include "soft-store.h"

/* n lines of a class that one causer's connections cause, about the device named. */
static void
keep(struct context *c, enum registry_class class, int64_t causer, const char *device,
	const char *name, int n)
{
	struct registry_event event = {
		.when = NOW, .class = class, .causer = causer, .of = place, .event = name};
	struct fault f = FAULT_INIT;

	strcpy(event.of.device, device);
	assert_ok(registry_begin(c->broker, &f), &f);
	for (int i = 0; i < n; i++) {
		snprintf(event.detail, sizeof(event.detail), "n=%d", i);
		assert_ok(registry_keep_event(c->broker, &event, &f), &f);
	}
	assert_ok(registry_commit(c->broker, &f), &f);
}

static int64_t
lines(struct context *c, const char *of)
{
	char query[128];

	snprintf(query, sizeof(query), "SELECT count(*) FROM audit WHERE %s", of);
	return count(c, query);
}

static void
assert_counted(struct context *c)
{
	assert_string_equal(ask(c, "SELECT group_concat(class) FROM audit_rings r WHERE lines <>"
				   " (SELECT count(*) FROM audit WHERE class = r.class)"),
		"");
}

static void
one_device_pushes_out_only_its_own_lines(void **state)
{
	struct context *c = *state;

	add(c, "quiet", NULL);
	keep(c, REGISTRY_DEVICE, 1, "quiet", "connected", 3);
	keep(c, REGISTRY_STRANGER, 0, "unknown", "refused", 3);
	keep(c, REGISTRY_DEVICE, 2, "loud", "config", 2 * AUDIT_DEVICE_MAX);
	/* A gateway's lines about its devices are its own too. */
	keep(c, REGISTRY_DEVICE, 2, "child", "attached", AUDIT_DEVICE_MAX / 2);
	assert_int_equal(lines(c, "causer = 2"), AUDIT_DEVICE_MAX);
	assert_int_equal(lines(c, "device = 'child'"), AUDIT_DEVICE_MAX / 2);
	assert_string_equal(ask(c, "SELECT detail FROM audit WHERE causer = 2 AND device = 'loud'"
				   " ORDER BY id DESC LIMIT 1"),
		"n=9999");
	assert_int_equal(lines(c, "device = 'quiet' AND event = 'connected'"), 3);
	assert_int_equal(lines(c, "device = 'quiet' AND event = 'created'"), 1);
	assert_int_equal(lines(c, "device = 'unknown'"), 3);
	assert_counted(c);
}

static void
strangers_push_out_strangers(void **state)
{
	struct context *c = *state;
	const struct store_log_filter filter = {.limit = 1000000, .class = "stranger"};
	struct fault f = FAULT_INIT;
	json_t *list;

	add(c, "quiet", NULL);
	keep(c, REGISTRY_DEVICE, 1, "quiet", "connected", 3);
	keep(c, REGISTRY_STRANGER, 0, "quiet", "refused", AUDIT_STRANGERS_MAX + 7);
	assert_int_equal(lines(c, "class = 'stranger'"), AUDIT_STRANGERS_MAX);
	assert_int_equal(lines(c, "class = 'operator'"), 2);
	assert_int_equal(lines(c, "class = 'device'"), 3);
	assert_counted(c);
	assert_ok(store_log_list(c->store, &place, &filter, &list, &f), &f);
	assert_int_equal(json_array_size(list), AUDIT_STRANGERS_MAX);
	assert_string_equal(text_of(json_array_get(list, 0), "detail"), "n=7");
	assert_string_equal(text_of(json_array_get(list, 0), "class"), "stranger");
	json_decref(list);
}

/* Too many lines, as an older program may leave, go a few at a time. */
static void
a_full_ring_shrinks_by_a_few_lines(void **state)
{
	struct context *c = *state;
	int64_t oldest;

	sql(c, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100010)"
	       " INSERT INTO audit (time, project, region, registry, device, event, detail, class,"
	       "  causer, number) SELECT 1, 'p', 'r', 'reg', 'dev' || i, 'connected', '', 'device',"
	       "  i, 1 FROM n");
	oldest = count(c, "SELECT min(id) FROM audit WHERE class = 'device'");
	keep(c, REGISTRY_DEVICE, 5, "dev5", "disconnected", 1);
	assert_int_equal(lines(c, "class = 'device'"), AUDIT_DEVICES_MAX + 7);
	assert_int_equal(count(c, "SELECT min(id) FROM audit WHERE class = 'device'"), oldest + 4);
	keep(c, REGISTRY_DEVICE, 5, "dev5", "disconnected", 9);
	assert_int_equal(lines(c, "class = 'device'"), AUDIT_DEVICES_MAX);
	assert_int_equal(lines(c, "causer = 5"), 10);
	assert_int_equal(lines(c, "class = 'operator'"), 1);
	assert_counted(c);
}

static void
lines_are_shown_by_their_time(void **state)
{
	struct context *c = *state;
	const struct store_log_filter filter = {.limit = 100}, two = {.limit = 2},
				      device = {.limit = 100, .class = "device"};
	struct fault f = FAULT_INIT;
	json_t *list;

	sql(c, "DELETE FROM audit");
	keep(c, REGISTRY_DEVICE, 1, "dev", "second", 1);
	keep(c, REGISTRY_DEVICE, 1, "dev", "first", 1);
	keep(c, REGISTRY_STRANGER, 0, "dev", "third", 1);
	sql(c, "UPDATE audit SET time = time - 10 WHERE event = 'first'");
	assert_ok(store_log_list(c->store, &place, &filter, &list, &f), &f);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "first");
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "second");
	assert_string_equal(text_of(json_array_get(list, 2), "event"), "third");
	json_decref(list);
	assert_ok(store_log_list(c->store, &place, &two, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	assert_ok(store_log_list(c->store, named("dev"), &device, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_device_pushes_out_only_its_own_lines),
		TEST(strangers_push_out_strangers),
		TEST(a_full_ring_shrinks_by_a_few_lines),
		TEST(lines_are_shown_by_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
