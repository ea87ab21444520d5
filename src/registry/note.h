/* note: lines of the audit about what an operator changed. Private. */
#ifndef REGISTRY_NOTE_H
#define REGISTRY_NOTE_H

#include "registry/db.h"

/*
 * Adds a line within the caller's transaction, with the time it is.
 *
 * device  the row of the device that it is about; 0 for the registry itself
 * event   a word or two: "config updated"
 * detail  key=value pairs; never a payload or a key
 */
int note(struct registry *r, const struct rules_client *at, int64_t device, const char *event,
	struct fault *f, const char *detail, ...) __attribute__((format(printf, 6, 7)));

#endif
