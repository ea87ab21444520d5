/* verify: whether a certificate is one that a CA issued to a device, as OpenSSL judges it. */
#ifndef PKI_VERIFY_H
#define PKI_VERIFY_H

#include <stddef.h>
#include <time.h>

#include <openssl/x509.h>

#include "base/fault.h"
#include "pki/cert.h"

/*
 * Says whether a certificate can be a registry's CA, which need not be self-signed.
 *
 * OpenSSL must accept it as a trust anchor now, and as an issuer of TLS clients' certificates; an
 * unknown critical extension, for instance, is refused. Beyond that the registry asks for X.509
 * version 3, CA:TRUE, keyCertSign where there is a key usage, and a key that key_check() accepts.
 *
 * Returns 0; else FAULT_INVALID with the CA's name, the reason and the remedy, FAULT_NOMEM.
 * Threads: any.
 */
int verify_ca(X509 *ca, time_t now, struct fault *f);

/*
 * Says whether one of these CAs issued this certificate to a device.
 *
 * One of the CAs must have signed it itself; no intermediate CA is looked for. OpenSSL must accept
 * it for a TLS client (X509_PURPOSE_SSL_CLIENT) at security level 2: critical extensions, name
 * constraints, key usage, extended key usage, validity, keys and digests are what 'openssl verify'
 * says. Only one thing is different: a certificate whose issuer and subject have the same name is
 * self-signed only if its own key signed it. Beyond that the registry asks that the certificate is
 * not a CA's, and that its key usage, where it has one, has digitalSignature. The caller calls
 * key_check() for its key.
 *
 * cas  at least one; not consumed
 *
 * Returns 0; else FAULT_INVALID with the reason and the remedy, which do not name the certificate,
 * FAULT_NOMEM.  Threads: any.
 */
int verify_device(X509 *cert, const STACK_OF(X509) * cas, time_t now, struct fault *f);

/*
 * The certificate's subject in one line of printable ASCII ("CN = gw1"), for messages.
 *
 * size  of the buffer, which it returns; what does not fit becomes "..."
 */
const char *verify_subject(const X509 *cert, char *buffer, size_t size);

#endif
