/* cert: certificate requests and certificates: made with any EVP_PKEY, read and judged. */
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

/*
 * Whether a certificate can be a registry's CA: X.509v3, CA:TRUE and keyCertSign where it has a
 * key usage, RSA >= 2048 or P-256/P-384, valid now.
 *
 * Returns 0; else FAULT_INVALID with the reason.
 */
int cert_check_ca(X509 *ca, time_t now, struct fault *f);

/*
 * Whether `ca` itself signed `cert`: issuer and key identifiers match, the signature verifies,
 * `cert` is no CA certificate and not `ca` itself, both are valid now. No chain is built.
 *
 * Returns 0; else FAULT_INVALID with the reason.  Threads: any.
 */
int cert_check_issued(X509 *cert, X509 *ca, time_t now, struct fault *f);

#endif
