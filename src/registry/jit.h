/* jit: registers an unknown device by the certificate that its token brings. Private. */
#ifndef REGISTRY_JIT_H
#define REGISTRY_JIT_H

#include "registry/db.h"

/*
 * Judges the token of a device that is not registered, and registers it with the certificate that
 * signed the token, when its registry does so: one of the registry's CAs issued that certificate
 * and has not revoked it, and it names the device in the way that the registry wants. Another that
 * registered the device meanwhile comes first: the token is then judged as any other.
 *
 * admission  the client as it named itself; filled in like by admit_device() and admit_token()
 *
 * Returns 0; else FAULT_AUTH with the reason (no piece of the token), FAULT_IO when the file fails.
 * Blocks: on the disk; up to a second while another process writes.
 */
int jit_admit(struct registry *r, struct registry_admission *admission, const char *client_id,
	const char *token, size_t len, time_t now, struct fault *f);

#endif
