/* retained: bounds the memory that the broker uses for retained messages from gateways. Pure. */
#ifndef PLUGIN_RETAINED_H
#define PLUGIN_RETAINED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/table.h"

/* Bytes that the broker takes for a retained message besides its topic and payload, at most. */
#define RETAINED_OVERHEAD 512

/* All-zero is an empty one; the rest is private to retained.c. */
struct retained {
	struct table topics;
	size_t bytes;
};

/*
 * Notes that a topic's retained message is replaced, or removed when len is 0.
 *
 * max_bytes  of all topics together
 *
 * Returns whether there is room for it, and memory to note it. Without, nothing has changed.
 */
bool retained_replace(struct retained *retained, const char *topic, size_t len, size_t max_bytes);

void retained_clear(struct retained *retained);

#endif
