#include "config.h"

#include "registry/store.h"

#include <string.h>

#include "jwt/jwt.h"
#include "registry/look.h"

/* What all of the queries ask for; `at` is ?1 to ?3, since ?4, the limit ?5. */
#define LINES \
	"SELECT time, event, region, registry, device, detail FROM audit WHERE project = ?1" \
	" AND (?2 = '' OR region = ?2) AND time >= ?4"
#define NEWEST " ORDER BY id DESC LIMIT ?5"

/* A device's lines stand together in the index; others are passed by from the newest on. */
static int
query(struct registry *r, const struct rules_client *at, int64_t limit, time_t since,
	sqlite3_stmt **ret, struct fault *f)
{
	if (*at->device)
		return db_prepare(r, LINES " AND registry = ?3 AND device = ?6" NEWEST, ret, f,
			"tttiit", at->project, at->region, at->registry, (int64_t)since, limit,
			at->device);
	return db_prepare(r, LINES " AND (?3 = '' OR registry = ?3)" NEWEST, ret, f, "tttii",
		at->project, at->region, at->registry, (int64_t)since, limit);
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

/* The newest come first out of the file, and stand last in the list. */
static int
reverse(const json_t *list, json_t **ret, struct fault *f)
{
	AUTO(auto_json) json_t *turned = json_array();

	if (!turned)
		return fault_nomem(f);
	for (size_t i = json_array_size(list); i > 0; i--) {
		if (json_array_append(turned, json_array_get(list, i - 1)))
			return fault_nomem(f);
	}
	*ret = TAKE(turned);
	return 0;
}

int
store_log_list(struct registry *r, const struct rules_client *at, long limit, time_t since,
	json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	struct rules_client of = *at;
	char time[32];
	bool row;

	if (!list)
		return fault_nomem(f);
	if (find_name(r, &of, f) || query(r, &of, limit, since, &q, f))
		return -1;
	for (;;) {
		json_t *line;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		line = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "time",
			look_time(sqlite3_column_int64(q, 0), time, sizeof(time)), "event",
			db_text(q, 1), "region", db_text(q, 2), "registry", db_text(q, 3), "device",
			db_text(q, 4), "detail", db_text(q, 5));
		if (look_append(list, line, f))
			return -1;
	}
	return reverse(list, ret, f);
}
