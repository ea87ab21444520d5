#include "config.h"

#include "gateway/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "site/filter.h"

/* Takes a word, or what stands in quotes; returns 0 at the end, -1 when it is too long. */
static int
next_word(const char **text, char *ret, size_t size)
{
	size_t len;

	*text += strspn(*text, " \t");
	if (!**text)
		return 0;
	if (!strncmp(*text, "\"\"", 2)) {
		*ret = '\0';
		*text += 2;
		return 1;
	}
	len = strcspn(*text, " \t");
	if (len >= size)
		return -1;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text += len;
	return 1;
}

static int
wrong(const char *text, const char *why, struct fault *f)
{
	return fault_set(f, FAULT_CONFIG,
		"'%.100s': %s: write FILTER [QOS [LOCAL-PREFIX REMOTE-PREFIX]]", text, why);
}

int
route_parse(const char *text, struct route *ret, struct fault *f)
{
	struct route route = {.qos = 1};
	const char *at = text;
	char qos[4] = "1", extra[2];
	int local;

	if (next_word(&at, route.filter, sizeof(route.filter)) != 1 ||
		!filter_is_valid(route.filter))
		return wrong(text, "no filter", f);
	if (next_word(&at, qos, sizeof(qos)) < 0 || (strcmp(qos, "0") && strcmp(qos, "1")))
		return wrong(text, "the QoS is neither 0 nor 1", f);
	route.qos = *qos - '0';
	local = next_word(&at, route.local, sizeof(route.local));
	if (local < 0 || (local == 1 && next_word(&at, route.remote, sizeof(route.remote)) != 1))
		return wrong(text, "one prefix without the other", f);
	if (strpbrk(route.local, "+#") || strpbrk(route.remote, "+#"))
		return wrong(text, "a wildcard in a prefix", f);
	if (next_word(&at, extra, sizeof(extra)) != 0)
		return wrong(text, "too many words", f);
	*ret = route;
	return 0;
}

void
route_filter(const struct route *route, enum route_way way, char *ret, size_t size)
{
	snprintf(ret, size, "%s%s", way == ROUTE_OUT ? route->local : route->remote, route->filter);
}

int
routes_parse(const struct setting_list *texts, struct routes *ret, struct fault *f)
{
	AUTO(routes_clear) struct routes routes = {calloc(texts->n + 1, sizeof(*routes.items)), 0};

	if (!routes.items)
		return fault_nomem(f);
	for (; routes.n < texts->n; routes.n++) {
		if (route_parse(texts->items[routes.n], &routes.items[routes.n], f))
			return -1;
	}
	routes_clear(ret);
	*ret = routes;
	routes = (struct routes){NULL, 0};
	return 0;
}

void
routes_clear(struct routes *routes)
{
	free(routes->items);
	*routes = (struct routes){NULL, 0};
}

int
routes_map(
	const struct routes *routes, enum route_way way, const char *topic, char *ret, size_t size)
{
	for (size_t i = 0; i < routes->n; i++) {
		const struct route *route = &routes->items[i];
		const char *from = way == ROUTE_OUT ? route->local : route->remote;
		const char *to = way == ROUTE_OUT ? route->remote : route->local;
		size_t from_len = strlen(from), to_len = strlen(to);
		const char *rest;

		if (strncmp(topic, from, from_len) != 0)
			continue;
		rest = topic + from_len;
		if (!*rest || !filter_matches(route->filter, rest))
			continue;
		if (to_len + strlen(rest) >= size)
			return -1;
		memcpy(ret, to, to_len);
		strcpy(ret + to_len, rest);
		return route->qos;
	}
	return -1;
}
