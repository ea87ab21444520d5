/* look: finds registries and devices by name, with a fault that names what is missing. Private. */
#ifndef REGISTRY_LOOK_H
#define REGISTRY_LOOK_H

#include "registry/db.h"

int look_registry(
	struct registry *r, const struct rules_client *at, int64_t *ret_row, struct fault *f);
int look_device(struct registry *r, const struct rules_client *at, const char *device,
	int64_t *ret_row, struct fault *f);
int look_topic(struct registry *r, const char *project, const char *topic, int64_t *ret_row,
	struct fault *f);

/* Seconds to RFC 3339, "" for 0; buffer of at least 32; returns it. */
const char *look_time(int64_t seconds, char *buffer, size_t size);

/* Appends and frees when that fails, so that a loop needs no clean-up. */
int look_append(json_t *array, json_t *entry, struct fault *f);

#endif
