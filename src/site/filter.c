#include "config.h"

#include "site/filter.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TOPIC_MAX 65535

static size_t
utf8_len(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xe0)
		return first < 0xc0 ? 0 : 2;
	return first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
}

/* Surrogates, control characters and what is no character: brokers end connections for them. */
static bool
is_character(uint32_t code, size_t len)
{
	static const uint32_t least[] = {0, 0x20, 0x80, 0x800, 0x10000};

	return code >= least[len] && code <= 0x10ffff && !(code >= 0x7f && code < 0xa0) &&
	       !(code >= 0xd800 && code < 0xe000) && !(code >= 0xfdd0 && code < 0xfdf0) &&
	       (code & 0xfffe) != 0xfffe;
}

/* How long the character is that text begins with; 0 for none that MQTT takes. */
static size_t
character_len(const char *text)
{
	size_t len = utf8_len((unsigned char)*text);
	uint32_t code = (unsigned char)*text & (len > 1 ? 0x7fU >> len : 0x7fU);

	for (size_t i = 1; i < len; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	return len && is_character(code, len) ? len : 0;
}

bool
filter_is_topic(const char *text)
{
	const char *at = text;
	size_t len = 1;

	while (*at && len && *at != '+' && *at != '#') {
		len = character_len(at);
		at += len;
	}
	return at != text && !*at && at - text <= TOPIC_MAX;
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
