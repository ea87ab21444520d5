/* credentials: the rule for what a device may be known by. Private. */
#ifndef REGISTRY_CREDENTIALS_H
#define REGISTRY_CREDENTIALS_H

#include "registry/db.h"
#include "registry/store.h"

/*
 * Adds a credential within the caller's transaction. When the registry has CAs it must be a
 * certificate that one of them signed itself; its key must be what its type says.
 *
 * Returns 0; else FAULT_USAGE for a type we do not know or a fourth credential, FAULT_INVALID for a
 * key or certificate that may not be used.
 */
int credentials_add(struct registry *r, int64_t registry, int64_t device,
	const struct store_credential *credential, time_t now, struct fault *f);

/*
 * The rule for a device's certificate, however it arrives: its key is one we use, it is valid now,
 * one of the registry's CAs issued it as verify_device() says, and no CA has revoked it.
 *
 * must  refuse it too when the registry has no CA; else such a registry accepts any issuer
 *
 * Returns 0; else FAULT_INVALID with the certificate's subject, the reason and the remedy, FAULT_IO
 * when the file fails.
 */
int credentials_check_certificate(
	struct registry *r, int64_t registry, X509 *cert, bool must, time_t now, struct fault *f);

#endif
