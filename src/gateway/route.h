/* route: which topic a message has on the other side: as mosquitto's bridge has it. Pure. */
#ifndef GATEWAY_ROUTE_H
#define GATEWAY_ROUTE_H

#include <stddef.h>

#include "base/fault.h"
#include "base/setting.h"

#define ROUTE_TEXT_MAX 1024

/*
 * filter  without either prefix
 * qos     at most
 * local   before it at the site; "" for nothing
 * remote  before it in the cloud; "" for nothing
 */
struct route {
	char filter[ROUTE_TEXT_MAX];
	int qos;
	char local[ROUTE_TEXT_MAX];
	char remote[ROUTE_TEXT_MAX];
};

enum route_way { ROUTE_OUT, ROUTE_IN };

/*
 * Reads FILTER [QOS [LOCAL-PREFIX REMOTE-PREFIX]], "" in quotes for a prefix that is nothing.
 *
 * Returns 0; else FAULT_CONFIG.
 */
int route_parse(const char *text, struct route *ret, struct fault *f);

/* What is subscribed to for a route: prefix and filter. ret has room for size bytes, cut. */
void route_filter(const struct route *route, enum route_way way, char *ret, size_t size);

/* Rules in their order. */
struct routes {
	struct route *items;
	size_t n;
};

/*
 * Reads texts as route_parse() does.
 *
 * ret  receives them in place of what it had; routes_clear() empties it
 *
 * Returns 0; else FAULT_CONFIG, FAULT_NOMEM.
 */
int routes_parse(const struct setting_list *texts, struct routes *ret, struct fault *f);

void routes_clear(struct routes *routes);

/*
 * The other side's topic, by the first rule that fits.
 *
 * ret  room for size bytes
 *
 * Returns the most QoS that the rule has; -1 when none fits, or the topic would be too long.
 */
int routes_map(
	const struct routes *routes, enum route_way way, const char *topic, char *ret, size_t size);

#endif
