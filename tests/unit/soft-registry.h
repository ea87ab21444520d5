/* soft-registry: a registry's file with a CA of its own, for tests of who it lets in. */
#ifndef TESTS_UNIT_SOFT_REGISTRY_H
#define TESTS_UNIT_SOFT_REGISTRY_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sqlite3.h>

#include "pki/cert.h"
#include "registry/db.h"
#include "registry/store.h"
#include "soft-cert.h"
#include "soft-client.h"
#include "soft-dir.h"
#include "soft-key.h"
#include "unit.h"

/*
 * broker     the registry as the broker has it open
 * db         the same file, through SQLite alone
 * false_ca   of the same name as ca, and not the registry's
 */
struct context {
	char dir[64];
	char path[96];
	struct registry *broker;
	sqlite3 *db;
	EVP_PKEY *ca_key, *false_key, *key, *other;
	X509 *ca, *false_ca;
};

static inline void
sql(struct context *c, const char *text)
{
	char *error = NULL;

	if (sqlite3_exec(c->db, text, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", text, error);
	registry_changed(c->broker);
}

/* A number that SQLite reads. */
static inline long
count(struct context *c, const char *query)
{
	sqlite3_stmt *q;
	long n;

	assert_int_equal(sqlite3_prepare_v2(c->db, query, -1, &q, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(q), SQLITE_ROW);
	n = (long)sqlite3_column_int64(q, 0);
	sqlite3_finalize(q);
	return n;
}

static inline X509 *
make_ca(EVP_PKEY *key)
{
	const struct soft_cert what = {.cn = "CA",
		.key = key,
		.is_ca = true,
		.serial = 1,
		.from = NOW - 10 * SOFT_DAY,
		.days = 1000};

	return soft_cert(&what);
}

static inline int
set_up(void **state)
{
	static const struct rules_client place = {.project = "p", .region = "r", .registry = "reg"};
	struct context *c = calloc(1, sizeof(*c));
	struct fault f = FAULT_INIT;
	char *pem;

	strcpy(c->dir, "/tmp/test-admit-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->path, sizeof(c->path), "%s/registry.db", c->dir);
	c->ca_key = soft_key("P-256");
	c->false_key = soft_key("P-256");
	c->key = soft_key("P-256");
	c->other = soft_key("P-256");
	c->ca = make_ca(c->ca_key);
	c->false_ca = make_ca(c->false_key);
	assert_ok(registry_open(c->path, &c->broker, &f), &f);
	assert_ok(cert_pem(c->ca, &pem, &f), &f);
	assert_ok(store_registry_create(c->broker, &place, NULL, 0, &pem, 1, NOW, &f), &f);
	free(pem);
	assert_int_equal(sqlite3_open(c->path, &c->db), SQLITE_OK);
	sqlite3_busy_timeout(c->db, 10000);
	*state = c;
	return 0;
}

static inline int
tear_down(void **state)
{
	struct context *c = *state;

	sqlite3_close(c->db);
	registry_close(c->broker);
	EVP_PKEY_free(c->ca_key);
	EVP_PKEY_free(c->false_key);
	EVP_PKEY_free(c->key);
	EVP_PKEY_free(c->other);
	X509_free(c->ca);
	X509_free(c->false_ca);
	remove_dir(c->dir);
	free(c);
	return 0;
}

/* What a device's certificate is when a test does not say otherwise. */
static inline struct soft_cert
ordinary(struct context *c, const char *cn)
{
	return (struct soft_cert){.cn = cn,
		.key = c->key,
		.ca = c->ca,
		.ca_key = c->ca_key,
		.serial = 7,
		.from = NOW - SOFT_DAY,
		.days = 100};
}

static inline void
assert_says(const struct fault *f, const char *reason)
{
	if (!strstr(f->text, reason))
		fail_msg("'%s' instead of '%s'", f->text, reason);
}

#endif
