/* Certificates, public keys and names as files and command lines bring them. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "pki/cert.h"
#include "pki/describe.h"
#include "pki/key.h"
#include "pki/name.h"

#define NOW 1800000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_certificate(const char *data, size_t size)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_free) char *pem = NULL;
	struct fault f = FAULT_INIT;
	json_t *about;

	if (cert_read(data, size, &cert, &f))
		return;
	cert_check_ca(cert, NOW, &f);
	cert_check_issued(cert, cert, NOW, &f);
	cert_pem(cert, &pem, &f);
	if (cert_describe(cert, NOW, &about, &f) == 0)
		json_decref(about);
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
	try_key((const char *)data, size);
	if (text)
		try_names(text);
	return 0;
}
