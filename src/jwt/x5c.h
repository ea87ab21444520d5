/* x5c: the certificates in a token's header (RFC 7515 section 4.1.6), as DER that is not read. */
#ifndef JWT_X5C_H
#define JWT_X5C_H

#include <stddef.h>

#include <jansson.h>

#include "base/fault.h"

/* Certificates a header may bring, and bytes each may have. */
#define X5C_CERTIFICATES_MAX 4
#define X5C_DER_MAX	     8192

/*
 * Adds a certificate to a header, behind those that are there.
 *
 * header  an object
 *
 * Returns 0; else FAULT_INVALID when there is no room for it, FAULT_NOMEM.  Threads: any.
 */
int x5c_add(json_t *header, const unsigned char *der, size_t len, struct fault *f);

/*
 * The first certificate of a header, the one whose key signed the token. All of them must be
 * standard base64, canonical and padded.
 *
 * ret_der  free with free(); nothing in it is believed yet
 *
 * Returns 0; else FAULT_NOTFOUND when there is no x5c, FAULT_INVALID when it is not what it must be
 * (never a piece of it in the text), FAULT_NOMEM.  Threads: any.
 */
int x5c_first(const json_t *header, unsigned char **ret_der, size_t *ret_len, struct fault *f);

#endif
