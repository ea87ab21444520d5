/* route: where a registry's messages go: a topic and its subscriptions. Private. */
#ifndef REGISTRY_ROUTE_H
#define REGISTRY_ROUTE_H

#include "registry/db.h"

#define ROUTE_SUBSCRIPTIONS_MAX 64

/*
 * backend        "projects/P/topics/T/registries/G": where the broker's own subscribers find it; ""
 *                when the registry has no topic for it
 * n              subscriptions that keep a copy
 * the rest is private to route.c
 */
struct route {
	char *backend;
	int n;
	int64_t subscriptions[ROUTE_SUBSCRIPTIONS_MAX];

	struct route *next;
	int64_t registry_row;
	bool state;
	char subfolder[RULES_SUBFOLDER_MAX + 1];
};

/*
 * Finds the route of a device's events in a subfolder, or of its state.
 *
 * subfolder  of events; NULL for state
 * ret_route  belongs to the registry, until route_forget() or the next route_find()
 */
int route_find(struct registry *r, const struct registry_admission *from, const char *subfolder,
	const struct route **ret_route, struct fault *f);

/* Forgets them all. */
void route_forget(struct registry *r);

#endif
