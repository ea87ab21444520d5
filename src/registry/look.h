/* look: finds registries and devices by name, with a fault that names what is missing. Private. */
#ifndef REGISTRY_LOOK_H
#define REGISTRY_LOOK_H

#include "registry/db.h"

int look_registry(
	struct registry *r, const struct rules_client *at, int64_t *ret_row, struct fault *f);

/* The device by its id or, when that is all digits, by its numeric id. */
int look_device(struct registry *r, const struct rules_client *at, const char *device,
	int64_t *ret_row, struct fault *f);

/* The parts of "ID", or of "projects/PROJECT/KIND/ID". */
struct look_path {
	char project[RULES_ID_MAX + 1];
	char id[RULES_ID_MAX + 1];
};

/*
 * Takes a topic's or a subscription's name apart.
 *
 * kind  "topics" or "subscriptions"
 *
 * Returns 0; else FAULT_USAGE.
 */
int look_path(const char *kind, const char *project, const char *name, struct look_path *ret,
	struct fault *f);

int look_topic(struct registry *r, const char *project, const char *topic, int64_t *ret_row,
	struct fault *f);

/* deleting: whether one that is being deleted may be found too. */
int look_subscription(struct registry *r, const char *project, const char *subscription,
	bool deleting, int64_t *ret_row, struct fault *f);

/* Seconds to RFC 3339, "" for 0; buffer of at least 32; returns it. */
const char *look_time(int64_t seconds, char *buffer, size_t size);

/* Bytes as a text in base64; NULL when memory ran out. */
json_t *look_base64(const void *data, int len);

/* Appends and frees when that fails, so that a loop needs no clean-up. */
int look_append(json_t *array, json_t *entry, struct fault *f);

#endif
