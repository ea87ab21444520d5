/* soft-store: a registry's file as the operator and the broker have it open, for tests. */
#ifndef TESTS_UNIT_SOFT_STORE_H
#define TESTS_UNIT_SOFT_STORE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/auto.h"
#include "pki/key.h"
#include "registry/registry.h"
#include "registry/store.h"
#include "soft-client.h"
#include "soft-dir.h"
#include "unit.h"

/*
 * store   what p11-registry has open
 * broker  what the plugin has open
 * db      the same file, through SQLite alone
 */
struct context {
	char dir[64];
	char path[96];
	struct registry *store;
	struct registry *broker;
	sqlite3 *db;
};

static const struct rules_client place = {.project = "p", .region = "r", .registry = "reg"};

static inline const struct rules_client *
named(const char *device)
{
	static struct rules_client at;

	at = place;
	strcpy(at.device, device);
	return &at;
}

static inline void
open_all(struct context *c)
{
	struct fault f = FAULT_INIT;

	assert_ok(registry_open(c->path, &c->store, &f), &f);
	assert_ok(registry_open(c->path, &c->broker, &f), &f);
	assert_int_equal(sqlite3_open(c->path, &c->db), SQLITE_OK);
	sqlite3_busy_timeout(c->db, 10000);
}

static inline int
set_up_folder(void **state)
{
	struct context *c = calloc(1, sizeof(*c));

	strcpy(c->dir, "/tmp/test-store-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->path, sizeof(c->path), "%s/registry.db", c->dir);
	*state = c;
	return 0;
}

static inline int
set_up(void **state)
{
	static const struct store_notification rules[] = {{"alerts", "alert"}, {"main-topic", ""}};
	struct fault f = FAULT_INIT;
	struct context *c;

	set_up_folder(state);
	c = *state;
	open_all(c);
	assert_ok(store_topic_create(c->store, "p", "main-topic", &f), &f);
	assert_ok(store_topic_create(c->store, "p", "alerts", &f), &f);
	assert_ok(store_registry_create(c->store, &place, rules, 2, NULL, 0, NOW, &f), &f);
	return 0;
}

static inline int
tear_down(void **state)
{
	struct context *c = *state;

	sqlite3_close(c->db);
	registry_close(c->store);
	registry_close(c->broker);
	remove_dir(c->dir);
	free(c);
	return 0;
}

static inline void
sql(struct context *c, const char *text)
{
	char *error = NULL;

	if (sqlite3_exec(c->db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", text, error);
}

/* A text that SQLite reads, "" for null; valid until the next call. */
static inline const char *
ask(struct context *c, const char *query)
{
	static char text[512];
	sqlite3_stmt *q;

	if (sqlite3_prepare_v2(c->db, query, -1, &q, NULL) != SQLITE_OK)
		fail_msg("%s: %s", query, sqlite3_errmsg(c->db));
	text[0] = '\0';
	if (sqlite3_step(q) == SQLITE_ROW && sqlite3_column_text(q, 0))
		snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	return text;
}

static inline int64_t
count(struct context *c, const char *query)
{
	return strtoll(ask(c, query), NULL, 10);
}

static inline void
add(struct context *c, const char *id, const struct store_device *device)
{
	static const struct store_device plain = {.gateway = false};
	struct fault f = FAULT_INIT;

	assert_ok(store_device_create(
			  c->store, named(id), device ? device : &plain, NULL, 0, NOW, &f),
		&f);
}

static inline void
add_key(struct context *c, const char *id, EVP_PKEY *key)
{
	struct store_credential credential = {.name = "key", .type = "es256-pem"};
	AUTO(auto_free) char *pem = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(key_public_pem(key, &pem, &f), &f);
	credential.pem = pem;
	assert_ok(store_credential_create(c->store, named(id), &credential, NOW, &f), &f);
}

static inline json_t *
describe(struct context *c, const char *id)
{
	struct fault f = FAULT_INIT;
	json_t *about;

	assert_ok(store_device_describe(c->store, named(id), &about, &f), &f);
	return about;
}

/* The text at a path such as "a.b". */
static inline const char *
text_of(const json_t *thing, const char *path)
{
	char copy[64], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, ".", &rest); name; name = strtok_r(NULL, ".", &rest))
		thing = json_object_get(thing, name);
	return json_string_value(thing) ? json_string_value(thing) : "(none)";
}

static inline int
update_config(struct context *c, const char *data, int64_t expected, time_t now, struct fault *f)
{
	json_t *config;

	if (store_config_update(
		    c->store, named("dev"), data, strlen(data), expected, now, &config, f))
		return -1;
	json_decref(config);
	return 0;
}

/* What the broker would send. */
static inline void
assert_config(struct context *c, int64_t version, const char *data)
{
	struct registry_config config;
	struct fault f = FAULT_INIT;

	assert_ok(registry_config(c->broker, count(c, "SELECT id FROM devices WHERE name = 'dev'"),
			  &config, &f),
		&f);
	assert_int_equal(config.version, version);
	assert_int_equal(config.len, strlen(data));
	if (config.len)
		assert_memory_equal(config.data, data, config.len);
	free(config.data);
}

/* The ids of a list, with a blank behind each. */
static inline void
assert_list(struct context *c, const struct store_filter *filter, const char *wanted)
{
	struct fault f = FAULT_INIT;
	char ids[256] = "";
	json_t *list, *one;
	size_t i;

	assert_ok(store_device_list(c->store, &place, filter, &list, &f), &f);
	json_array_foreach(list, i, one)
	{
		strcat(ids, text_of(one, "id"));
		strcat(ids, " ");
	}
	json_decref(list);
	assert_string_equal(ids, wanted);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif
