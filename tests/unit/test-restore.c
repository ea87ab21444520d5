/* A registry's file that is restored, or loses credentials, while a broker serves it. */
#include "config.h"

#include "unit.h"

#include "soft-key.h"
#include "soft-store.h"

static void
add_with_key(struct context *c, const char *id, EVP_PKEY *key)
{
	add(c, id, NULL);
	add_key(c, id, key);
}

static struct registry_admission
assert_in(struct context *c, const char *id, EVP_PKEY *key)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_ok(connect_with(c->broker, id, NULL, key, &admission, &f), &f);
	return admission;
}

static void
assert_out(struct context *c, const char *id, EVP_PKEY *key)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_fault(connect_with(c->broker, id, NULL, key, &admission, &f), &f, FAULT_AUTH);
}

static void
assert_may_stay(struct context *c, struct registry_admission *admission, const char *reason)
{
	struct fault f = FAULT_INIT;

	if (!reason) {
		assert_ok(registry_may_stay(c->broker, admission, &f), &f);
		return;
	}
	assert_fault(registry_may_stay(c->broker, admission, &f), &f, FAULT_AUTH);
	assert_string_equal(f.text, reason);
}

/* What the broker is told has changed; -1 for everything. */
static int
changes(struct context *c)
{
	int64_t rows[16];
	struct fault f = FAULT_INIT;
	bool all;
	size_t n;

	assert_ok(registry_changes(c->broker, rows, N_ELEMENTS(rows), &n, &all, &f), &f);
	return all ? -1 : (int)n;
}

static void
copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");

	assert_non_null(backup);
	assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
	assert_int_equal(sqlite3_backup_finish(backup), SQLITE_OK);
}

/* As `.backup` and `.restore` of SQLite's shell do. */
static sqlite3 *
back_up(struct context *c)
{
	char path[128];
	sqlite3 *to;

	snprintf(path, sizeof(path), "%s/copy.db", c->dir);
	assert_int_equal(sqlite3_open(path, &to), SQLITE_OK);
	copy(c->db, to);
	return to;
}

static void
restore(struct context *c, sqlite3 *from)
{
	copy(from, c->db);
	sqlite3_close(from);
}

static void
a_key_opens_no_other_door_after_a_restore(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *a = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *b = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *third = soft_key("P-256");
	sqlite3 *backup;

	add_with_key(c, "dev-a", a);
	backup = back_up(c);
	add_with_key(c, "dev-b", b);
	assert_in(c, "dev-b", b);
	restore(c, backup);
	assert_out(c, "dev-b", b);
	add_with_key(c, "dev-c", third);
	assert_out(c, "dev-c", b);
	assert_in(c, "dev-c", third);
	assert_in(c, "dev-a", a);
}

/* Not even when another program gives a credential the number that was known. */
static void
a_key_is_known_by_what_it_is(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *a = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *b = soft_key("P-256");

	add_with_key(c, "dev-a", a);
	add_with_key(c, "dev-b", b);
	assert_in(c, "dev-a", a);
	sql(c, "UPDATE credentials SET pem = (SELECT pem FROM credentials ORDER BY id DESC LIMIT 1)"
	       " WHERE id = (SELECT min(id) FROM credentials)");
	assert_out(c, "dev-a", a);
	assert_in(c, "dev-a", b);
}

/* Neither by its row, which another device may have, nor by its name. */
static void
who_was_let_in_goes_with_a_restore(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *b = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *other = soft_key("P-256");
	struct registry_message message = {.subfolder = "", .payload = "x", .len = 1};
	struct registry_admission was;
	struct registry_activity seen = {.heartbeat = NOW};
	struct registry_config config;
	struct fault f = FAULT_INIT;
	const char *backend;
	sqlite3 *backup;
	json_t *given;

	assert_int_equal(changes(c), -1);
	assert_int_equal(changes(c), 0);
	backup = back_up(c);
	/* The broker lets it in before it asks for changes. */
	add_with_key(c, "dev-b", b);
	was = assert_in(c, "dev-b", b);
	message.from = &was;
	restore(c, backup);
	add_with_key(c, "dev-c", other);
	assert_ok(
		store_config_update(c->store, named("dev-c"), "secret", 6, 0, NOW, &given, &f), &f);
	json_decref(given);
	/* As many changes as before, and others. */
	assert_int_equal(changes(c), -1);
	assert_may_stay(c, &was, "the device was deleted");
	assert_fault(registry_state(c->broker, &message, NOW, &backend, &f), &f, FAULT_AUTH);
	assert_int_equal(count(c, "SELECT count(*) FROM states"), 0);
	assert_ok(registry_keep_activity(c->broker, was.device_row, &seen, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM activity"), 0);
	assert_ok(registry_config(c->broker, was.device_row, &config, &f), &f);
	assert_null(config.data);
	add_with_key(c, "dev-b", other);
	assert_may_stay(c, &was, "the device was deleted");
}

/* A copy from before something was created looks like a file in which nothing happened. */
static void
each_restore_is_noticed(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *key = soft_key("P-256");
	const struct store_device gateway = {.gateway = true, .auth_method = "ASSOCIATION_ONLY"};
	struct fault f = FAULT_INIT;
	sqlite3 *backup;

	add(c, "gate", &gateway);
	add(c, "dev", NULL);
	assert_int_equal(changes(c), -1);
	backup = back_up(c);
	assert_int_equal(changes(c), 0);
	add_key(c, "dev", key);
	assert_int_equal(changes(c), 0);
	restore(c, backup);
	assert_int_equal(changes(c), -1);
	assert_int_equal(changes(c), 0);
	backup = back_up(c);
	assert_ok(store_gateway_bind(c->store, &place, "gate", "dev", &f), &f);
	assert_int_equal(changes(c), 0);
	restore(c, backup);
	assert_int_equal(changes(c), -1);
	assert_int_equal(changes(c), 0);
	/* A copy of what is there now changes nothing. */
	restore(c, back_up(c));
	assert_int_equal(changes(c), 0);
}

static void
commands_are_sent_after_a_restore(void **state)
{
	struct context *c = *state;
	const struct store_command command = {
		.subfolder = "", .data = "x", .len = 1, .expires = NOW + 10};
	struct registry_command taken;
	struct fault f = FAULT_INIT;
	sqlite3 *backup;
	int64_t id;
	bool there;

	add(c, "dev", NULL);
	assert_int_equal(changes(c), -1);
	backup = back_up(c);
	/* Anything that the copy is without. */
	assert_ok(store_device_block(c->store, named("dev"), true, &f), &f);
	assert_ok(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f);
	assert_int_equal(changes(c), 1);
	assert_ok(registry_next_command(c->broker, NOW, &taken, &there, &f), &f);
	assert_true(there);
	registry_command_clear(&taken);
	/* It is handed out once. */
	assert_ok(registry_next_command(c->broker, NOW, &taken, &there, &f), &f);
	assert_false(there);
	restore(c, backup);
	assert_int_equal(changes(c), -1);
	assert_ok(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f);
	assert_ok(registry_next_command(c->broker, NOW, &taken, &there, &f), &f);
	assert_true(there);
	assert_int_equal(taken.id, id);
	registry_command_clear(&taken);
}

static void
a_deleted_credential_ends_what_it_opened(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *first = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *second = soft_key("P-256");
	struct registry_admission by_first, by_second;
	struct fault f = FAULT_INIT;

	add_with_key(c, "dev", first);
	add_key(c, "dev", second);
	add_with_key(c, "other", first);
	by_first = assert_in(c, "dev", first);
	by_second = assert_in(c, "dev", second);
	assert_int_equal(changes(c), -1);
	assert_ok(store_credential_delete(c->store, named("dev"), 0, &f), &f);
	assert_int_equal(changes(c), 1);
	/* Another device has the same key: it is not this one's. */
	assert_may_stay(c, &by_first, "its credential was deleted");
	assert_may_stay(c, &by_second, NULL);
	/* Deleted and given again it is the same. */
	add_key(c, "dev", first);
	assert_may_stay(c, &by_first, NULL);
	assert_ok(store_credential_clear(c->store, named("dev"), &f), &f);
	assert_int_equal(changes(c), 2);
	assert_may_stay(c, &by_first, "its credential was deleted");
	assert_may_stay(c, &by_second, "its credential was deleted");
}

static void
an_expired_credential_does_not(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *key = soft_key("P-256");
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	add_with_key(c, "dev", key);
	admission = assert_in(c, "dev", key);
	assert_fault(store_credential_update(c->store, named("dev"), 0, NOW - 1, NOW, &f), &f,
		FAULT_INVALID);
	assert_ok(store_credential_update(c->store, named("dev"), 0, NOW + 1, NOW, &f), &f);
	sql(c, "UPDATE credentials SET expires = 1");
	assert_out(c, "dev", key);
	assert_may_stay(c, &admission, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_opens_no_other_door_after_a_restore),
		TEST(a_key_is_known_by_what_it_is),
		TEST(who_was_let_in_goes_with_a_restore),
		TEST(each_restore_is_noticed),
		TEST(commands_are_sent_after_a_restore),
		TEST(a_deleted_credential_ends_what_it_opened),
		TEST(an_expired_credential_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
