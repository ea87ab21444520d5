/* The messages that wait in a subscription: pulled, acknowledged, and deleted with it. */
#include "config.h"

#include "registry/store.h"

#include <inttypes.h>
#include <stdio.h>

#include "jwt/jwt.h"
#include "registry/batch.h"
#include "registry/look.h"

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
		db_prepare(r,
			"SELECT coalesce((SELECT max(number) FROM deliveries"
			" WHERE subscription = ?1) - gone, 0) FROM subscriptions WHERE id = ?1",
			&q, f, "i", d->subscription) ||
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
