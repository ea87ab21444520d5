#include "config.h"

#include "pki/describe.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "pki/key.h"

/* Names from outside are escaped by OpenSSL itself: RFC 2253's rules, non-printable ones too. */
#define NAME_FLAGS (XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB)

static json_t *
text_of(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	return len > 0 ? json_stringn(data, (size_t)len) : json_string("");
}

static json_t *
name(const X509_NAME *from)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || X509_NAME_print_ex(bio, from, 0, NAME_FLAGS) < 0)
		return NULL;
	return text_of(bio);
}

static json_t *
serial(const X509 *cert)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio || i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(cert)) < 0)
		return NULL;
	return text_of(bio);
}

static json_t *
date(const ASN1_TIME *at)
{
	char text[32];
	struct tm tm;

	if (!ASN1_TIME_to_tm(at, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return json_string(text);
}

static json_t *
days_left(const ASN1_TIME *until, time_t now)
{
	AUTO(auto_asn1_time) ASN1_TIME *from = ASN1_TIME_set(NULL, now);
	int days, seconds;

	if (!from || !ASN1_TIME_diff(&days, &seconds, from, until))
		return NULL;
	return json_integer(days);
}

static json_t *
key(const X509 *cert)
{
	EVP_PKEY *public = X509_get0_pubkey(cert);
	char text[64];

	return json_string(
		public ? key_describe(public, text, sizeof(text)) : "of an unknown kind");
}

static json_t *
alternatives(const X509 *cert)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	int at = X509_get_ext_by_NID(cert, NID_subject_alt_name, -1);

	if (!bio)
		return NULL;
	if (at >= 0 && !X509V3_EXT_print(bio, X509_get_ext(cert, at), 0, 0))
		return NULL;
	return text_of(bio);
}

static json_t *
fingerprint(const X509 *cert)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[3 * EVP_MAX_MD_SIZE + 1];
	unsigned n;

	if (!X509_digest(cert, EVP_sha256(), digest, &n))
		return NULL;
	for (unsigned i = 0; i < n; i++)
		snprintf(text + 3 * i, 4, "%02X%s", digest[i], i + 1 < n ? ":" : "");
	return json_string(text);
}

int
cert_describe(X509 *cert, time_t now, json_t **ret_about, struct fault *f)
{
	json_t *about = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "subject",
		name(X509_get_subject_name(cert)), "issuer", name(X509_get_issuer_name(cert)),
		"serial", serial(cert), "notBefore", date(X509_get0_notBefore(cert)), "notAfter",
		date(X509_get0_notAfter(cert)), "daysLeft",
		days_left(X509_get0_notAfter(cert), now), "key", key(cert), "alternativeNames",
		alternatives(cert), "fingerprint", fingerprint(cert));

	if (!about)
		return fault_openssl(f, FAULT_CRYPTO, "cannot describe the certificate");
	*ret_about = about;
	return 0;
}
