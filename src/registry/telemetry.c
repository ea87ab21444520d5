#include "config.h"

#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt/jwt.h"
#include "registry/retention.h"
#include "registry/route.h"

/* Pub/Sub's attributes of a device's message. */
static char *
attributes(const struct registry_message *m)
{
	const struct registry_admission *from = m->from;
	AUTO(auto_json) json_t *json = NULL;

	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s*}", "deviceId", from->device_id,
		"deviceNumId", from->device_num_id, "deviceRegistryId", from->client.registry,
		"deviceRegistryLocation", from->client.region, "projectId", from->client.project,
		"subFolder", m->subfolder, "gatewayId", m->gateway);
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

/* Microseconds since 1970, later than every other message's. */
static int
next_message(struct registry *r, time_t now, int64_t *ret_id, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t id = (int64_t)now * 1000000, newest;
	bool row;

	if (db_prepare(r, "SELECT max(id) FROM messages", &q, f, "") || db_step(r, q, &row, f))
		return -1;
	newest = row ? sqlite3_column_int64(q, 0) : 0;
	if (newest < r->last_message)
		newest = r->last_message;
	*ret_id = id > newest ? id : newest + 1;
	return 0;
}

/* Which of the route's subscriptions keep the message; each makes room for it first. */
static int
choose(struct registry *r, const struct route *route, const struct retention_message *m,
	struct retention_place *ret_places, int *ret_n, struct fault *f)
{
	int n = 0;

	for (int i = 0; i < route->n; i++) {
		bool room;

		if (retention_make_room(r, route->subscriptions[i], m, &room, &ret_places[n], f))
			return -1;
		n += room;
	}
	*ret_n = n;
	return 0;
}

/* Keeps a copy in each of the route's subscriptions, within the caller's transaction. */
static int
keep(struct registry *r, const struct route *route, const struct registry_message *m, time_t now,
	struct fault *f)
{
	AUTO(auto_free) char *about = attributes(m);
	struct retention_place places[ROUTE_SUBSCRIPTIONS_MAX];
	struct retention_message message;
	int64_t id;
	int n;

	if (!about)
		return fault_nomem(f);
	message = (struct retention_message){.device = m->from->device_row,
		.bytes = (int64_t)(m->len + strlen(about) + RETENTION_ROW_BYTES),
		.now = now};
	if (choose(r, route, &message, places, &n, f))
		return -1;
	if (n == 0)
		return 0;
	if (next_message(r, now, &id, f) ||
		db_run(r,
			"INSERT INTO messages (id, published, waiting, attributes, data)"
			" VALUES (?, ?, ?, ?, ?)",
			f, "iiitb", id, (int64_t)now, (int64_t)n, about,
			m->payload ? m->payload : "", m->len))
		return -1;
	for (int i = 0; i < n; i++) {
		if (retention_add(r, &places[i], id, &message, f))
			return -1;
	}
	r->last_message = id;
	return 0;
}

int
registry_telemetry(struct registry *registry, const struct registry_message *m, time_t now,
	const char **ret_backend, struct fault *f)
{
	AUTO(db_auto) struct registry *open = registry;
	const struct route *route;

	(void)open;
	if (route_find(registry, m->from, m->subfolder, &route, f))
		return -1;
	if (!*route->backend)
		return fault_set(f, FAULT_CONFIG,
			"registry '%s' has no topic for this telemetry: add one with "
			"--event-notification-config",
			m->from->client.registry);
	if (route->n && (db_begin(registry, f) || keep(registry, route, m, now, f) ||
				db_commit(registry, f)))
		return -1;
	*ret_backend = route->backend;
	return 0;
}

int
registry_state(struct registry *registry, const struct registry_message *m, time_t now,
	const char **ret_backend, struct fault *f)
{
	AUTO(db_auto) struct registry *open = registry;
	const struct route *route;

	(void)open;
	if (route_find(registry, m->from, NULL, &route, f) || db_begin(registry, f) ||
		db_run(registry,
			"INSERT INTO states (device, updated, data)"
			" SELECT id, ?2, ?3 FROM devices WHERE id = ?1",
			f, "iib", m->from->device_row, (int64_t)now, m->payload ? m->payload : "",
			m->len))
		return -1;
	if (sqlite3_changes(registry->db) == 0)
		return fault_set(f, FAULT_AUTH, "the device was deleted");
	if (db_run(registry,
		    "DELETE FROM states WHERE device = ?1 AND id NOT IN (SELECT id FROM states"
		    " WHERE device = ?1 ORDER BY id DESC LIMIT 10)",
		    f, "i", m->from->device_row) ||
		(route->n && keep(registry, route, m, now, f)) || db_commit(registry, f))
		return -1;
	*ret_backend = route->backend;
	return 0;
}
