/* bundle: the certificates in what a CA sends, in whatever form it sends them. */
#ifndef PKI_BUNDLE_H
#define PKI_BUNDLE_H

#include <stddef.h>

#include <openssl/x509.h>

#include "base/fault.h"
#include "pki/cert.h"

/* Bytes a bundle may have, and certificates in it: a PKCS#7 may bring large revocation lists. */
#define BUNDLE_MAX	 (4u << 20)
#define BUNDLE_CERTS_MAX 1024

/*
 * Reads every certificate of a file, in the file's order.
 *
 * The file is PEM (CERTIFICATE, TRUSTED CERTIFICATE, PKCS7 or CMS blocks; other blocks and text are
 * skipped), DER (certificates one after another, or a PKCS#7 SignedData as RFC 2315 defines it), or
 * the base64 of such DER without PEM lines, as EST (RFC 7030) sends it. A byte order mark before it
 * and white space after it are ignored. Revocation lists and signatures in a PKCS#7 are not looked
 * at.
 *
 * ret_certs  at least one; free with auto_certs() or sk_X509_pop_free()
 *
 * Returns 0; else FAULT_INVALID with the reason, FAULT_NOMEM.  Threads: any.
 */
int bundle_read(const char *data, size_t len, STACK_OF(X509) * *ret_certs, struct fault *f);

#endif
