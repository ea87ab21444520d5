/* topic: the topics of Cloud IoT Core's device protocol, taken apart. Pure. */
#ifndef REGISTRY_TOPIC_H
#define REGISTRY_TOPIC_H

#include "base/fault.h"
#include "registry/rules.h"

enum topic_kind {
	TOPIC_OTHER, /* not one of ours */
	TOPIC_EVENTS,
	TOPIC_STATE,
	TOPIC_CONFIG,
	TOPIC_COMMANDS,
	TOPIC_ERRORS,
	TOPIC_ATTACH,
	TOPIC_DETACH,
};

/*
 * kind       what it is
 * device     the device's id or number in it; "" for TOPIC_OTHER
 * subfolder  what stands behind "events/" or "commands/", pointing into the text; "" without one
 */
struct topic {
	enum topic_kind kind;
	char device[RULES_ID_MAX + 1];
	const char *subfolder;
};

/* Takes a topic, or a subscription's filter, apart. Threads: any. */
void topic_parse(const char *text, struct topic *ret);

/*
 * Whether a topic that topic_parse() does not know is one of TOPIC_EVENTS, TOPIC_STATE,
 * TOPIC_ATTACH or TOPIC_DETACH except that its device id is not valid.
 *
 * ret  receives the kind, no subfolder, and the invalid id as it is in the topic, cut to whole
 *      characters; TOPIC_OTHER for all other topics.  Threads: any.
 */
bool topic_parse_invalid_device(const char *text, struct topic *ret);

/*
 * Whether a device, or its gateway, may publish such a message; whose topic it is is not asked.
 *
 * text  the topic, for the fault
 * max   the payload's limit in bytes
 *
 * Returns 0; else FAULT_AUTH for a topic that is not for publishing or for QoS 2, FAULT_USAGE for a
 * payload too large.  Threads: any.
 */
int topic_check_publish(const struct topic *topic, const char *text, size_t payload_len, size_t max,
	int qos, struct fault *f);

/*
 * Whether a filter is one that a device or its gateway may subscribe to: config, errors, and
 * commands as "commands/#" alone.
 */
bool topic_is_filter(const struct topic *topic);

/*
 * A subfolder of events: parts between slashes, of the characters that ids have, at most
 * RULES_SUBFOLDER_MAX bytes; "" is none.
 *
 * Returns 0; else FAULT_USAGE.  Threads: any.
 */
int topic_check_subfolder(const char *subfolder, struct fault *f);

#endif
