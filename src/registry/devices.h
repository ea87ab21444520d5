/* devices: a device's row, for who writes more than that in one transaction. Private. */
#ifndef REGISTRY_DEVICES_H
#define REGISTRY_DEVICES_H

#include "registry/db.h"
#include "registry/store.h"

/*
 * Adds a device, without credentials, within the caller's transaction.
 *
 * name  its id
 *
 * Returns 0; else FAULT_USAGE for a bad id, FAULT_EXISTS when it is there, FAULT_IO.
 */
int devices_add(struct registry *r, int64_t registry, const char *name,
	const struct store_device *device, time_t now, int64_t *ret_row, struct fault *f);

#endif
