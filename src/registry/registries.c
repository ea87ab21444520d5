#include "config.h"

#include "registry/store.h"

#include <stdio.h>
#include <string.h>

#include "jwt/jwt.h"
#include "registry/cas.h"
#include "registry/look.h"
#include "registry/note.h"
#include "registry/settings.h"

int
store_registry_create_with(struct registry *r, const struct rules_client *at,
	const struct store_registry *settings, char *const *cas, size_t n_cas, time_t now,
	struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry;

	(void)open;
	if (rules_check_id("registry", at->registry, f) ||
		rules_check_segment("project", at->project, f) ||
		rules_check_segment("region", at->region, f))
		return -1;
	if (db_begin(r, f) ||
		db_run(r,
			"INSERT INTO registries (project, region, name, created)"
			" VALUES (?, ?, ?, ?)",
			f, "ttti", at->project, at->region, at->registry, (int64_t)now))
		return fault_prefix(f, "registry '%s'", at->registry);
	registry = sqlite3_last_insert_rowid(r->db);
	if (settings_apply(r, at, registry, settings, f))
		return -1;
	for (size_t i = 0; i < n_cas; i++) {
		if (cas_add(r, registry, cas[i], now, f))
			return -1;
	}
	if (note(r, at, 0, "registry created", f, "topics=%zu credentials=%zu",
		    settings->n_notifications, n_cas))
		return -1;
	return db_commit(r, f);
}

int
store_registry_create(struct registry *r, const struct rules_client *at,
	const struct store_notification *notifications, size_t n_notifications, char *const *cas,
	size_t n_cas, time_t now, struct fault *f)
{
	const struct store_registry settings = {.replace = true,
		.notifications = notifications,
		.n_notifications = n_notifications};

	return store_registry_create_with(r, at, &settings, cas, n_cas, now, f);
}

int
store_registry_update(struct registry *r, const struct rules_client *at,
	const struct store_registry *settings, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry;

	(void)open;
	if (db_begin(r, f) || look_registry(r, at, &registry, f) ||
		settings_apply(r, at, registry, settings, f) ||
		note(r, at, 0, "registry updated", f, "set=%s%s%s%s%s",
			settings->replace ? "topics," : "",
			settings->state_topic ? "state_topic," : "",
			settings->log_level ? "log_level," : "", settings->mqtt ? "mqtt," : "",
			settings->jit ? "jit," : ""))
		return -1;
	return db_commit(r, f);
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
	json_t *cas;

	if (look_registry(r, at, &registry, f))
		return -1;
	about = summary(at->project, at->region, at->registry);
	if (!about)
		return fault_nomem(f);
	if (settings_describe(r, registry, about, f) || cas_list(r, registry, &cas, f))
		return -1;
	if (json_object_set_new(about, "credentials", cas))
		return fault_nomem(f);
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
	if (note(r, at, 0, "registry deleted", f, "%s", "") ||
		db_run(r, "DELETE FROM registries WHERE id = ?", f, "i", registry))
		return -1;
	return db_commit(r, f);
}
