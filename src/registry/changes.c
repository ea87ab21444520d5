#include "config.h"

#include "registry/changes.h"

/*
 * Finds the newest row when id is 0, else the row of that number.
 *
 * ret  receives zeros when there is no such row
 */
static int
find(struct registry *r, int64_t id, struct change *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (id ? db_prepare(r, "SELECT id, stamp FROM changes WHERE id = ?", &q, f, "i", id)
	       : db_prepare(r, "SELECT id, stamp FROM changes ORDER BY id DESC LIMIT 1", &q, f, ""))
		return -1;
	if (db_step(r, q, &row, f))
		return -1;
	ret->id = row ? sqlite3_column_int64(q, 0) : 0;
	ret->stamp = row ? sqlite3_column_int64(q, 1) : 0;
	return 0;
}

/* Notes when the file no longer has the newest row that was seen. */
static int
check_seen(struct registry *r, struct fault *f)
{
	struct change still;

	if (!r->seen.id)
		return 0;
	if (find(r, r->seen.id, &still, f))
		return -1;
	if (still.id != r->seen.id || still.stamp != r->seen.stamp)
		r->restored = true;
	return 0;
}

int
changes_see(struct registry *r, struct fault *f)
{
	struct change newest;

	if (check_seen(r, f) || find(r, 0, &newest, f))
		return -1;
	r->seen = newest;
	return 0;
}

static int
read_on(struct registry *r, int64_t *rows, size_t size, size_t *ret_n, bool *ret_all,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct change last = {.id = r->last_change};
	bool row, all = false;
	size_t n = 0;

	if (db_prepare(r, "SELECT id, stamp, device FROM changes WHERE id > ? ORDER BY id", &q, f,
		    "i", last.id))
		return -1;
	while (n < size) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		/* A gap: rows were deleted before they were read. */
		all = all || sqlite3_column_int64(q, 0) != last.id + 1;
		last.id = sqlite3_column_int64(q, 0);
		last.stamp = sqlite3_column_int64(q, 1);
		if (sqlite3_column_type(q, 2) == SQLITE_NULL)
			continue;
		rows[n] = sqlite3_column_int64(q, 2);
		all = all || rows[n] == 0;
		n++;
	}
	r->last_change = last.id;
	if (last.id > r->seen.id)
		r->seen = last;
	*ret_n = n;
	*ret_all = all;
	return 0;
}

int
registry_changes(struct registry *registry, int64_t *rows, size_t size, size_t *ret_n,
	bool *ret_all, struct fault *f)
{
	AUTO(db_auto) struct registry *open = registry;

	(void)open;
	if (db_begin_read(registry, f) || check_seen(registry, f))
		return -1;
	if (registry->last_change >= 0 && !registry->restored)
		return read_on(registry, rows, size, ret_n, ret_all, f);
	/* Begins with the newest row. A restored file gives the numbers of commands again. */
	if (find(registry, 0, &registry->seen, f))
		return -1;
	registry->last_change = registry->seen.id;
	registry->last_command = 0;
	registry->restored = false;
	*ret_n = 0;
	*ret_all = true;
	return 0;
}
