/* The registry on a real file in a private folder, changed by the operator's side. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sqlite3.h>

#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "pki/key.h"
#include "registry/registry.h"
#include "registry/store.h"
#include "soft-dir.h"

#define NOW    1800000000
#define CLIENT "projects/p/locations/r/registries/reg/devices/"

static const struct rules_client place = {.project = "p", .region = "r", .registry = "reg"};

/* A device of the registry, by its name. */
static const struct rules_client *
named(const char *device)
{
	static struct rules_client at;

	at = place;
	strcpy(at.device, device);
	return &at;
}

/*
 * admin  what p11-registry has open
 * broker    what the plugin has open
 */
struct context {
	char dir[64];
	char path[96];
	struct registry *admin;
	struct registry *broker;
	EVP_PKEY *ec, *other;
};

/* Made once: under valgrind an RSA key takes half a minute. */
static EVP_PKEY *rsa;

static int
make_rsa(void **state)
{
	(void)state;
	rsa = EVP_RSA_gen(2048);
	return rsa ? 0 : -1;
}

static int
free_rsa(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	return 0;
}

static int
set_up(void **state)
{
	static const struct store_notification rules[] = {{"alerts", "alert"}, {"main-topic", ""}};
	struct context *c = calloc(1, sizeof(*c));
	struct fault f = FAULT_INIT;

	strcpy(c->dir, "/tmp/test-registry-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->path, sizeof(c->path), "%s/registry.db", c->dir);
	c->ec = EVP_EC_gen("P-256");
	c->other = EVP_EC_gen("P-256");
	assert_ok(registry_open(c->path, &c->admin, &f), &f);
	assert_ok(registry_open(c->path, &c->broker, &f), &f);
	assert_ok(store_topic_create(c->admin, "p", "main-topic", &f), &f);
	assert_ok(store_topic_create(c->admin, "p", "alerts", &f), &f);
	assert_ok(store_registry_create(c->admin, &place, rules, 2, NULL, 0, NOW, &f), &f);
	*state = c;
	return 0;
}

static int
tear_down(void **state)
{
	struct context *c = *state;

	registry_close(c->admin);
	registry_close(c->broker);
	EVP_PKEY_free(c->ec);
	EVP_PKEY_free(c->other);
	remove_dir(c->dir);
	free(c);
	return 0;
}

static void
add_key(struct context *c, const char *device, EVP_PKEY *key, const char *type, time_t expires)
{
	struct fault f = FAULT_INIT;
	char *pem;

	assert_ok(key_public_pem(key, &pem, &f), &f);
	const struct store_credential credential = {"key.pem", type, pem, expires};

	assert_ok(store_credential_create(c->admin, named(device), &credential, NOW, &f), &f);
	free(pem);
}

static void
add_device(struct context *c, const char *id, bool gateway)
{
	const struct store_device device = {.gateway = gateway};
	struct fault f = FAULT_INIT;

	assert_ok(store_device_create(c->admin, named(id), &device, NULL, 0, NOW, &f), &f);
}

static int
admit(struct context *c, const char *client_id, EVP_PKEY *key, const char *aud, time_t iat,
	time_t now, struct registry_admission *ret, struct fault *f)
{
	json_t *claims;
	char *token;
	int rc;

	assert_ok(jwt_claims(aud, 3600, iat, &claims, f), f);
	assert_ok(jwt_sign(NULL, claims, key, &token, f), f);
	rc = registry_admit(c->broker, client_id, token, strlen(token), now, ret, f);
	json_decref(claims);
	secret_free(token);
	return rc;
}

static void
assert_refused(struct context *c, const char *client_id, EVP_PKEY *key, const char *reason)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_fault(admit(c, client_id, key, "p", NOW, NOW, &admission, &f), &f, FAULT_AUTH);
	if (!strstr(f.text, reason))
		fail_msg("'%s' instead of '%s'", f.text, reason);
}

static struct registry_admission
assert_admitted(struct context *c, const char *client_id, EVP_PKEY *key)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_ok(admit(c, client_id, key, "p", NOW, NOW, &admission, &f), &f);
	return admission;
}

static void
a_device_is_admitted_with_each_of_its_keys(void **state)
{
	struct context *c = *state;
	struct registry_admission admission;

	add_device(c, "dev", false);
	assert_refused(c, CLIENT "dev", c->ec, "none of the device's 0 credentials");
	add_key(c, "dev", rsa, "rsa-pem", 0);
	assert_refused(c, CLIENT "dev", c->ec, "none of the device's 1 credentials");
	add_key(c, "dev", c->ec, "es256-pem", 0);
	admission = assert_admitted(c, CLIENT "dev", c->ec);
	assert_string_equal(admission.client.device, "dev");
	assert_int_equal(admission.until, NOW + 3600 + RULES_SKEW_S);
	assert_admitted(c, CLIENT "dev", rsa);
	assert_admitted(c, CLIENT "dev", c->ec);
	assert_refused(c, CLIENT "dev", c->other, "none of the device's 2 credentials");
}

static void
who_is_not_registered_is_refused_with_the_reason(void **state)
{
	struct context *c = *state;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	assert_refused(c, CLIENT "other", c->ec, "no such device");
	assert_refused(c, CLIENT "DEV", c->ec, "no such device");
	assert_refused(
		c, "projects/p/locations/r/registries/reh/devices/dev", c->ec, "no such device");
	assert_refused(
		c, "projects/q/locations/r/registries/reg/devices/dev", c->ec, "no such device");
	assert_refused(c, "dev", c->ec, "client id");
	assert_fault(admit(c, CLIENT "dev", c->ec, "q", NOW, NOW, &admission, &f), &f, FAULT_AUTH);
	assert_non_null(strstr(f.text, "aud"));
	assert_fault(admit(c, CLIENT "dev", c->ec, "p", NOW, NOW + 4200, &admission, &f), &f,
		FAULT_AUTH);
	assert_ok(admit(c, CLIENT "dev", c->ec, "p", NOW, NOW + 4199, &admission, &f), &f);
}

static void
any_bytes_are_no_token(void **state)
{
	static const char *const tokens[] = {"", ".", "..", "...", "a.b.c", "\xff\xfe", " "};
	struct context *c = *state;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	char *long_one = malloc(100000);

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	for (size_t i = 0; i < N_ELEMENTS(tokens); i++)
		assert_fault(registry_admit(c->broker, CLIENT "dev", tokens[i], strlen(tokens[i]),
				     NOW, &admission, &f),
			&f, FAULT_AUTH);
	assert_fault(registry_admit(c->broker, CLIENT "dev", "\0\0\0", 3, NOW, &admission, &f), &f,
		FAULT_AUTH);
	memset(long_one, 'a', 100000);
	assert_fault(registry_admit(c->broker, CLIENT "dev", long_one, 100000, NOW, &admission, &f),
		&f, FAULT_AUTH);
	free(long_one);
}

static void
an_expired_credential_does_not_count(void **state)
{
	struct context *c = *state;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", NOW + 100);
	assert_ok(admit(c, CLIENT "dev", c->ec, "p", NOW, NOW + 99, &admission, &f), &f);
	assert_fault(
		admit(c, CLIENT "dev", c->ec, "p", NOW, NOW + 100, &admission, &f), &f, FAULT_AUTH);
	assert_non_null(strstr(f.text, "1 have expired"));
}

static void
a_change_counts_at_once(void **state)
{
	struct context *c = *state;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_true(registry_changed(c->broker));
	assert_false(registry_changed(c->broker));
	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	assert_true(registry_changed(c->broker));
	assert_false(registry_changed(c->broker));
	admission = assert_admitted(c, CLIENT "dev", c->ec);
	assert_ok(registry_may_stay(c->broker, &admission, &f), &f);

	assert_ok(store_device_block(c->admin, named("dev"), true, &f), &f);
	assert_true(registry_changed(c->broker));
	assert_refused(c, CLIENT "dev", c->ec, "blocked");
	assert_fault(registry_may_stay(c->broker, &admission, &f), &f, FAULT_AUTH);

	assert_ok(store_device_block(c->admin, named("dev"), false, &f), &f);
	assert_admitted(c, CLIENT "dev", c->ec);
	assert_ok(store_credential_delete(c->admin, named("dev"), 0, &f), &f);
	assert_refused(c, CLIENT "dev", c->ec, "0 credentials");
	add_key(c, "dev", c->other, "es256-pem", 0);
	assert_refused(c, CLIENT "dev", c->ec, "1 credentials");
	assert_admitted(c, CLIENT "dev", c->other);

	assert_ok(store_device_delete(c->admin, named("dev"), &f), &f);
	assert_refused(c, CLIENT "dev", c->other, "no such device");
	assert_fault(registry_may_stay(c->broker, &admission, &f), &f, FAULT_AUTH);
	/* The name may come again, the row must not. */
	add_device(c, "dev", false);
	assert_fault(registry_may_stay(c->broker, &admission, &f), &f, FAULT_AUTH);
}

static const char *backend;

static int
take(struct context *c, const struct registry_admission *from, const char *subfolder,
	const void *payload, size_t len, time_t now, struct fault *f)
{
	const struct registry_message message = {
		.from = from, .subfolder = subfolder, .payload = payload, .len = len};

	return registry_telemetry(c->broker, &message, now, &backend, f);
}

static int
take_state(struct context *c, const struct registry_admission *from, const void *payload,
	size_t len, time_t now, struct fault *f)
{
	const struct registry_message message = {
		.from = from, .subfolder = "", .payload = payload, .len = len};

	return registry_state(c->broker, &message, now, &backend, f);
}

/* The messages of a subscription, as store_pull() gives them. */
static json_t *
pull(struct context *c, const char *name)
{
	struct fault f = FAULT_INIT;
	json_t *list;

	assert_ok(store_pull(c->admin, "p", name, 100, &list, &f), &f);
	return list;
}

static const char *
message_text(json_t *list, size_t i, const char *name)
{
	json_t *message = json_object_get(json_array_get(list, i), "message");
	json_t *value = json_object_get(message, name);

	return json_string_value(
		value ? value : json_object_get(json_object_get(message, "attributes"), name));
}

static void
telemetry_reaches_each_subscription_of_its_topic(void **state)
{
	struct context *c = *state;
	struct registry_admission from;
	struct fault f = FAULT_INIT;
	json_t *list;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	from = assert_admitted(c, CLIENT "dev", c->ec);
	assert_ok(take(c, &from, "", "lost", 4, NOW, &f), &f);
	assert_ok(store_subscription_create(c->admin, "p", "one", "main-topic", &f), &f);
	assert_ok(store_subscription_create(c->admin, "p", "two", "main-topic", &f), &f);
	assert_ok(store_subscription_create(c->admin, "p", "hot", "alerts", &f), &f);
	assert_true(registry_changed(c->broker));
	assert_ok(take(c, &from, "", "a", 1, NOW, &f), &f);
	assert_ok(take(c, &from, "x/y", "\0\xff", 2, NOW, &f), &f);
	assert_ok(take(c, &from, "alert", NULL, 0, NOW + 1, &f), &f);
	assert_ok(take(c, &from, "alert/x", "c", 1, NOW, &f), &f);

	list = pull(c, "one");
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(message_text(list, 0, "data"), "YQ==");
	assert_string_equal(message_text(list, 1, "data"), "AP8=");
	assert_string_equal(message_text(list, 2, "data"), "Yw==");
	assert_string_equal(message_text(list, 0, "subFolder"), "");
	assert_string_equal(message_text(list, 1, "subFolder"), "x/y");
	assert_string_equal(message_text(list, 1, "deviceId"), "dev");
	assert_string_equal(message_text(list, 1, "deviceRegistryId"), "reg");
	assert_string_equal(message_text(list, 1, "deviceRegistryLocation"), "r");
	assert_string_equal(message_text(list, 1, "projectId"), "p");
	assert_string_equal(message_text(list, 1, "deviceNumId"), from.device_num_id);
	assert_string_equal(message_text(list, 1, "publishTime"), "2027-01-15T08:00:00Z");
	while (json_array_size(list) > 1)
		json_array_remove(list, 1);
	assert_ok(store_ack(c->admin, "p", "one", list, &f), &f);
	assert_ok(store_ack(c->admin, "p", "one", list, &f), &f);
	json_decref(list);

	list = pull(c, "one");
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(message_text(list, 0, "data"), "AP8=");
	json_decref(list);
	list = pull(c, "two");
	assert_int_equal(json_array_size(list), 3);
	json_decref(list);
	list = pull(c, "hot");
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(message_text(list, 0, "data"), "");
	assert_string_equal(message_text(list, 0, "subFolder"), "alert");
	json_decref(list);
}

static int64_t
ask(struct context *c, const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *query;
	int64_t n;

	assert_int_equal(sqlite3_open(c->path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	n = sqlite3_step(query) == SQLITE_ROW ? sqlite3_column_int64(query, 0) : 0;
	sqlite3_finalize(query);
	sqlite3_close(db);
	return n;
}

static void
a_message_goes_when_nobody_waits_for_it(void **state)
{
	struct context *c = *state;
	struct registry_admission from;
	struct fault f = FAULT_INIT;
	json_t *list;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	from = assert_admitted(c, CLIENT "dev", c->ec);
	assert_ok(store_subscription_create(c->admin, "p", "one", "main-topic", &f), &f);
	assert_ok(store_subscription_create(c->admin, "p", "two", "main-topic", &f), &f);
	assert_ok(take(c, &from, "", "a", 1, NOW, &f), &f);
	assert_int_equal(ask(c, "SELECT count(*) FROM messages"), 1);
	list = pull(c, "one");
	assert_ok(store_ack(c->admin, "p", "one", list, &f), &f);
	assert_int_equal(ask(c, "SELECT count(*) FROM messages"), 1);
	json_decref(list);
	list = pull(c, "two");
	assert_int_equal(json_array_size(list), 1);
	assert_ok(store_ack(c->admin, "p", "two", list, &f), &f);
	assert_int_equal(ask(c, "SELECT count(*) FROM messages"), 0);
	json_decref(list);
}

static void
a_subscription_that_nobody_pulls_is_bounded(void **state)
{
	struct context *c = *state;
	const struct registry_retention retention = {
		.messages = 1101, .bytes = 1 << 30, .device_bytes = 1 << 30, .age_s = 7 * 86400};
	struct registry_admission from;
	struct fault f = FAULT_INIT;
	time_t now = time(NULL);
	json_t *list;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	from = assert_admitted(c, CLIENT "dev", c->ec);
	assert_ok(store_subscription_create(c->admin, "p", "one", "main-topic", &f), &f);
	registry_set_retention(c->broker, &retention);
	for (int i = 0; i < 3; i++)
		assert_ok(take(c, &from, "", "a", 1, now, &f), &f);
	for (int i = 0; i < 1100; i++)
		assert_ok(take(c, &from, "", "b", 1, now, &f), &f);
	assert_int_equal(ask(c, "SELECT dropped FROM subscriptions"), 2);
	assert_int_equal(ask(c, "SELECT count(*) FROM messages"), 1101);
	assert_int_equal(ask(c, "SELECT count(*) FROM deliveries"), 1101);
	/* A week and a minute later all of it is too old. */
	now += 7 * 86400 + 60;
	for (int i = 0; i < 1100; i++)
		assert_ok(take(c, &from, "", "c", 1, now, &f), &f);
	assert_true(ask(c, "SELECT dropped FROM subscriptions") >= 1103);
	list = pull(c, "one");
	assert_string_equal(message_text(list, 0, "data"), "Yw==");
	json_decref(list);
}

static void
without_a_topic_telemetry_is_refused(void **state)
{
	static const struct store_notification rules[] = {{"alerts", "alert"}};
	const struct rules_client bare = {.project = "p", .region = "r", .registry = "bare"};
	struct context *c = *state;
	struct registry_admission from = {.client = bare};
	struct fault f = FAULT_INIT;

	assert_ok(store_registry_create(c->admin, &bare, rules, 1, NULL, 0, NOW, &f), &f);
	from.registry_row = ask(c, "SELECT id FROM registries WHERE name = 'bare'");
	assert_fault(take(c, &from, "", "a", 1, NOW, &f), &f, FAULT_CONFIG);
	assert_ok(take(c, &from, "alert", "a", 1, NOW, &f), &f);
}

static void
the_newest_ten_states_are_kept(void **state)
{
	struct context *c = *state;
	struct registry_admission from;
	struct fault f = FAULT_INIT;

	add_device(c, "dev", false);
	add_key(c, "dev", c->ec, "es256-pem", 0);
	from = assert_admitted(c, CLIENT "dev", c->ec);
	for (int i = 0; i < 12; i++)
		assert_ok(take_state(c, &from, &i, sizeof(i), NOW + i, &f), &f);
	assert_int_equal(ask(c, "SELECT count(*) FROM states"), 10);
	assert_int_equal(ask(c, "SELECT min(updated) FROM states"), NOW + 2);
	assert_ok(store_device_delete(c->admin, named("dev"), &f), &f);
	assert_int_equal(ask(c, "SELECT count(*) FROM states"), 0);
	assert_fault(take_state(c, &from, "x", 1, NOW, &f), &f, FAULT_AUTH);
}

static void
names_that_are_taken_or_missing_are_told(void **state)
{
	struct context *c = *state;
	const struct store_device device = {.gateway = false};
	struct rules_client nowhere = {"p", "r", "nowhere", "dev"};
	struct fault f = FAULT_INIT;

	add_device(c, "dev", false);
	add_device(c, "gwy", true);
	assert_fault(store_device_create(c->admin, named("dev"), &device, NULL, 0, NOW, &f), &f,
		FAULT_EXISTS);
	assert_fault(store_device_create(c->admin, named("d"), &device, NULL, 0, NOW, &f), &f,
		FAULT_USAGE);
	assert_fault(store_device_create(c->admin, &nowhere, &device, NULL, 0, NOW, &f), &f,
		FAULT_NOTFOUND);
	assert_fault(store_registry_create(c->admin, &place, NULL, 0, NULL, 0, NOW, &f), &f,
		FAULT_EXISTS);
	assert_fault(store_topic_create(c->admin, "p", "alerts", &f), &f, FAULT_EXISTS);
	assert_fault(store_registry_delete(c->admin, &place, &f), &f, FAULT_EXISTS);
	assert_fault(
		store_subscription_create(c->admin, "p", "sub", "none", &f), &f, FAULT_NOTFOUND);
	assert_fault(store_gateway_bind(c->admin, &place, "dev", "gwy", &f), &f, FAULT_USAGE);
	assert_fault(store_gateway_bind(c->admin, &place, "gwy", "gwy", &f), &f, FAULT_USAGE);
	assert_ok(store_gateway_bind(c->admin, &place, "gwy", "dev", &f), &f);
	assert_fault(store_gateway_bind(c->admin, &place, "gwy", "dev", &f), &f, FAULT_EXISTS);
	assert_fault(store_device_delete(c->admin, named("gwy"), &f), &f, FAULT_EXISTS);
	assert_ok(store_gateway_unbind(c->admin, &place, "gwy", "dev", &f), &f);
	assert_fault(store_gateway_unbind(c->admin, &place, "gwy", "dev", &f), &f, FAULT_NOTFOUND);
	assert_ok(store_device_delete(c->admin, named("gwy"), &f), &f);
	assert_ok(store_device_delete(c->admin, named("dev"), &f), &f);
	assert_ok(store_registry_delete(c->admin, &place, &f), &f);
}

static void
the_file_is_its_owners_alone(void **state)
{
	struct context *c = *state;
	struct stat about;

	assert_int_equal(stat(c->path, &about), 0);
	assert_int_equal(about.st_mode & 0777, 0600);
}

static void
other_files_are_refused_and_left_alone(void **state)
{
	static const struct {
		const char *sql;
		const char *says;
	} rows[] = {
		{"CREATE TABLE x (y)", "another program's"},
		{"PRAGMA user_version = 3", "another program's"},
		{"PRAGMA application_id = 1", "another program's"},
		{"PRAGMA application_id = 1882272114; PRAGMA user_version = 99", "newer"},
	};
	struct context *c = *state;
	struct registry *r;
	struct fault f;
	char path[128];
	FILE *file;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		sqlite3 *db;

		snprintf(path, sizeof(path), "%s/other%zu.db", c->dir, i);
		sqlite3_open(path, &db);
		assert_int_equal(sqlite3_exec(db, rows[i].sql, NULL, NULL, NULL), SQLITE_OK);
		sqlite3_close(db);
		f = (struct fault)FAULT_INIT;
		assert_fault(registry_open(path, &r, &f), &f, FAULT_CONFIG);
		assert_non_null(strstr(f.text, rows[i].says));
	}
	snprintf(path, sizeof(path), "%s/text", c->dir);
	file = fopen(path, "w");
	for (int i = 0; i < 100; i++)
		fputs("this is no database, and was never one\n", file);
	fclose(file);
	assert_fault(registry_open(path, &r, &f), &f, FAULT_CONFIG);
	assert_fault(registry_open(c->dir, &r, &f), &f, FAULT_IO);
	assert_fault(registry_open("", &r, &f), &f, FAULT_CONFIG);
	snprintf(path, sizeof(path), "%s/no/such/folder", c->dir);
	assert_fault(registry_open(path, &r, &f), &f, FAULT_NOTFOUND);
}

static void
a_file_that_another_program_holds_is_told(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(c->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_fault(store_topic_create(c->admin, "p", "another", &f), &f, FAULT_IO);
	assert_non_null(strstr(f.text, "locked"));
	sqlite3_close(db);
	assert_ok(store_topic_create(c->admin, "p", "another", &f), &f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_device_is_admitted_with_each_of_its_keys),
		TEST(who_is_not_registered_is_refused_with_the_reason),
		TEST(any_bytes_are_no_token),
		TEST(an_expired_credential_does_not_count),
		TEST(a_change_counts_at_once),
		TEST(telemetry_reaches_each_subscription_of_its_topic),
		TEST(a_message_goes_when_nobody_waits_for_it),
		TEST(a_subscription_that_nobody_pulls_is_bounded),
		TEST(without_a_topic_telemetry_is_refused),
		TEST(the_newest_ten_states_are_kept),
		TEST(names_that_are_taken_or_missing_are_told),
		TEST(the_file_is_its_owners_alone),
		TEST(other_files_are_refused_and_left_alone),
		TEST(a_file_that_another_program_holds_is_told),
	};

	return cmocka_run_group_tests(tests, make_rsa, free_rsa);
}
