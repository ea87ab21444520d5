#include "config.h"

#include "site/filter.h"

#include <string.h>

bool
filter_is_topic(const char *text)
{
	return *text && !strpbrk(text, "+#");
}

bool
filter_is_valid(const char *text)
{
	if (!*text)
		return false;
	for (const char *at = text; *at; at++) {
		bool first = at == text || at[-1] == '/';

		if (*at == '+' && (!first || (at[1] && at[1] != '/')))
			return false;
		if (*at == '#' && (!first || at[1]))
			return false;
	}
	return true;
}

bool
filter_matches(const char *filter, const char *topic)
{
	if (*topic == '$' && *filter != '$')
		return false;
	while (*filter && *filter != '#') {
		if (*filter == '+') {
			topic += strcspn(topic, "/");
			filter++;
		} else if (*filter == *topic) {
			filter++;
			topic++;
		} else {
			/* "a/#" matches "a" too. */
			return !*topic && !strcmp(filter, "/#");
		}
		if (!*topic && *filter == '/' && strcmp(filter, "/#"))
			return false;
	}
	return *filter == '#' || !*topic;
}
