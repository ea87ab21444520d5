/* crl: certificate revocation lists: what a file of them holds, and for which CA each counts. */
#ifndef PKI_CRL_H
#define PKI_CRL_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/x509.h>

#include "base/auto.h"
#include "base/fault.h"

/* Bytes that a file of lists may have. */
#define CRL_MAX (16 * 1024 * 1024)

/* The lists of one file. None counts before crls_trust() found the CA that signed it. */
struct crls;

/*
 * Reads every "BEGIN X509 CRL" of a PEM file. A CA's certificate in the same file is trusted like
 * one given to crls_trust(), and is never forgotten.
 *
 * ret_crls  free with crls_free()
 *
 * Returns 0; else FAULT_INVALID when there is no list, one is damaged, or one is a delta CRL, which
 * is nothing without the list it amends; FAULT_NOMEM.  Threads: any.
 */
int crls_read(const char *data, size_t len, struct crls **ret_crls, struct fault *f);

void crls_free(struct crls *crls);

AUTO_DEFINE(crls, struct crls, crls_free);

/* Makes the lists count that this CA signed: its name is the issuer's, and its key verifies. */
void crls_trust(struct crls *crls, X509 *ca);

/* Forgets what crls_trust() found. */
void crls_distrust(struct crls *crls);

/* How many of the lists count. */
size_t crls_trusted(const struct crls *crls);

/* When the first of the lists that count should have been replaced; 0 when none says. */
time_t crls_next_update(const struct crls *crls);

/*
 * What a list is searched by; small enough to be kept for each of thousands of certificates.
 *
 * issuer  a hash of the issuer's name
 * serial  NULL for no certificate, which no list holds
 */
struct crl_id {
	unsigned long issuer;
	ASN1_INTEGER *serial;
};

/* Empty it with crl_id_clear().  Returns 0; else FAULT_NOMEM. */
int crl_id_of(X509 *cert, struct crl_id *ret_id, struct fault *f);

void crl_id_clear(struct crl_id *id);

/* Whether a list that counts may hold the certificate; only crls_hold() says that it does. */
bool crls_may_hold(const struct crls *crls, const struct crl_id *id);

/* Whether the CA that issued the certificate holds it in a list that counts. */
bool crls_hold(const struct crls *crls, X509 *cert);

#endif
