#include "config.h"

#include "registry/store.h"

#include <stdio.h>

#include <openssl/evp.h>

#include "jwt/jwt.h"
#include "registry/look.h"

int
store_topic_create(struct registry *r, const char *project, const char *topic, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;

	(void)open;
	if (rules_check_segment("project", project, f) || rules_check_id("topic", topic, f) ||
		db_begin(r, f))
		return -1;
	if (db_run(r, "INSERT INTO topics (project, name) VALUES (?, ?)", f, "tt", project, topic))
		return fault_prefix(f, "topic '%s'", topic);
	return db_commit(r, f);
}

/* Lists rows of a project with a name, and a topic where there is a second column. */
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
		if (entry && sqlite3_column_count(q) > 1)
			json_object_set_new(entry, "topic", json_string(db_text(q, 1)));
		if (look_append(all, entry, f))
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

int
store_subscription_create(struct registry *r, const char *project, const char *subscription,
	const char *topic, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t row;

	(void)open;
	if (rules_check_id("subscription", subscription, f) || db_begin(r, f) ||
		look_topic(r, project, topic, &row, f))
		return -1;
	if (db_run(r, "INSERT INTO subscriptions (project, name, topic) VALUES (?, ?, ?)", f, "tti",
		    project, subscription, row))
		return fault_prefix(f, "subscription '%s'", subscription);
	return db_commit(r, f);
}

int
store_subscription_list(struct registry *r, const char *project, json_t **ret, struct fault *f)
{
	return list(r,
		"SELECT s.name, t.name FROM subscriptions s JOIN topics t ON s.topic = t.id"
		" WHERE s.project = ? ORDER BY s.name",
		project, "subscriptions", ret, f);
}

static int
look_subscription(struct registry *r, const char *project, const char *subscription,
	int64_t *ret_row, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT id FROM subscriptions WHERE project = ? AND name = ?", &q, f,
		    "tt", project, subscription) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_NOTFOUND,
			"no subscription '%s' in project '%s': create it with 'pubsub "
			"subscriptions "
			"create %s --topic=TOPIC'",
			subscription, project, subscription);
	*ret_row = sqlite3_column_int64(q, 0);
	return 0;
}

static json_t *
message(sqlite3_stmt *q)
{
	int len = sqlite3_column_bytes(q, 3);
	AUTO(auto_free) char *data = malloc((size_t)len / 3 * 4 + 5);
	AUTO(auto_json) json_t *attributes = json_loads(db_text(q, 2), 0, NULL);
	char time[32];

	if (!data || !attributes)
		return NULL;
	EVP_EncodeBlock((unsigned char *)data, sqlite3_column_blob(q, 3), len);
	return json_pack("{s:{s:s, s:s, s:O, s:s}}", "message", "messageId", db_text(q, 0),
		"publishTime", look_time(sqlite3_column_int64(q, 1), time, sizeof(time)),
		"attributes", attributes, "data", data);
}

static int
acknowledge(struct registry *r, int64_t subscription, const json_t *all, struct fault *f)
{
	const json_t *last = json_array_get(all, json_array_size(all) - 1);
	const char *id;

	if (!last)
		return 0;
	id = json_string_value(json_object_get(json_object_get(last, "message"), "messageId"));
	if (db_run(r, "DELETE FROM deliveries WHERE subscription = ? AND message <= ?", f, "ii",
		    subscription, (int64_t)strtoll(id, NULL, 10)))
		return -1;
	return db_run(r,
		"DELETE FROM messages WHERE id <= ? AND NOT EXISTS"
		" (SELECT 1 FROM deliveries WHERE message = messages.id)",
		f, "i", (int64_t)strtoll(id, NULL, 10));
}

int
store_pull(struct registry *r, const char *project, const char *subscription, long limit, bool ack,
	json_t **ret, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *all = json_array();
	int64_t row;
	bool there;

	(void)open;
	if (!all)
		return fault_nomem(f);
	if ((ack && db_begin(r, f)) || look_subscription(r, project, subscription, &row, f) ||
		db_prepare(r,
			"SELECT m.id, m.published, m.attributes, m.data FROM deliveries d"
			" JOIN messages m ON d.message = m.id WHERE d.subscription = ?"
			" ORDER BY d.message LIMIT ?",
			&q, f, "ii", row, (int64_t)limit))
		return -1;
	for (;;) {
		if (db_step(r, q, &there, f))
			return -1;
		if (!there)
			break;
		if (look_append(all, message(q), f))
			return -1;
	}
	if (ack && (acknowledge(r, row, all, f) || db_commit(r, f)))
		return -1;
	*ret = TAKE(all);
	return 0;
}
