/* audit: what happened to devices, by whom and why, the newest kept. Private. */
#ifndef REGISTRY_AUDIT_H
#define REGISTRY_AUDIT_H

#include "registry/db.h"

/* Lines kept in the file, for all of its registries together. */
#define AUDIT_MAX 100000

/*
 * Adds a line within the caller's transaction.
 *
 * at      the device; one without a device or a registry is about what is there
 * event   a word or two: "blocked", "config"
 * detail  key=value pairs or a reason; never a piece of a token or of a payload
 */
int audit_add(struct registry *r, const struct rules_client *at, time_t when, const char *event,
	const char *detail, struct fault *f);

#endif
