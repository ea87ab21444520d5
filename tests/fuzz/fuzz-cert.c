/* Certificates, public keys and names as files and command lines bring them. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <openssl/pem.h>

#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/crl.h"
#include "pki/describe.h"
#include "pki/identity.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/verify.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_certificate(const char *data, size_t size)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_free) char *pem = NULL;
	AUTO(auto_certs) STACK_OF(X509) *cas = sk_X509_new_null();
	AUTO(auto_x509) X509 *ca = NULL;
	struct fault f = FAULT_INIT;
	char subject[64];
	json_t *about;

	if (!cas || cert_read(data, size, &cert, &f))
		return;
	verify_ca(cert, NOW, &f);
	verify_subject(cert, subject, sizeof(subject));
	/* A CA of the same name and key, which is not the same certificate. */
	ca = X509_dup(cert);
	if (ca && ASN1_TIME_set(X509_getm_notAfter(ca), NOW + 1) &&
		X509_set_subject_name(ca, X509_get_issuer_name(cert)) &&
		i2d_re_X509_tbs(ca, NULL) > 0 && sk_X509_push(cas, ca)) {
		ca = NULL;
		verify_device(cert, cas, NOW, &f);
	}
	identity_check(cert, IDENTITY_CN, "dev", &f);
	identity_check(cert, IDENTITY_DNS, "dev", &f);
	identity_check(cert, IDENTITY_URI, "dev", &f);
	cert_pem(cert, &pem, &f);
	if (cert_describe(cert, NOW, &about, &f) == 0)
		json_decref(about);
}

static void
try_bundle(const char *data, size_t size)
{
	AUTO(auto_certs) STACK_OF(X509) *certs = NULL;
	struct fault f = FAULT_INIT;

	if (bundle_read(data, size, &certs, &f) == 0 && sk_X509_num(certs) < 1)
		abort();
}

static void
try_lists(const char *data, size_t size)
{
	AUTO(auto_crls) struct crls *crls = NULL;
	AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(data, (int)size);
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	struct crl_id id;

	if (crls_read(data, size, &crls, &f))
		return;
	/* A CA beside its list, as a file may hold it. */
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (!cert || crl_id_of(cert, &id, &f))
		return;
	crls_trust(crls, cert);
	crls_next_update(crls);
	if (crls_hold(crls, cert) && !crls_may_hold(crls, &id))
		abort();
	crl_id_clear(&id);
}

static void
try_key(const char *data, size_t size)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;
	json_t *jwk;

	if (key_read_public(data, size, &key, &f))
		return;
	/* What was taken can be written. */
	if (key_public_jwk(key, &jwk, &f))
		abort();
	json_decref(jwk);
}

static void
try_names(char *text)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_general_names) GENERAL_NAMES *names = NULL;
	AUTO(auto_free) char *printed = NULL;
	struct fault f = FAULT_INIT;

	if (name_parse(text, &name, &f) == 0 && name_text(name, &printed, &f))
		abort();
	name_parse_alternatives(&text, 1, &names, &f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_free) char *text = strndup((const char *)data, size);

	try_certificate((const char *)data, size);
	try_bundle((const char *)data, size);
	try_lists((const char *)data, size);
	try_key((const char *)data, size);
	if (text)
		try_names(text);
	return 0;
}
