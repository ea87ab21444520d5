/* describe: what a certificate says, for people and for programs. */
#ifndef PKI_DESCRIBE_H
#define PKI_DESCRIBE_H

#include <time.h>

#include <jansson.h>
#include <openssl/x509.h>

#include "base/fault.h"

/*
 * Subject, issuer, serial, notBefore, notAfter (RFC 3339), daysLeft, key, alternativeNames and the
 * SHA-256 fingerprint, in this order; texts, but for daysLeft, an integer that is negative once it
 * has expired. Control characters in names are escaped.
 *
 * ret_about  receives an object; free with json_decref()
 *
 * Returns 0; else FAULT_CRYPTO, FAULT_NOMEM.  Threads: any.
 */
int cert_describe(X509 *cert, time_t now, json_t **ret_about, struct fault *f);

#endif
