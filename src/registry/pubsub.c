#include "config.h"

#include "registry/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "jwt/jwt.h"
#include "registry/batch.h"
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

/* The columns after the name that store_subscription_list() asks for. */
static int
add_subscription(sqlite3_stmt *q, json_t *entry, struct fault *f)
{
	json_t *more = json_pack("{s:s, s:s, s:I, s:I, s:I}", "topic", db_text(q, 1), "state",
		sqlite3_column_int(q, 2) ? "DELETING" : "ACTIVE", "numUndeliveredMessages",
		(json_int_t)sqlite3_column_int64(q, 3), "numUndeliveredBytes",
		(json_int_t)sqlite3_column_int64(q, 4), "numDroppedMessages",
		(json_int_t)sqlite3_column_int64(q, 5));

	return json_object_update_new(entry, more) ? fault_nomem(f) : 0;
}

/* Lists rows of a project: topics, whose only column is the name, or subscriptions. */
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
		json_t *entry;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		entry = json_pack("{s:s, s:o}", "id", db_text(q, 0), "name",
			json_sprintf("projects/%s/%s/%s", project, kind, db_text(q, 0)));
		if (look_append(all, entry, f) ||
			(sqlite3_column_count(q) > 1 && add_subscription(q, entry, f)))
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
	return list(r,
		"SELECT s.name, t.name, s.deleting, s.messages, s.bytes, s.dropped"
		" FROM subscriptions s JOIN topics t ON s.topic = t.id"
		" WHERE s.project = ? ORDER BY s.name",
		project, "subscriptions", ret, f);
}

/* One that is being deleted is found only when `deleting` allows it. */
static int
look_subscription(struct registry *r, const char *project, const char *subscription, bool deleting,
	int64_t *ret_row, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct look_path path;
	bool row;

	if (look_path("subscriptions", project, subscription, &path, f) ||
		db_prepare(r,
			"SELECT id, deleting FROM subscriptions WHERE project = ? AND name = ?", &q,
			f, "tt", path.project, path.id) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no subscription '%s' in project '%s': create it with 'pubsub "
			"subscriptions create %s --topic=TOPIC'",
			path.id, path.project, path.id);
	if (sqlite3_column_int(q, 1) && !deleting)
		return fault_set(f, FAULT_NOTFOUND,
			"subscription '%s' is being deleted: finish that with 'pubsub "
			"subscriptions delete %s'",
			path.id, path.id);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

/*
 * What a subscription's deletion works on.
 *
 * total  messages that it had
 * done   those that are deleted
 */
struct deletion {
	int64_t subscription;
	int64_t total, done;
	store_progress_fn *progress;
	void *with;
};

/* The broker adds no more messages from then on; the deletion is resumed when it is interrupted. */
static int
begin_deletion(struct registry *r, const char *project, const char *subscription,
	struct deletion *d, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	(void)open;
	if (db_begin(r, f) ||
		look_subscription(r, project, subscription, true, &d->subscription, f) ||
		db_run(r, "UPDATE subscriptions SET deleting = 1 WHERE id = ?", f, "i",
			d->subscription) ||
		db_prepare(r, "SELECT messages FROM subscriptions WHERE id = ?", &q, f, "i",
			d->subscription) ||
		db_step(r, q, &row, f))
		return -1;
	d->total = sqlite3_column_int64(q, 0);
	sqlite3_reset(TAKE(q));
	return db_commit(r, f);
}

/* Its oldest message, or itself when it has none left. */
static int
delete_one(struct registry *r, void *with, bool *ret_more, struct fault *f)
{
	struct deletion *d = with;

	if (db_run(r,
		    "DELETE FROM deliveries WHERE subscription = ?1 AND number ="
		    " (SELECT min(number) FROM deliveries WHERE subscription = ?1)",
		    f, "i", d->subscription))
		return -1;
	*ret_more = sqlite3_changes(r->db) > 0;
	if (!*ret_more)
		return db_run(r, "DELETE FROM subscriptions WHERE id = ?", f, "i", d->subscription);
	d->done++;
	if (d->progress)
		d->progress(d->with, d->done, d->total);
	return 0;
}

int
store_subscription_delete(struct registry *r, const char *project, const char *subscription,
	store_progress_fn *progress, void *with, struct fault *f)
{
	struct deletion deletion = {.progress = progress, .with = with};

	if (begin_deletion(r, project, subscription, &deletion, f))
		return -1;
	return batch_run(r, BATCH_COMMIT, delete_one, &deletion, f);
}

/* An ackId names the delivery and its message: the number alone may come again. */
static json_t *
message(sqlite3_stmt *q)
{
	AUTO(auto_json) json_t *attributes = json_loads(db_text(q, 3), 0, NULL);
	char time[32];

	if (!attributes)
		return NULL;
	return json_pack("{s:o, s:{s:s, s:s, s:O, s:o}}", "ackId",
		json_sprintf("%lld-%lld", sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)),
		"message", "messageId", db_text(q, 1), "publishTime",
		look_time(sqlite3_column_int64(q, 2), time, sizeof(time)), "attributes", attributes,
		"data", look_base64(sqlite3_column_blob(q, 4), sqlite3_column_bytes(q, 4)));
}

int
store_pull(struct registry *r, const char *project, const char *subscription, long limit,
	json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *all = json_array();
	int64_t row, bytes = 0;
	bool there;

	if (!all)
		return fault_nomem(f);
	if (look_subscription(r, project, subscription, false, &row, f) ||
		db_prepare(r,
			"SELECT d.number, m.id, m.published, m.attributes, m.data FROM deliveries d"
			" JOIN messages m ON d.message = m.id WHERE d.subscription = ?"
			" ORDER BY d.number LIMIT ?",
			&q, f, "ii", row, (int64_t)limit))
		return -1;
	/* What is read keeps the write-ahead log from being written back, so that it grows. */
	while (bytes < STORE_PULL_BYTES_MAX) {
		if (db_step(r, q, &there, f))
			return -1;
		if (!there)
			break;
		bytes += sqlite3_column_bytes(q, 4);
		if (look_append(all, message(q), f))
			return -1;
	}
	*ret = TAKE(all);
	return 0;
}

/* What is acknowledged, and how far that is. */
struct acknowledgement {
	int64_t subscription;
	const json_t *pulled;
	size_t at;
};

static int
acknowledge_one(struct registry *r, void *with, bool *ret_more, struct fault *f)
{
	struct acknowledgement *a = with;
	const json_t *one = json_array_get(a->pulled, a->at);
	const char *id = json_string_value(json_object_get(one, "ackId"));
	int64_t number, message;

	*ret_more = one != NULL;
	if (!one)
		return 0;
	a->at++;
	if (!id || sscanf(id, "%" SCNd64 "-%" SCNd64, &number, &message) != 2)
		return fault_set(f, FAULT_USAGE, "a message without an ackId");
	return db_run(r,
		"DELETE FROM deliveries WHERE subscription = ? AND number = ? AND message = ?", f,
		"iii", a->subscription, number, message);
}

int
store_ack(struct registry *r, const char *project, const char *subscription, const json_t *pulled,
	struct fault *f)
{
	struct acknowledgement acknowledgement = {.pulled = pulled};

	if (look_subscription(r, project, subscription, false, &acknowledgement.subscription, f))
		return -1;
	return batch_run(r, BATCH_COMMIT, acknowledge_one, &acknowledgement, f);
}
