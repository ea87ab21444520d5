/* revoked: which certificates their CA took back, by the lists in files. Private. */
#ifndef REGISTRY_REVOKED_H
#define REGISTRY_REVOKED_H

#include "pki/crl.h"
#include "registry/db.h"

/*
 * Whether a certificate is in a list of the CA that signed it. Without files none is.
 *
 * Returns 0; else FAULT_IO when the registries' CAs cannot be read, FAULT_NOMEM.
 */
int revoked_check(struct registry *r, X509 *cert, bool *ret_revoked, struct fault *f);

/* Whether only revoked_check() can say: nearly never, and in a microsecond. Returns as that. */
int revoked_may_be(struct registry *r, const struct crl_id *id, bool *ret_may_be, struct fault *f);

/* Whose signatures count is to be found out again: the file changed. */
void revoked_look_again(struct registry *r);

void revoked_free(struct registry *r);

#endif
