#include "config.h"

#include "registry/store.h"

#include "jwt/jwt.h"
#include "registry/look.h"

int
store_topic_create(struct registry *r, const char *project, const char *topic, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	struct look_path path;

	(void)open;
	if (look_path("topics", project, topic, &path, f) || db_begin(r, f))
		return -1;
	if (db_run(r, "INSERT INTO topics (project, name) VALUES (?, ?)", f, "tt", path.project,
		    path.id))
		return fault_prefix(f, "topic '%s'", path.id);
	return db_commit(r, f);
}

/* What a row says: a topic's only column is its id; a subscription's are SUBSCRIPTION. */
static json_t *
describe(sqlite3_stmt *q, const char *project, const char *kind)
{
	json_t *about = json_pack("{s:s, s:o}", "id", db_text(q, 0), "name",
		json_sprintf("projects/%s/%s/%s", project, kind, db_text(q, 0)));

	if (!about || sqlite3_column_count(q) == 1)
		return about;
	if (json_object_update_new(
		    about, json_pack("{s:s, s:s, s:I, s:I, s:I}", "topic", db_text(q, 1), "state",
				   sqlite3_column_int(q, 2) ? "DELETING" : "ACTIVE",
				   "numUndeliveredMessages", (json_int_t)sqlite3_column_int64(q, 3),
				   "numUndeliveredBytes", (json_int_t)sqlite3_column_int64(q, 4),
				   "numDroppedMessages", (json_int_t)sqlite3_column_int64(q, 5)))) {
		json_decref(about);
		return NULL;
	}
	return about;
}

#define SUBSCRIPTION \
	"SELECT s.name, t.name, s.deleting, coalesce(n.number - s.gone, 0)," \
	" coalesce(n.total_bytes - s.gone_bytes, 0), s.dropped FROM subscriptions s" \
	" JOIN topics t ON s.topic = t.id LEFT JOIN deliveries n ON n.subscription = s.id" \
	" AND n.number = (SELECT max(number) FROM deliveries WHERE subscription = s.id) WHERE "

/* Lists rows of a project. */
static int
list(struct registry *r, const char *sql, const char *project, const char *kind, json_t **ret,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *all = json_array();
	bool row;

	if (!all)
		return fault_nomem(f);
	if (db_prepare(r, sql, &q, f, "t", project))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(all, describe(q, project, kind), f))
			return -1;
	}
	*ret = TAKE(all);
	return 0;
}

int
store_topic_list(struct registry *r, const char *project, json_t **ret, struct fault *f)
{
	return list(r, "SELECT name FROM topics WHERE project = ? ORDER BY name", project, "topics",
		ret, f);
}

/* Who still names it: the fault says which to delete or to change. */
static int
check_unused(struct registry *r, int64_t topic, const char *name, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT 'subscription', name FROM subscriptions WHERE topic = ?1"
		    " UNION ALL SELECT 'registry', r.name FROM notifications n"
		    " JOIN registries r ON n.registry = r.id WHERE n.topic = ?1"
		    " UNION ALL SELECT 'registry', name FROM registries WHERE state_topic = ?1"
		    " LIMIT 1",
		    &q, f, "i", topic) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return 0;
	return fault_set(f, FAULT_EXISTS, "topic '%.128s' is still in use by %s '%.64s': %s first",
		name, db_text(q, 0), db_text(q, 1),
		*db_text(q, 0) == 's' ? "delete that"
				      : "give that another with 'registries update'");
}

int
store_topic_delete(struct registry *r, const char *project, const char *topic, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t row;

	(void)open;
	if (db_begin(r, f) || look_topic(r, project, topic, &row, f) ||
		check_unused(r, row, topic, f) ||
		db_run(r, "DELETE FROM topics WHERE id = ?", f, "i", row))
		return -1;
	return db_commit(r, f);
}

static int
check_not_deleting(struct registry *r, const struct look_path *path, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT 1 FROM subscriptions WHERE project = ? AND name = ? AND deleting",
		    &q, f, "tt", path->project, path->id) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return 0;
	return fault_set(f, FAULT_EXISTS,
		"subscription '%s' is being deleted: finish that with 'pubsub subscriptions delete "
		"%s'",
		path->id, path->id);
}

int
store_subscription_create(struct registry *r, const char *project, const char *subscription,
	const char *topic, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	struct look_path path;
	int64_t row;

	(void)open;
	if (look_path("subscriptions", project, subscription, &path, f) || db_begin(r, f) ||
		look_topic(r, project, topic, &row, f) || check_not_deleting(r, &path, f))
		return -1;
	if (db_run(r, "INSERT INTO subscriptions (project, name, topic) VALUES (?, ?, ?)", f, "tti",
		    path.project, path.id, row))
		return fault_prefix(f, "subscription '%s'", path.id);
	return db_commit(r, f);
}

int
store_subscription_list(struct registry *r, const char *project, json_t **ret, struct fault *f)
{
	return list(
		r, SUBSCRIPTION "s.project = ? ORDER BY s.name", project, "subscriptions", ret, f);
}

int
store_subscription_describe(struct registry *r, const char *project, const char *subscription,
	json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct look_path path;
	json_t *about;
	int64_t id;
	bool row;

	if (look_path("subscriptions", project, subscription, &path, f) ||
		look_subscription(r, project, subscription, true, &id, f) ||
		db_prepare(r, SUBSCRIPTION "s.id = ?", &q, f, "i", id) || db_step(r, q, &row, f))
		return -1;
	about = row ? describe(q, path.project, "subscriptions") : NULL;
	if (!about)
		return row ? fault_nomem(f)
			   : fault_set(f, FAULT_NOTFOUND, "subscription '%s' was just deleted",
				     path.id);
	*ret = about;
	return 0;
}
