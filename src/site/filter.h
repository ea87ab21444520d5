/* filter: MQTT's topics and the filters that match them (MQTT 5 section 4.7). Pure. */
#ifndef SITE_FILTER_H
#define SITE_FILTER_H

#include <stdbool.h>

/*
 * Whether a text is a topic that can be published to: not empty, no wildcard, and UTF-8 without the
 * characters for which brokers and clients may end a connection (section 1.5.4).
 */
bool filter_is_topic(const char *text);

/* Whether a text is a filter: `+` stands for a whole level, `#` for all that follow. */
bool filter_is_valid(const char *text);

/* Whether a valid filter matches a topic; one that begins with a wildcard matches no `$` topic. */
bool filter_matches(const char *filter, const char *topic);

#endif
