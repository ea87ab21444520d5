#include "config.h"

#include "registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jwt/jwt.h"
#include "registry/db.h"

/* Messages a subscription keeps at most, and how long: what nobody pulls must not fill the disk. */
#define SUBSCRIPTION_MESSAGES_MAX 1000000
#define RETENTION_S		  (7 * 86400)

/* How many messages come between two looks at the bounds, and how many of the old go at each. */
#define PRUNE_EVERY 1024
#define PRUNE_MAX   4096

#define SUBSCRIPTIONS_MAX 64
#define ROUTES_MAX	  256

/* Where a registry's telemetry of a subfolder goes; kept until another program writes. */
struct route {
	struct route *next;
	int64_t registry_row;
	char subfolder[RULES_SUBFOLDER_MAX + 1];
	bool has_topic;
	int n;
	int64_t subscriptions[SUBSCRIPTIONS_MAX];
};

void
telemetry_forget(struct registry *r)
{
	while (r->routes) {
		struct route *next = r->routes->next;

		free(r->routes);
		r->routes = next;
	}
}

/* The first configuration for the subfolder, else the first without one. */
static int
find_topic(struct registry *r, int64_t registry_row, const char *subfolder, int64_t *ret_topic,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT topic FROM notifications WHERE registry = ? AND subfolder IN (?, '')"
		    " ORDER BY subfolder = '', position LIMIT 1",
		    &q, f, "it", registry_row, subfolder) ||
		db_step(r, q, &row, f))
		return -1;
	*ret_topic = row ? sqlite3_column_int64(q, 0) : 0;
	return 0;
}

static int
load_route(struct registry *r, struct route *route, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t topic;
	bool row;

	if (find_topic(r, route->registry_row, route->subfolder, &topic, f))
		return -1;
	route->has_topic = topic != 0;
	if (db_prepare(r, "SELECT id FROM subscriptions WHERE topic = ? ORDER BY id", &q, f, "i",
		    topic))
		return -1;
	while (route->n < SUBSCRIPTIONS_MAX) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		route->subscriptions[route->n++] = sqlite3_column_int64(q, 0);
	}
	return 0;
}

static int
find_route(struct registry *r, int64_t registry_row, const char *subfolder,
	const struct route **ret_route, struct fault *f)
{
	struct route *route;
	int n = 0;

	for (route = r->routes; route; route = route->next, n++) {
		if (route->registry_row == registry_row &&
			strcmp(route->subfolder, subfolder) == 0) {
			*ret_route = route;
			return 0;
		}
	}
	if (n >= ROUTES_MAX)
		telemetry_forget(r);
	route = calloc(1, sizeof(*route));
	if (!route)
		return fault_nomem(f);
	route->registry_row = registry_row;
	snprintf(route->subfolder, sizeof(route->subfolder), "%s", subfolder);
	if (load_route(r, route, f)) {
		free(route);
		return -1;
	}
	route->next = r->routes;
	r->routes = route;
	*ret_route = route;
	return 0;
}

/* Pub/Sub's attributes of a device's message. */
static char *
attributes(const struct registry_admission *from, const char *subfolder)
{
	char number[24];
	AUTO(auto_json) json_t *json = NULL;

	snprintf(number, sizeof(number), "%" PRId64, from->device_num_id);
	json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "deviceId", from->device_id,
		"deviceNumId", number, "deviceRegistryId", from->client.registry,
		"deviceRegistryLocation", from->client.region, "projectId", from->client.project,
		"subFolder", subfolder);
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

static int
keep(struct registry *r, const struct route *route, const char *about, const void *payload,
	size_t len, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t message;

	(void)open;
	if (db_begin(r, f) || next_message(r, now, &message, f) ||
		db_run(r,
			"INSERT INTO messages (id, published, waiting, attributes, data)"
			" VALUES (?, ?, ?, ?, ?)",
			f, "iiitb", message, (int64_t)now, (int64_t)route->n, about,
			payload ? payload : "", len))
		return -1;
	for (int i = 0; i < route->n; i++) {
		if (db_run(r,
			    "INSERT INTO deliveries (subscription, number, message) VALUES (?1,"
			    " (SELECT coalesce(max(number), 0) + 1 FROM deliveries"
			    "  WHERE subscription = ?1), ?2)",
			    f, "ii", route->subscriptions[i], message))
			return -1;
	}
	if (prune_all(r, route, now, f) || db_commit(r, f))
		return -1;
	r->last_message = message;
	return 0;
}

int
registry_telemetry(struct registry *registry, const struct registry_admission *from,
	const char *subfolder, const void *payload, size_t len, time_t now, struct fault *f)
{
	AUTO(auto_free) char *about = NULL;
	const struct route *route;

	if (find_route(registry, from->registry_row, subfolder, &route, f))
		return -1;
	if (!route->has_topic)
		return fault_set(f, FAULT_CONFIG,
			"registry '%s' has no topic for this telemetry: add one with "
			"--event-notification-config",
			from->client.registry);
	if (route->n == 0)
		return 0;
	about = attributes(from, subfolder);
	if (!about)
		return fault_nomem(f);
	return keep(registry, route, about, payload, len, now, f);
}

int
registry_state(struct registry *registry, const struct registry_admission *from,
	const void *payload, size_t len, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = registry;

	(void)open;
	if (db_begin(registry, f) ||
		db_run(registry,
			"INSERT INTO states (device, updated, data)"
			" SELECT id, ?2, ?3 FROM devices WHERE id = ?1",
			f, "iib", from->device_row, (int64_t)now, payload ? payload : "", len))
		return -1;
	if (sqlite3_changes(registry->db) == 0)
		return fault_set(f, FAULT_AUTH, "the device was deleted");
	if (db_run(registry,
		    "DELETE FROM states WHERE device = ?1 AND id NOT IN (SELECT id FROM states"
		    " WHERE device = ?1 ORDER BY id DESC LIMIT 10)",
		    f, "i", from->device_row))
		return -1;
	return db_commit(registry, f);
}
