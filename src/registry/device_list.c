#include "config.h"

#include "registry/devices.h"

#include <inttypes.h>
#include <stdio.h>

#include "jwt/jwt.h"
#include "registry/look.h"

#define LIMIT 1000

json_t *
devices_summary(sqlite3_stmt *q, const struct rules_client *at)
{
	char number[24];
	json_t *about;

	snprintf(number, sizeof(number), "%" PRId64, (int64_t)sqlite3_column_int64(q, 1));
	about = json_pack("{s:s, s:o, s:s, s:b, s:{s:s}}", "id", db_text(q, 0), "name",
		json_sprintf("projects/%s/locations/%s/registries/%s/devices/%s", at->project,
			at->region, at->registry, db_text(q, 0)),
		"numId", number, "blocked", sqlite3_column_int(q, 2), "gatewayConfig",
		"gatewayType", sqlite3_column_int(q, 3) ? "GATEWAY" : "NON_GATEWAY");
	if (about && *db_text(q, 4) &&
		json_object_set_new(json_object_get(about, "gatewayConfig"), "gatewayAuthMethod",
			json_string(db_text(q, 4)))) {
		json_decref(about);
		return NULL;
	}
	return about;
}

/*
 * ?1 the registry, ?2 the id before, ?3 the limit, ?4 gateways, ?5 blocked ones. INDEXED BY makes
 * a query fail that would walk through the table; the plus keeps an index from being taken for a
 * term that says little.
 */
#define LIST   "SELECT " DEVICES_COLUMNS " FROM devices "
#define TYPES  " AND (?4 = 0 OR gateway = (?4 > 0)) AND (?5 = 0 OR blocked = (?5 > 0))"
#define PLACED " WHERE registry = ?1 AND name > ?2" TYPES
#define FOUND  " AND +registry = ?1 AND +name > ?2" TYPES
#define PAGE   " ORDER BY name LIMIT ?3"

static const char *
sql_of(const struct store_filter *filter)
{
	if (filter->blocked > 0)
		return LIST "INDEXED BY devices_blocked" PLACED " AND blocked" PAGE;
	if (filter->gateway > 0)
		return LIST "INDEXED BY devices_gateways" PLACED " AND gateway" PAGE;
	return LIST "INDEXED BY sqlite_autoindex_devices_2" PLACED PAGE;
}

static int
query(struct registry *r, int64_t registry, const struct rules_client *at,
	const struct store_filter *filter, sqlite3_stmt **ret, struct fault *f)
{
	const char *after = filter->after ? filter->after : "";
	int64_t limit = filter->limit ? filter->limit : LIMIT, gateway;
	AUTO(auto_free) char *ids = NULL;

	if (filter->bound) {
		if (look_device(r, at, filter->bound, &gateway, f))
			return -1;
		return db_prepare(r,
			LIST
			"WHERE id IN (SELECT device FROM bindings WHERE gateway = ?6)" FOUND PAGE,
			ret, f, "itiiii", registry, after, limit, (int64_t)filter->gateway,
			(int64_t)filter->blocked, gateway);
	}
	if (!filter->ids)
		return db_prepare(r, sql_of(filter), ret, f, "itiii", registry, after, limit,
			(int64_t)filter->gateway, (int64_t)filter->blocked);
	ids = json_dumps(filter->ids, JSON_COMPACT);
	if (!ids)
		return fault_nomem(f);
	return db_prepare(r,
		LIST "WHERE id IN (SELECT id FROM devices WHERE registry = ?1"
		     " AND name IN (SELECT value FROM json_each(?6)) UNION SELECT id FROM devices"
		     " WHERE num_id IN (SELECT CAST(value AS INTEGER) FROM json_each(?6)"
		     "  WHERE value GLOB '[0-9]*'))" FOUND PAGE,
		ret, f, "itiiit", registry, after, limit, (int64_t)filter->gateway,
		(int64_t)filter->blocked, ids);
}

int
store_device_list(struct registry *r, const struct rules_client *at,
	const struct store_filter *filter, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t registry;
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_registry(r, at, &registry, f) || query(r, registry, at, filter, &q, f))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (look_append(list, devices_summary(q, at), f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}
