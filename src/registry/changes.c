#include "config.h"

#include "registry/registry.h"

#include "registry/db.h"

/* The newest row, and the oldest that is still there; 0 when none was ever written. */
static int
bounds(struct registry *r, int64_t *ret_oldest, int64_t *ret_newest, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT coalesce((SELECT min(id) FROM changes), 0),"
		    " coalesce((SELECT max(id) FROM changes), 0)",
		    &q, f, "") ||
		db_step(r, q, &row, f))
		return -1;
	*ret_oldest = sqlite3_column_int64(q, 0);
	*ret_newest = sqlite3_column_int64(q, 1);
	return 0;
}

int
registry_changes(struct registry *registry, int64_t *rows, size_t size, size_t *ret_n,
	bool *ret_all, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t oldest, newest, last = registry->last_change;
	bool row, all = false;
	size_t n = 0;

	if (bounds(registry, &oldest, &newest, f))
		return -1;
	/* A file that was put back from a copy has gone back in its numbers. */
	if (last < 0 || last > newest || last + 1 < oldest) {
		registry->last_change = newest;
		*ret_n = 0;
		*ret_all = true;
		return 0;
	}
	if (db_prepare(registry, "SELECT id, device FROM changes WHERE id > ? ORDER BY id LIMIT ?",
		    &q, f, "ii", last, (int64_t)size))
		return -1;
	while (n < size) {
		if (db_step(registry, q, &row, f))
			return -1;
		if (!row)
			break;
		last = sqlite3_column_int64(q, 0);
		rows[n] = sqlite3_column_int64(q, 1);
		all = all || rows[n] == 0;
		n++;
	}
	registry->last_change = last;
	*ret_n = n;
	*ret_all = all;
	return 0;
}
