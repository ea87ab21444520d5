#include "config.h"

#include "registry/store.h"

#include <stdio.h>
#include <string.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "registry/look.h"
#include "registry/topic.h"

#define NOTIFICATIONS_MAX 10

static int
add_notification(struct registry *r, const struct rules_client *at, int64_t registry,
	int64_t position, const struct store_notification *n, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t topic;
	bool same;

	if (topic_check_subfolder(n->subfolder, f) ||
		look_topic(r, at->project, n->topic, &topic, f) ||
		db_prepare(r, "SELECT 1 FROM notifications WHERE registry = ? AND subfolder = ?",
			&q, f, "it", registry, n->subfolder) ||
		db_step(r, q, &same, f))
		return -1;
	if (same)
		return fault_set(f, FAULT_USAGE,
			"two event-notification-configs for subfolder '%.80s': the second would "
			"never count",
			n->subfolder);
	return db_run(r,
		"INSERT INTO notifications (registry, position, subfolder, topic)"
		" VALUES (?, ?, ?, ?)",
		f, "iiti", registry, position, n->subfolder, topic);
}

static int
add_ca(struct registry *r, int64_t registry, const char *pem, time_t now, struct fault *f)
{
	AUTO(auto_x509) X509 *ca = NULL;
	AUTO(auto_free) char *text = NULL;

	if (cert_read(pem, strlen(pem), &ca, f) || cert_check_ca(ca, now, f))
		return fault_prefix(f, "the registry's CA");
	if (cert_pem(ca, &text, f))
		return -1;
	return db_run(r, "INSERT INTO registry_cas (registry, pem) VALUES (?, ?)", f, "it",
		registry, text);
}

int
store_registry_create(struct registry *r, const struct rules_client *at,
	const struct store_notification *notifications, size_t n_notifications, char *const *cas,
	size_t n_cas, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry;

	(void)open;
	if (rules_check_id("registry", at->registry, f) ||
		rules_check_segment("project", at->project, f) ||
		rules_check_segment("region", at->region, f))
		return -1;
	if (n_notifications > NOTIFICATIONS_MAX)
		return fault_set(
			f, FAULT_USAGE, "a registry has at most %d topics", NOTIFICATIONS_MAX);
	if (n_cas > RULES_REGISTRY_CAS_MAX)
		return fault_set(
			f, FAULT_USAGE, "a registry has at most %d CAs", RULES_REGISTRY_CAS_MAX);
	if (db_begin(r, f) ||
		db_run(r,
			"INSERT INTO registries (project, region, name, created)"
			" VALUES (?, ?, ?, ?)",
			f, "ttti", at->project, at->region, at->registry, (int64_t)now))
		return fault_prefix(f, "registry '%s'", at->registry);
	registry = sqlite3_last_insert_rowid(r->db);
	for (size_t i = 0; i < n_notifications; i++) {
		if (add_notification(r, at, registry, (int64_t)i, &notifications[i], f))
			return -1;
	}
	for (size_t i = 0; i < n_cas; i++) {
		if (add_ca(r, registry, cas[i], now, f))
			return -1;
	}
	return db_commit(r, f);
}

static int
add_notifications(struct registry *r, int64_t registry, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *list = json_array();
	bool row;

	if (!list || json_object_set_new(about, "eventNotificationConfigs", list))
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT t.project, t.name, n.subfolder FROM notifications n"
		    " JOIN topics t ON n.topic = t.id WHERE n.registry = ? ORDER BY n.position",
		    &q, f, "i", registry))
		return -1;
	for (;;) {
		json_t *entry;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return 0;
		entry = json_pack("{s:o}", "pubsubTopicName",
			json_sprintf("projects/%s/topics/%s", db_text(q, 0), db_text(q, 1)));
		if (entry && *db_text(q, 2))
			json_object_set_new(entry, "subfolderMatches", json_string(db_text(q, 2)));
		if (look_append(list, entry, f))
			return -1;
	}
}

static int
add_cas(struct registry *r, int64_t registry, json_t *about, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	json_t *list = json_array();
	bool row;

	if (!list || json_object_set_new(about, "credentials", list))
		return fault_nomem(f);
	if (db_prepare(r, "SELECT pem FROM registry_cas WHERE registry = ? ORDER BY id", &q, f, "i",
		    registry))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return 0;
		if (look_append(list,
			    json_pack("{s:{s:s, s:s}}", "publicKeyCertificate", "format",
				    "X509_CERTIFICATE_PEM", "certificate", db_text(q, 0)),
			    f))
			return -1;
	}
}

static json_t *
summary(const char *project, const char *region, const char *name)
{
	return json_pack("{s:s, s:o}", "id", name, "name",
		json_sprintf("projects/%s/locations/%s/registries/%s", project, region, name));
}

int
store_registry_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_json) json_t *about = NULL;
	int64_t registry;

	if (look_registry(r, at, &registry, f))
		return -1;
	about = summary(at->project, at->region, at->registry);
	if (!about)
		return fault_nomem(f);
	if (add_notifications(r, registry, about, f) || add_cas(r, registry, about, f))
		return -1;
	*ret = TAKE(about);
	return 0;
}

int
store_registry_list(
	struct registry *r, const char *project, const char *region, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	bool row;

	if (!list)
		return fault_nomem(f);
	if (db_prepare(r,
		    "SELECT name FROM registries WHERE project = ? AND region = ? ORDER BY name",
		    &q, f, "tt", project, region))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(list, summary(project, region, db_text(q, 0)), f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}

int
store_registry_delete(struct registry *r, const struct rules_client *at, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t registry;
	bool row;

	(void)open;
	if (db_begin(r, f) || look_registry(r, at, &registry, f) ||
		db_prepare(r, "SELECT 1 FROM devices WHERE registry = ? LIMIT 1", &q, f, "i",
			registry) ||
		db_step(r, q, &row, f))
		return -1;
	if (row)
		return fault_set(f, FAULT_EXISTS,
			"registry '%s' still has devices: delete them first", at->registry);
	if (db_run(r, "DELETE FROM registries WHERE id = ?", f, "i", registry))
		return -1;
	return db_commit(r, f);
}
