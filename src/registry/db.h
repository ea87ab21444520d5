/* db: the file as SQL: statements prepared once, values bound by kind, faults in words. Private. */
#ifndef REGISTRY_DB_H
#define REGISTRY_DB_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

#include "base/fault.h"
#include "pki/crl.h"
#include "registry/registry.h"

/* Statements kept prepared: more than there are in the code. */
#define DB_STATEMENTS_MAX 192

/*
 * Keys of credentials kept parsed, with what revocation lists are searched by; the broker's devices
 * come back within a token's lifetime.
 */
#define KEYS_MAX 8192

/*
 * digest  SHA-256 of the credential's PEM, by which it is known: a row's number may name another
 *         credential once the file was restored from a copy
 * id      has no serial when the credential is not a certificate
 */
struct known_key {
	unsigned char digest[REGISTRY_CREDENTIAL_LEN];
	EVP_PKEY *key;
	struct crl_id id;
};

/* A row of `changes`: its random stamp tells it from another row that has its number. */
struct change {
	int64_t id;
	int64_t stamp;
};

struct registry {
	sqlite3 *db;
	char *path;
	struct {
		const char *sql;
		sqlite3_stmt *statement;
	} statements[DB_STATEMENTS_MAX];
	int64_t data_version;
	int patience_ms;      /* how long to wait for another program's transaction */
	int64_t lock_wait_us; /* when the wait for a lock began that is going on */
	int64_t locked_us;    /* when that was last in vain; 0 never */
	long skew_s;	      /* how far clocks may differ */
	bool strict;	      /* tokens must be RFC 7515 and RFC 7519 to the letter */
	struct registry_retention retention;
	struct known_key keys[KEYS_MAX];
	struct key_reader *reader;
	struct route *routes;
	struct revoked *revoked; /* NULL without lists */
	int64_t last_change;	 /* the newest row of `changes` that was read; -1 at first */
	struct change seen;	 /* the newest that the file had when something was taken from it */
	bool restored;		 /* that row is gone or another */
	int64_t last_command;	 /* the newest command that was handed out; 0 at first */
	int64_t last_message;	 /* the newest id that this process gave */
};

/* FAULT_IO with SQLite's reason (FAULT_EXISTS for a name that is there already). Returns -1. */
int db_fault(struct registry *r, const char *what, struct fault *f);

/*
 * Gets a statement ready to step.
 *
 * sql    a literal: it is known by its address
 * kinds  a character a value: 't' const char * (or NULL), 'i' int64_t, 'b' const void *, size_t
 * ret    belongs to the registry; db_reset() it after the last step
 */
int db_prepare(struct registry *r, const char *sql, sqlite3_stmt **ret, struct fault *f,
	const char *kinds, ...);

/* Steps; *ret_row says whether a row is there. A statement that fails or ends is reset. */
int db_step(struct registry *r, sqlite3_stmt *statement, bool *ret_row, struct fault *f);

/* Prepares, steps to the end and resets. */
int db_run(struct registry *r, const char *sql, struct fault *f, const char *kinds, ...);

/* Has SQLite wait for locks of other processes, for patience_ms. */
void db_wait_for_locks(struct registry *r);

/*
 * SQL for the number of a new row. Numbers of a table increase, and their low 31 bits are random:
 * when a file is restored from a copy, a number that was given since is not given again.
 */
#define DB_NEW_ID(table) \
	"(SELECT ((coalesce(max(id), 0) >> 31) + 1 << 31) + (random() & 2147483647) FROM " table ")"

/* A transaction that takes the write lock at once; db_rollback() after db_commit() does nothing. */
int db_begin(struct registry *r, struct fault *f);

/* A transaction in which all statements read one state of the file; end it with db_rollback(). */
int db_begin_read(struct registry *r, struct fault *f);
int db_commit(struct registry *r, struct fault *f);
void db_rollback(struct registry *r);

/* Ends an open transaction when the scope ends: AUTO(db_auto) struct registry *open = r; */
void db_auto(struct registry **r);

/* Ends a statement that was not stepped to its end. */
static inline void
auto_reset(sqlite3_stmt **statement)
{
	if (*statement)
		sqlite3_reset(*statement);
}

/* A column's text, "" for null; valid until the next step. */
const char *db_text(sqlite3_stmt *statement, int column);

/* Creates or migrates the schema; FAULT_CONFIG for a file that is not ours or is newer. */
int schema_open(struct registry *r, struct fault *f);

#endif
