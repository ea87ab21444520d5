/* settings: what an operator may set of a registry. Private. */
#ifndef REGISTRY_SETTINGS_H
#define REGISTRY_SETTINGS_H

#include "registry/db.h"
#include "registry/store.h"

/*
 * Sets what is given, within the caller's transaction.
 *
 * Returns 0; else FAULT_USAGE for what may not be set, FAULT_NOTFOUND for a topic, FAULT_IO.
 */
int settings_apply(struct registry *r, const struct rules_client *at, int64_t registry,
	const struct store_registry *settings, struct fault *f);

/* Adds the members of a registry's description. */
int settings_describe(struct registry *r, int64_t registry, json_t *about, struct fault *f);

#endif
