/* configs: what a device is told, in versions from 1. Private. */
#ifndef REGISTRY_CONFIGS_H
#define REGISTRY_CONFIGS_H

#include "registry/db.h"
#include "registry/store.h"

/*
 * Adds a version within the caller's transaction and drops what is older than the newest ten.
 *
 * Returns 0; else FAULT_USAGE when it is too large, FAULT_IO.
 */
int configs_add(struct registry *r, int64_t device, int64_t version, const void *data, size_t len,
	time_t now, struct fault *f);

/* A version as REST's DeviceConfig, the newest for 0; FAULT_NOTFOUND when it is not kept. */
int configs_describe(
	struct registry *r, int64_t device, int64_t version, json_t **ret, struct fault *f);

#endif
