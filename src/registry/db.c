#include "config.h"

#include "registry/db.h"

#include "base/clock.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

/* How long a file that was locked is not waited for again. */
#define LOCKED_FOR_US 1000000

/* How often a locked file is tried: less than the pause between two transactions of a batch. */
#define LOCK_POLL_US 250

int
db_fault(struct registry *r, const char *what, struct fault *f)
{
	int code = sqlite3_extended_errcode(r->db);

	switch (code & 0xff) {
	case SQLITE_CONSTRAINT:
		fault_set(f, FAULT_EXISTS, "%s",
			code == SQLITE_CONSTRAINT_FOREIGNKEY ? "it is still in use"
							     : "it is there already");
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		fault_set(f, FAULT_IO, "%s: '%s' is locked by another program: try again", what,
			r->path);
		break;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		fault_set(f, FAULT_CONFIG, "%s: '%s' is no registry, or damaged: restore a copy",
			what, r->path);
		break;
	case SQLITE_FULL:
		fault_set(f, FAULT_IO, "%s: the disk is full", what);
		break;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		fault_set(f, FAULT_IO, "%s: '%s' and its folder must be writable by who runs this",
			what, r->path);
		break;
	case SQLITE_NOMEM:
		return fault_nomem(f);
	default:
		fault_set(f, FAULT_IO, "%s: '%s': %s", what, r->path, sqlite3_errmsg(r->db));
	}
	if (f)
		f->native = (unsigned long)code;
	return -1;
}

static int
find(struct registry *r, const char *sql, sqlite3_stmt **ret, struct fault *f)
{
	for (int i = 0; i < DB_STATEMENTS_MAX; i++) {
		if (r->statements[i].sql == sql) {
			*ret = r->statements[i].statement;
			sqlite3_reset(*ret);
			return 0;
		}
		if (r->statements[i].sql)
			continue;
		if (sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) !=
			SQLITE_OK)
			return db_fault(r, "cannot read the registry", f);
		r->statements[i].sql = sql;
		r->statements[i].statement = *ret;
		return 0;
	}
	return fault_set(f, FAULT_NOMEM, "too many statements");
}

static int
bind(struct registry *r, sqlite3_stmt *statement, struct fault *f, const char *kinds, va_list ap)
{
	int rc = SQLITE_OK;

	sqlite3_clear_bindings(statement);
	for (int i = 1; *kinds && rc == SQLITE_OK; i++, kinds++) {
		const void *data;

		switch (*kinds) {
		case 't':
			rc = sqlite3_bind_text(
				statement, i, va_arg(ap, const char *), -1, SQLITE_TRANSIENT);
			break;
		case 'i':
			rc = sqlite3_bind_int64(statement, i, va_arg(ap, int64_t));
			break;
		default:
			data = va_arg(ap, const void *);
			rc = sqlite3_bind_blob64(
				statement, i, data, va_arg(ap, size_t), SQLITE_TRANSIENT);
		}
	}
	return rc == SQLITE_OK ? 0 : db_fault(r, "cannot bind a value", f);
}

int
db_prepare(struct registry *r, const char *sql, sqlite3_stmt **ret, struct fault *f,
	const char *kinds, ...)
{
	sqlite3_stmt *statement;
	va_list ap;
	int rc;

	if (find(r, sql, &statement, f))
		return -1;
	va_start(ap, kinds);
	rc = bind(r, statement, f, kinds, ap);
	va_end(ap);
	if (rc == 0)
		*ret = statement;
	return rc;
}

int
db_step(struct registry *r, sqlite3_stmt *statement, bool *ret_row, struct fault *f)
{
	int rc = sqlite3_step(statement);

	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		db_fault(r, "the registry's file failed", f);
		sqlite3_reset(statement);
		return -1;
	}
	if (rc == SQLITE_DONE)
		sqlite3_reset(statement);
	*ret_row = rc == SQLITE_ROW;
	return 0;
}

int
db_run(struct registry *r, const char *sql, struct fault *f, const char *kinds, ...)
{
	sqlite3_stmt *statement;
	bool row = true;
	va_list ap;
	int rc;

	if (find(r, sql, &statement, f))
		return -1;
	va_start(ap, kinds);
	rc = bind(r, statement, f, kinds, ap);
	va_end(ap);
	while (rc == 0 && row)
		rc = db_step(r, statement, &row, f);
	return rc;
}

/*
 * SQLite's own handler sleeps for longer and longer: it would sleep through the pauses that a batch
 * of another process leaves.
 */
static int
wait_for_lock(void *with, int tries)
{
	static const struct timespec pause = {.tv_nsec = LOCK_POLL_US * 1000};
	struct registry *r = with;

	if (tries == 0)
		r->lock_wait_us = clock_us(CLOCK_MONOTONIC);
	if (clock_us(CLOCK_MONOTONIC) - r->lock_wait_us >= r->patience_ms * INT64_C(1000))
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

void
db_wait_for_locks(struct registry *r)
{
	sqlite3_busy_handler(r->db, wait_for_lock, r);
}

/*
 * A file that was locked a moment ago probably is still: who asks once for each message must not
 * wait once for each.
 */
int
db_begin(struct registry *r, struct fault *f)
{
	bool again = r->locked_us && clock_us(CLOCK_MONOTONIC) - r->locked_us < LOCKED_FOR_US;
	int patience_ms = r->patience_ms, rc;

	if (again)
		r->patience_ms = 0;
	rc = db_run(r, "BEGIN IMMEDIATE", f, "");
	r->patience_ms = patience_ms;
	if (!rc)
		r->locked_us = 0;
	else if (!again && (sqlite3_errcode(r->db) & 0xff) == SQLITE_BUSY)
		r->locked_us = clock_us(CLOCK_MONOTONIC);
	return rc;
}

int
db_begin_read(struct registry *r, struct fault *f)
{
	return db_run(r, "BEGIN", f, "");
}

int
db_commit(struct registry *r, struct fault *f)
{
	return db_run(r, "COMMIT", f, "");
}

void
db_rollback(struct registry *r)
{
	if (!sqlite3_get_autocommit(r->db))
		sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
}

void
db_auto(struct registry **r)
{
	db_rollback(*r);
}

const char *
db_text(sqlite3_stmt *statement, int column)
{
	const unsigned char *text = sqlite3_column_text(statement, column);

	return text ? (const char *)text : "";
}
