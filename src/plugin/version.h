/* version: which mosquitto this runs in: what a plugin may leave to the broker differs. */
#ifndef PLUGIN_VERSION_H
#define PLUGIN_VERSION_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the broker frees a message's topic and properties that a plugin replaces: 2.0.15 and
 * later do.
 */
bool version_frees_replaced(void);

/*
 * Finds a version, as a text of its own that ends with NUL ("2.0.11"), in a program's bytes.
 *
 * Returns it as 2000011, or 0 when none or more than one is there.  Threads: any.
 */
long version_find(const char *bytes, size_t len);

#endif
