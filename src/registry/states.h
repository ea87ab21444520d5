/* states: what devices said of themselves. Private. */
#ifndef REGISTRY_STATES_H
#define REGISTRY_STATES_H

#include <jansson.h>

#include "registry/db.h"

/* A device's newest states as REST's DeviceState, `limit` at most, the newest first. */
int states_list(struct registry *r, int64_t device, int64_t limit, json_t **ret, struct fault *f);

#endif
