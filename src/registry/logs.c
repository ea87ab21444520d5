#include "config.h"

#include "registry/store.h"

#include <string.h>

#include "jwt/jwt.h"
#include "registry/look.h"

/*
 * What both queries ask for: ?1 to ?3 are `at`, ?4 is since, ?5 the limit, ?6 the class. The newest
 * lines by number are shown by time: the broker writes its lines a moment after they happened.
 */
#define LINES \
	"SELECT * FROM (SELECT time, event, region, registry, device, detail, class, id" \
	" FROM audit WHERE project = ?1 AND (?2 = '' OR region = ?2) AND time >= ?4" \
	" AND (?6 = '' OR class = ?6)"
#define NEWEST " ORDER BY id DESC LIMIT ?5) AS newest ORDER BY time, id"

/* A device's lines stand together in the index; others are skipped, from the newest on. */
static int
query(struct registry *r, const struct rules_client *at, const struct store_log_filter *filter,
	sqlite3_stmt **ret, struct fault *f)
{
	const char *class = filter->class ? filter->class : "";

	if (*at->device)
		return db_prepare(r, LINES " AND registry = ?3 AND device = ?7" NEWEST, ret, f,
			"tttiitt", at->project, at->region, at->registry, (int64_t)filter->since,
			(int64_t)filter->limit, class, at->device);
	return db_prepare(r, LINES " AND (?3 = '' OR registry = ?3)" NEWEST, ret, f, "tttiit",
		at->project, at->region, at->registry, (int64_t)filter->since,
		(int64_t)filter->limit, class);
}

/* What was deleted has lines still, so only a number must be known. */
static int
find_name(struct registry *r, struct rules_client *at, struct fault *f)
{
	AUTO(auto_json) json_t *about = NULL;

	if (!rules_is_number(at->device))
		return 0;
	if (store_device_describe(r, at, &about, f))
		return -1;
	strcpy(at->device, json_string_value(json_object_get(about, "id")));
	return 0;
}

int
store_log_list(struct registry *r, const struct rules_client *at,
	const struct store_log_filter *filter, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	struct rules_client of = *at;
	char time[32];
	bool row;

	if (!list)
		return fault_nomem(f);
	if (find_name(r, &of, f) || query(r, &of, filter, &q, f))
		return -1;
	for (;;) {
		json_t *line;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "time",
			look_time(sqlite3_column_int64(q, 0), time, sizeof(time)), "event",
			db_text(q, 1), "region", db_text(q, 2), "registry", db_text(q, 3), "device",
			db_text(q, 4), "detail", db_text(q, 5), "class", db_text(q, 6));
		if (look_append(list, line, f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}
