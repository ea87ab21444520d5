#include "config.h"

#include "gateway/route.h"

#include <stdio.h>
#include <string.h>

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
route_map(const struct setting_list *rules, enum route_way way, const char *topic, char *ret,
	size_t size)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct route route;
		const char *from, *to;
		int len;

		if (route_parse(rules->items[i], &route, NULL))
			continue;
		from = way == ROUTE_OUT ? route.local : route.remote;
		to = way == ROUTE_OUT ? route.remote : route.local;
		if (strncmp(topic, from, strlen(from)) != 0 || !topic[strlen(from)] ||
			!filter_matches(route.filter, topic + strlen(from)))
			continue;
		len = snprintf(ret, size, "%s%s", to, topic + strlen(from));
		return len < 0 || (size_t)len >= size ? -1 : route.qos;
	}
	return -1;
}
