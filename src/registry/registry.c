#include "config.h"

#include "registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/key.h"
#include "registry/db.h"
#include "registry/retention.h"
#include "registry/revoked.h"
#include "registry/route.h"

#define PATIENCE_MS 1000

/*
 * The file is made private before SQLite makes it readable for everyone; its journals get the same
 * permissions.
 */
static int
create(const char *path, struct fault *f)
{
	AUTO(auto_fd) int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EEXIST)
		return fault_errno(f, "cannot create the registry '%s'", path);
	return 0;
}

static int
set_up(struct registry *r, struct fault *f)
{
	sqlite3_extended_result_codes(r->db, 1);
	r->patience_ms = PATIENCE_MS;
	r->skew_s = RULES_SKEW_S;
	r->retention = retention_preset;
	db_wait_for_locks(r);
	/* SQLite opens what cannot be written for reading, without a word. */
	if (sqlite3_db_readonly(r->db, "main"))
		return fault_set(f, FAULT_IO,
			"cannot open the registry: '%s' may not be written by this user", r->path);
	return schema_open(r, f);
}

int
registry_open(const char *path, struct registry **ret_registry, struct fault *f)
{
	AUTO(auto_registry) struct registry *r = calloc(1, sizeof(*r));

	if (!r)
		return fault_nomem(f);
	r->last_change = -1;
	if (!*path)
		return fault_set(f, FAULT_CONFIG, "the registry's file has no name");
	/* What SQLite would take for something else than a file gets a folder before it. */
	if (asprintf(&r->path, "%s%s", *path == ':' ? "./" : "", path) < 0) {
		r->path = NULL;
		return fault_nomem(f);
	}
	if (create(r->path, f) || key_reader_new(&r->reader, f))
		return -1;
	if (sqlite3_open_v2(r->path, &r->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
		    NULL) != SQLITE_OK) {
		if (!r->db)
			return fault_nomem(f);
		return db_fault(r, "cannot open the registry", f);
	}
	if (set_up(r, f))
		return -1;
	*ret_registry = TAKE(r);
	return 0;
}

void
registry_close(struct registry *registry)
{
	if (!registry)
		return;
	route_forget(registry);
	for (int i = 0; i < DB_STATEMENTS_MAX; i++)
		sqlite3_finalize(registry->statements[i].statement);
	for (int i = 0; i < KEYS_MAX; i++) {
		EVP_PKEY_free(registry->keys[i].key);
		crl_id_clear(&registry->keys[i].id);
	}
	revoked_free(registry);
	key_reader_free(registry->reader);
	sqlite3_close(registry->db);
	free(registry->path);
	free(registry);
}

void
registry_set_patience(struct registry *registry, int ms)
{
	registry->patience_ms = ms;
}

void
registry_set_skew(struct registry *registry, long skew_s)
{
	registry->skew_s = skew_s;
}

void
registry_set_strict(struct registry *registry, bool strict)
{
	registry->strict = strict;
}

void
registry_set_retention(struct registry *registry, const struct registry_retention *retention)
{
	registry->retention = *retention;
}

bool
registry_changed(struct registry *registry)
{
	sqlite3_stmt *statement;
	int64_t version = registry->data_version;
	bool row;

	if (db_prepare(registry, "PRAGMA data_version", &statement, NULL, "") ||
		db_step(registry, statement, &row, NULL))
		return false;
	if (row)
		version = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	if (version == registry->data_version)
		return false;
	registry->data_version = version;
	route_forget(registry);
	revoked_look_again(registry);
	return true;
}
