/* A registry's file of the first version, opened by this program. */
#include "config.h"

#include "unit.h"

#include "schema-1.h"
#include "soft-store.h"

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
	assert_int_equal(count(c, "PRAGMA user_version"), 4);
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
	assert_string_equal(ask(c, "SELECT group_concat(class || ' ' || lines) FROM audit_rings"),
		"device 0,operator 2,stranger 0");
	/* The migration's own, which stands for all devices, a config's and a block's. */
	assert_int_equal(count(c, "SELECT count(*) FROM changes WHERE stamp <> 0"), 3);
	assert_ok(store_pull(c->store, "p", "sub", 10, &list, &f), &f);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	assert_ok(store_subscription_delete(c->store, "p", "sub", NULL, NULL, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM messages"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_of_the_first_version_is_brought_up_to_date,
			set_up_folder, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
