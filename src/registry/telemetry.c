#include "config.h"

#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt/jwt.h"
#include "registry/route.h"

/* Messages a subscription keeps at most, and how long: what nobody pulls must not fill the disk. */
#define SUBSCRIPTION_MESSAGES_MAX 1000000
#define RETENTION_S		  (7 * 86400)

/* How many messages come between two looks at the bounds, and how many of the old go at each. */
#define PRUNE_EVERY 1024
#define PRUNE_MAX   4096

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

/* Drops the oldest, too many or too old, and counts them. Nothing is searched for either. */
static int
prune(struct registry *r, int64_t subscription, time_t now, struct fault *f)
{
	int64_t dropped;

	if (db_run(r,
		    "DELETE FROM deliveries WHERE subscription = ?1 AND number <="
		    " (SELECT max(number) FROM deliveries WHERE subscription = ?1) - ?2",
		    f, "ii", subscription, (int64_t)SUBSCRIPTION_MESSAGES_MAX))
		return -1;
	dropped = sqlite3_changes(r->db);
	if (db_run(r,
		    "DELETE FROM deliveries WHERE subscription = ?1 AND number <"
		    " (SELECT min(number) FROM deliveries WHERE subscription = ?1) + ?2"
		    " AND message < ?3",
		    f, "iii", subscription, (int64_t)PRUNE_MAX,
		    ((int64_t)now - RETENTION_S) * 1000000))
		return -1;
	dropped += sqlite3_changes(r->db);
	return dropped ? db_run(r, "UPDATE subscriptions SET dropped = dropped + ? WHERE id = ?", f,
				 "ii", dropped, subscription)
		       : 0;
}

/* Looks at the bounds now and then, in the transaction of a message. */
static int
prune_all(struct registry *r, const struct route *route, time_t now, struct fault *f)
{
	if (r->until_prune-- > 0)
		return 0;
	r->until_prune = PRUNE_EVERY;
	for (int i = 0; i < route->n; i++) {
		if (prune(r, route->subscriptions[i], now, f))
			return -1;
	}
	return 0;
}

/* Keeps a copy in each of the route's subscriptions, within the caller's transaction. */
static int
keep(struct registry *r, const struct route *route, const struct registry_message *m, time_t now,
	struct fault *f)
{
	AUTO(auto_free) char *about = attributes(m);
	int64_t message;

	if (!about)
		return fault_nomem(f);
	if (next_message(r, now, &message, f) ||
		db_run(r,
			"INSERT INTO messages (id, published, waiting, attributes, data)"
			" VALUES (?, ?, ?, ?, ?)",
			f, "iiitb", message, (int64_t)now, (int64_t)route->n, about,
			m->payload ? m->payload : "", m->len))
		return -1;
	for (int i = 0; i < route->n; i++) {
		if (db_run(r,
			    "INSERT INTO deliveries (subscription, number, message) VALUES (?1,"
			    " (SELECT coalesce(max(number), 0) + 1 FROM deliveries"
			    "  WHERE subscription = ?1), ?2)",
			    f, "ii", route->subscriptions[i], message))
			return -1;
	}
	r->last_message = message;
	return prune_all(r, route, now, f);
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
