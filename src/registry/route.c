#include "config.h"

#include "registry/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define ROUTES_MAX 256

static void
route_free(struct route *route)
{
	if (!route)
		return;
	free(route->backend);
	free(route);
}

AUTO_DEFINE(route, struct route, route_free);

void
route_forget(struct registry *r)
{
	while (r->routes) {
		struct route *next = r->routes->next;

		route_free(r->routes);
		r->routes = next;
	}
}

/*
 * The first configuration for the subfolder, else the first without one; or the state's topic. The
 * row must still be that registry's: the file may have been restored from a copy.
 */
static int
query(struct registry *r, const struct route *route, const struct rules_client *of,
	sqlite3_stmt **ret, struct fault *f)
{
	if (route->state)
		return db_prepare(r,
			"SELECT t.id, t.project, t.name FROM registries r"
			" JOIN topics t ON r.state_topic = t.id"
			" WHERE r.id = ? AND r.project = ? AND r.region = ? AND r.name = ?",
			ret, f, "ittt", route->registry_row, of->project, of->region, of->registry);
	return db_prepare(r,
		"SELECT t.id, t.project, t.name FROM notifications n"
		" JOIN topics t ON n.topic = t.id JOIN registries r ON n.registry = r.id"
		" WHERE r.id = ? AND r.project = ? AND r.region = ? AND r.name = ?"
		" AND n.subfolder IN (?, '') ORDER BY n.subfolder = '', n.position LIMIT 1",
		ret, f, "itttt", route->registry_row, of->project, of->region, of->registry,
		route->subfolder);
}

static int
load_topic(struct registry *r, struct route *route, const struct rules_client *of,
	int64_t *ret_topic, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;
	int n;

	if (query(r, route, of, &q, f) || db_step(r, q, &row, f))
		return -1;
	*ret_topic = row ? sqlite3_column_int64(q, 0) : 0;
	n = row ? asprintf(&route->backend, "projects/%s/topics/%s/registries/%s", db_text(q, 1),
			  db_text(q, 2), of->registry)
		: asprintf(&route->backend, "%s", "");
	if (n < 0) {
		route->backend = NULL;
		return fault_nomem(f);
	}
	return 0;
}

static int
load(struct registry *r, struct route *route, const struct rules_client *of, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t topic;
	bool row;

	if (load_topic(r, route, of, &topic, f) ||
		db_prepare(r,
			"SELECT id FROM subscriptions WHERE topic = ? AND NOT deleting ORDER BY id",
			&q, f, "i", topic))
		return -1;
	while (route->n < ROUTE_SUBSCRIPTIONS_MAX) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		route->subscriptions[route->n++] = sqlite3_column_int64(q, 0);
	}
	return 0;
}

static bool
is_for(const struct route *route, int64_t registry_row, const char *subfolder)
{
	return route->registry_row == registry_row && route->state == !subfolder &&
	       (!subfolder || strcmp(route->subfolder, subfolder) == 0);
}

int
route_find(struct registry *r, const struct registry_admission *from, const char *subfolder,
	const struct route **ret_route, struct fault *f)
{
	AUTO(auto_route) struct route *route = NULL;
	int n = 0;

	for (struct route **at = &r->routes; *at; at = &(*at)->next, n++) {
		struct route *found = *at;

		if (!is_for(found, from->registry_row, subfolder))
			continue;
		/* The busiest stand in front. */
		*at = found->next;
		found->next = r->routes;
		r->routes = found;
		*ret_route = found;
		return 0;
	}
	if (n >= ROUTES_MAX)
		route_forget(r);
	route = calloc(1, sizeof(*route));
	if (!route)
		return fault_nomem(f);
	route->registry_row = from->registry_row;
	route->state = !subfolder;
	if (subfolder)
		snprintf(route->subfolder, sizeof(route->subfolder), "%s", subfolder);
	if (load(r, route, &from->client, f))
		return -1;
	route->next = r->routes;
	r->routes = route;
	*ret_route = TAKE(route);
	return 0;
}
