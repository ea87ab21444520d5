/* attach: what a gateway sends to speak for a device. Pure; registry.h has the rest. */
#ifndef REGISTRY_ATTACH_H
#define REGISTRY_ATTACH_H

#include <stddef.h>

#include "base/fault.h"

/*
 * Reads an attach's payload: nothing, or a JSON object in which "authorization" is a string;
 * other members are passed over, as Cloud IoT Core did.
 *
 * ret_token  receives the token, a secret, "" without one; free with secret_free()
 *
 * Returns 0; else FAULT_AUTH with the reason, FAULT_NOMEM.  Threads: any.
 */
int attach_parse(const void *payload, size_t len, char **ret_token, struct fault *f);

#endif
