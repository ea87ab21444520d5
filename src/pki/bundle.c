#include "config.h"

#include "pki/bundle.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "base/auto.h"

AUTO_DEFINE(pkcs7, PKCS7, PKCS7_free);
AUTO_DEFINE(aux, X509_CERT_AUX, X509_CERT_AUX_free);

static const unsigned char utf8_mark[] = {0xef, 0xbb, 0xbf};

/* Adds a certificate and takes it over. */
static int
add(STACK_OF(X509) * certs, X509 *cert, struct fault *f)
{
	if (sk_X509_num(certs) >= BUNDLE_CERTS_MAX) {
		X509_free(cert);
		return fault_set(
			f, FAULT_INVALID, "it has more than %d certificates", BUNDLE_CERTS_MAX);
	}
	if (!sk_X509_push(certs, cert)) {
		X509_free(cert);
		return fault_nomem(f);
	}
	return 0;
}

static int
add_pkcs7(STACK_OF(X509) * certs, const PKCS7 *p7, struct fault *f)
{
	const STACK_OF(X509) *held = NULL;

	if (PKCS7_type_is_signed(p7) && p7->d.sign)
		held = p7->d.sign->cert;
	else if (PKCS7_type_is_signedAndEnveloped(p7) && p7->d.signed_and_enveloped)
		held = p7->d.signed_and_enveloped->cert;
	for (int i = 0; i < sk_X509_num(held); i++) {
		X509 *cert = sk_X509_value(held, i);

		if (!X509_up_ref(cert))
			return fault_nomem(f);
		if (add(certs, cert, f))
			return -1;
	}
	return 0;
}

/* Skips what a CA or an editor leaves after DER. */
static bool
is_filler(unsigned char c)
{
	return isspace(c) || c == '\0' || c == 0x1a; /* 0x1a: DOS's end of a file */
}

/* A TRUSTED CERTIFICATE has OpenSSL's own trust settings after the certificate. */
static bool
skip_trust(const unsigned char **at, const unsigned char *end)
{
	const unsigned char *after = *at;
	AUTO(auto_aux) X509_CERT_AUX *aux = d2i_X509_CERT_AUX(NULL, &after, end - *at);

	if (aux)
		*at = after;
	return aux != NULL;
}

/* Certificates one after another, or one PKCS#7. */
static int
add_der(STACK_OF(X509) * certs, const unsigned char *data, size_t len, struct fault *f)
{
	const unsigned char *at = data, *end = data + len;
	int before = sk_X509_num(certs);

	while (at < end) {
		const unsigned char *start = at;
		AUTO(auto_pkcs7) PKCS7 *p7 = NULL;
		X509 *cert;

		if (is_filler(*at) && sk_X509_num(certs) > before) {
			at++;
			continue;
		}
		cert = d2i_X509(NULL, &at, end - at);
		if (cert) {
			if (add(certs, cert, f))
				return -1;
			continue;
		}
		at = start;
		p7 = d2i_PKCS7(NULL, &at, end - at);
		if (p7) {
			if (add_pkcs7(certs, p7, f))
				return -1;
			continue;
		}
		at = start;
		if (sk_X509_num(certs) == before)
			return fault_openssl(f, FAULT_INVALID,
				"it is neither a certificate nor a PKCS#7 in DER");
		if (!skip_trust(&at, end))
			return fault_set(
				f, FAULT_INVALID, "there is something else after the certificate");
	}
	return 0;
}

static bool
holds_certificates(const char *name)
{
	static const char *const names[] = {PEM_STRING_X509, PEM_STRING_X509_OLD,
		PEM_STRING_X509_TRUSTED, PEM_STRING_PKCS7, PEM_STRING_PKCS7_SIGNED, PEM_STRING_CMS};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/* The blocks of a PEM file. What is in a block decides, not its name: CAs confuse the names. */
static int
add_pem(STACK_OF(X509) * certs, const char *data, size_t len, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(data, (int)len);
	char other[64] = "";
	unsigned n = 0;

	if (!bio)
		return fault_nomem(f);
	for (;;) {
		AUTO(auto_openssl) char *name = NULL, *header = NULL;
		AUTO(auto_openssl) unsigned char *block = NULL;
		unsigned long why;
		long block_len;

		if (!PEM_read_bio(bio, &name, &header, &block, &block_len)) {
			why = ERR_peek_last_error();
			if (ERR_GET_LIB(why) == ERR_LIB_PEM &&
				ERR_GET_REASON(why) == PEM_R_NO_START_LINE)
				break;
			return fault_openssl(
				f, FAULT_INVALID, "PEM block %u cannot be read", n + 1);
		}
		n++;
		if (!holds_certificates(name))
			snprintf(other, sizeof(other), "%s", name);
		else if (add_der(certs, block, (size_t)block_len, f))
			return fault_prefix(f, "PEM block %u, %s", n, name);
		OPENSSL_cleanse(block, (size_t)block_len);
	}
	if (sk_X509_num(certs) == 0 && *other)
		return fault_set(f, FAULT_INVALID, "it has a %s and no certificate", other);
	return 0;
}

/* Copies base64 without its white space; NULL when there is anything else, or no memory. */
static unsigned char *
only_base64(const char *data, size_t len, size_t *ret_len)
{
	AUTO(auto_free) unsigned char *text = malloc(len + 1);
	size_t n = 0;

	for (size_t i = 0; text && i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if (is_filler(c))
			continue;
		if (!isalnum(c) && c != '+' && c != '/' && c != '=')
			return NULL;
		text[n++] = c;
	}
	*ret_len = n;
	return TAKE(text);
}

static int
add_base64(STACK_OF(X509) * certs, const char *data, size_t len, struct fault *f)
{
	size_t n = 0;
	AUTO(auto_free) unsigned char *text = only_base64(data, len, &n);
	AUTO(auto_free) unsigned char *der = malloc(n + 1);
	int der_len = text && der && n > 0 ? EVP_DecodeBlock(der, text, (int)n) : -1;

	/* It counts the padding as bytes; zeros after DER are skipped. */
	if (der_len <= 0)
		return fault_openssl(
			f, FAULT_INVALID, "it is not a certificate in PEM, DER, PKCS#7 or base64");
	return add_der(certs, der, (size_t)der_len, f);
}

/* A SEQUENCE of more than 127 bytes, as every certificate and PKCS#7 is: no text begins so. */
static bool
is_der(const unsigned char *data, size_t len)
{
	return len > 2 && data[0] == 0x30 && (data[1] & 0x80);
}

static int
add_any(STACK_OF(X509) * certs, const char *data, size_t len, struct fault *f)
{
	const unsigned char *bytes = (const unsigned char *)data;

	if (len > BUNDLE_MAX)
		return fault_set(f, FAULT_INVALID, "larger than %u bytes", BUNDLE_MAX);
	if (len >= 2 &&
		((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff)))
		return fault_set(
			f, FAULT_INVALID, "the file is UTF-16 text: save it as ASCII or UTF-8");
	if (len >= sizeof(utf8_mark) && memcmp(data, utf8_mark, sizeof(utf8_mark)) == 0) {
		data += sizeof(utf8_mark);
		len -= sizeof(utf8_mark);
	}
	if (is_der((const unsigned char *)data, len))
		return add_der(certs, (const unsigned char *)data, len, f);
	if (len > 0 && memmem(data, len, "-----BEGIN ", 11))
		return add_pem(certs, data, len, f);
	return add_base64(certs, data, len, f);
}

int
bundle_read(const char *data, size_t len, STACK_OF(X509) * *ret_certs, struct fault *f)
{
	AUTO(auto_certs) STACK_OF(X509) *certs = sk_X509_new_null();
	int failed;

	if (!certs)
		return fault_nomem(f);
	failed = add_any(certs, data, len, f);
	ERR_clear_error();
	if (failed)
		return -1;
	if (sk_X509_num(certs) == 0)
		return fault_set(f, FAULT_INVALID, "it has no certificate");
	*ret_certs = TAKE(certs);
	return 0;
}
