/* cert: certificate requests and certificates: made, read, and compared with a key and a time. */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/fault.h"

/* Bytes a certificate or a request may have, in PEM or DER. */
#define CERT_MAX 65536

/*
 * Makes a certificate request (RFC 2986), signed with SHA-256 (P-384: SHA-384), an EC key's
 * parameters as a named curve.
 *
 * key           signs; a token's too; not consumed
 * alternatives  for a subjectAltName request, or NULL; not consumed
 * ret_csr       free with X509_REQ_free()
 *
 * Returns 0; else FAULT_CRYPTO or what the key reports, FAULT_NOMEM.  Blocks: while the key signs.
 */
int cert_request(EVP_PKEY *key, const X509_NAME *subject, const GENERAL_NAMES *alternatives,
	X509_REQ **ret_csr, struct fault *f);

/*
 * Makes a self-signed end-entity certificate (RFC 5280; CA:FALSE, digitalSignature), with a random
 * serial of 127 bits, valid from an hour before `now` for `days` days.
 *
 * days  1..36500
 *
 * Returns as cert_request().
 */
int cert_selfsign(EVP_PKEY *key, const X509_NAME *subject, const GENERAL_NAMES *alternatives,
	int days, time_t now, X509 **ret_cert, struct fault *f);

/*
 * Reads the first certificate of a PEM file, or a DER one; anything behind a DER certificate is
 * refused.
 *
 * Returns 0; else FAULT_INVALID when it is no certificate, FAULT_NOMEM.  Threads: any.
 */
int cert_read(const char *data, size_t len, X509 **ret_cert, struct fault *f);

/* The certificate (the request) in PEM; free *ret_pem with free(). */
int cert_pem(X509 *cert, char **ret_pem, struct fault *f);
int cert_request_pem(X509_REQ *csr, char **ret_pem, struct fault *f);

/*
 * Whether the certificate is for this key.
 *
 * key  public or private, a token's too
 *
 * Returns 0; else FAULT_INVALID saying that it is another key's.
 */
int cert_check_key(X509 *cert, EVP_PKEY *key, struct fault *f);

/*
 * Whether the certificate is valid at this time.
 *
 * Returns 0; else FAULT_INVALID saying since or until when it is not.
 */
int cert_check_time(X509 *cert, time_t now, struct fault *f);

/* Frees certificates and their list; NULL is allowed. */
static inline void
auto_certs(STACK_OF(X509) * *certs)
{
	sk_X509_pop_free(*certs, X509_free);
}

#endif
