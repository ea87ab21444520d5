/* devices: a device's row, for who writes or reads more than that. Private. */
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

/* What is in both lists and descriptions. */
#define DEVICES_COLUMNS "name, num_id, blocked, gateway, auth_method"

/* The members of a row that begins with DEVICES_COLUMNS; NULL when memory ran out. */
json_t *devices_summary(sqlite3_stmt *q, const struct rules_client *at);

#endif
