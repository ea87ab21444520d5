/* gateways: binds devices to gateways. Private. */
#ifndef REGISTRY_GATEWAYS_H
#define REGISTRY_GATEWAYS_H

#include "registry/db.h"

/* store_gateway_bind() within the caller's transaction; when it fails nothing has changed. */
int gateways_bind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f);

#endif
