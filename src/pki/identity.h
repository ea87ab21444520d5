/* identity: which name of a certificate says whom it is for. */
#ifndef PKI_IDENTITY_H
#define PKI_IDENTITY_H

#include <openssl/x509.h>

#include "base/fault.h"

enum identity { IDENTITY_CN, IDENTITY_DNS, IDENTITY_URI };

/*
 * Whether a certificate names this one: the subject's only common name is it, or one of the
 * alternative names of that type. Names are compared byte by byte; one with a NUL in it spoils the
 * certificate.
 *
 * Returns 0; else FAULT_INVALID with the reason, FAULT_NOMEM.  Threads: any.
 */
int identity_check(X509 *cert, enum identity where, const char *wanted, struct fault *f);

#endif
