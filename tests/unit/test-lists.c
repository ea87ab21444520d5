/* Lists of devices, how SQLite finds them, and the audit. */
#include "config.h"

#include "unit.h"

#include "registry/db.h"
#include "soft-store.h"

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
	sql(c, "UPDATE devices SET num_id = 5000000000"
	       " + (SELECT count(*) FROM devices d WHERE d.id <= devices.id)");
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

static int
logs_of(struct context *c, const struct rules_client *at, long limit, time_t since,
	const char *class, json_t **ret, struct fault *f)
{
	const struct store_log_filter filter = {.limit = limit, .since = since, .class = class};

	return store_log_list(c->store, at, &filter, ret, f);
}

/* How SQLite would run a statement must name an index, or a table that stays small. */
static void
assert_no_scan(struct context *c, const char *statement)
{
	static const char *const small[] = {"json_each", "CONSTANT", "audit", "commands", "topics",
		"notifications", "registries", "subscriptions", "sqlite_master", "newest", "n", "t",
		"s"};
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
	assert_ok(logs_of(c, named("dev1"), 10, 0, NULL, &list, &f), &f);
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
	assert_ok(logs_of(c, named("dev2"), 10, 0, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "created");
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "deleted");
	json_decref(list);
	assert_ok(logs_of(c, named("5000000006"), 10, 0, NULL, &list, &f), &f);
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "bound");
	assert_string_equal(text_of(json_array_get(list, 1), "device"), "dev4");
	assert_string_equal(text_of(json_array_get(list, 1), "detail"), "gateway=gw1");
	json_decref(list);
	/* The newest, the oldest of these first. */
	assert_ok(logs_of(c, &place, 2, 0, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(text_of(json_array_get(list, 0), "event"), "bound");
	assert_string_equal(text_of(json_array_get(list, 1), "event"), "deleted");
	json_decref(list);
	assert_ok(logs_of(c, &project, 1000, 0, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 13);
	json_decref(list);
	assert_ok(logs_of(c, &place, 1000, 0, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 11);
	json_decref(list);
	sql(c, "UPDATE audit SET time = 100 WHERE id < 5");
	assert_ok(logs_of(c, &project, 1000, 101, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 9);
	json_decref(list);
	strcpy(project.project, "q");
	assert_ok(logs_of(c, &project, 1000, 0, NULL, &list, &f), &f);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_are_filtered_and_paged),
		TEST(no_query_walks_through_the_devices),
		TEST(the_audit_tells_who_was_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
