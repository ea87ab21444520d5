/* soft-cert: certificates and revocation lists for tests, made by OpenSSL alone. */
#ifndef TESTS_UNIT_SOFT_CERT_H
#define TESTS_UNIT_SOFT_CERT_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define SOFT_DAY 86400

/*
 * cn, cn_len  the common name; cn_len for one with a NUL in it, else 0
 * second_cn   NULL without one
 * names       subjectAltName as OpenSSL's configuration writes it; NULL without
 * extension   one more extension as OpenSSL's configuration names it; NULL without
 * value       its value as OpenSSL's configuration writes it
 * key         it is for this one
 * ca, ca_key  who signs; NULL, key: itself
 * is_ca       CA:TRUE
 * serial      its number
 * from, days  its validity
 */
struct soft_cert {
	const char *cn;
	int cn_len;
	const char *second_cn;
	const char *names;
	const char *extension;
	const char *value;
	EVP_PKEY *key;
	X509 *ca;
	EVP_PKEY *ca_key;
	bool is_ca;
	long serial;
	time_t from;
	int days;
};

static inline void
soft_must(bool ok)
{
	if (!ok)
		abort();
}

static inline void
soft_extend(X509 *cert, X509 *ca, const char *name, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx(&ctx, ca ? ca : cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_nconf(NULL, &ctx, name, value);
	soft_must(extension && X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline X509 *
soft_cert(const struct soft_cert *c)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	soft_must(X509_set_version(cert, X509_VERSION_3) && X509_set_pubkey(cert, c->key));
	ASN1_INTEGER_set(X509_get_serialNumber(cert), c->serial);
	ASN1_TIME_set(X509_getm_notBefore(cert), c->from);
	ASN1_TIME_set(X509_getm_notAfter(cert), c->from + (time_t)c->days * SOFT_DAY);
	if (c->cn)
		soft_must(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
			(const unsigned char *)c->cn, c->cn_len ? c->cn_len : -1, -1, 0));
	if (c->second_cn)
		soft_must(X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
			(const unsigned char *)c->second_cn, -1, -1, 0));
	X509_set_issuer_name(cert, c->ca ? X509_get_subject_name(c->ca) : name);
	soft_extend(cert, c->ca, "basicConstraints",
		c->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (c->names)
		soft_extend(cert, c->ca, "subjectAltName", c->names);
	if (c->extension)
		soft_extend(cert, c->ca, c->extension, c->value);
	soft_must(X509_sign(cert, c->ca_key ? c->ca_key : c->key, EVP_sha256()) > 0);
	return cert;
}

/* The numbers that a CA takes back, as a list in PEM; free with free(). */
static inline char *
soft_crl(X509 *ca, EVP_PKEY *ca_key, const long *serials, size_t n, time_t last, time_t next,
	bool delta)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *at = ASN1_TIME_set(NULL, last);
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca));
	X509_CRL_set1_lastUpdate(crl, at);
	for (size_t i = 0; i < n; i++) {
		X509_REVOKED *entry = X509_REVOKED_new();
		ASN1_INTEGER *serial = ASN1_INTEGER_new();

		ASN1_INTEGER_set(serial, serials[i]);
		X509_REVOKED_set_serialNumber(entry, serial);
		X509_REVOKED_set_revocationDate(entry, at);
		X509_CRL_add0_revoked(crl, entry);
		ASN1_INTEGER_free(serial);
	}
	if (next) {
		ASN1_TIME_set(at, next);
		X509_CRL_set1_nextUpdate(crl, at);
	}
	if (delta) {
		ASN1_INTEGER *base = ASN1_INTEGER_new();

		ASN1_INTEGER_set(base, 1);
		soft_must(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0));
		ASN1_INTEGER_free(base);
	}
	X509_CRL_sort(crl);
	soft_must(X509_CRL_sign(crl, ca_key, EVP_sha256()) > 0 && PEM_write_bio_X509_CRL(bio, crl));
	len = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)len);
	BIO_free(bio);
	ASN1_TIME_free(at);
	X509_CRL_free(crl);
	return text;
}

#endif
