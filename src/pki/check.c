#include "config.h"

#include "pki/cert.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/auto.h"

static int
no_passphrase(char *buffer, int size, int writing, void *with)
{
	(void)buffer, (void)size, (void)writing, (void)with;
	return -1;
}

int
cert_read(const char *data, size_t len, X509 **ret_cert, struct fault *f)
{
	const unsigned char *at = (const unsigned char *)data;
	AUTO(auto_bio) BIO *bio = NULL;
	AUTO(auto_x509) X509 *cert = NULL;

	if (len > CERT_MAX)
		return fault_set(
			f, FAULT_INVALID, "larger than a certificate may be (%d bytes)", CERT_MAX);
	if (len > 0 && at[0] == 0x30) { /* DER: a SEQUENCE; no text begins so but '0' */
		cert = d2i_X509(NULL, &at, (long)len);
		if (cert && at != (const unsigned char *)data + len)
			return fault_set(f, FAULT_INVALID, "there is more behind the certificate");
	}
	if (!cert) {
		bio = BIO_new_mem_buf(data, (int)len);
		if (!bio)
			return fault_nomem(f);
		cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL);
	}
	if (!cert)
		return fault_openssl(f, FAULT_INVALID, "no certificate in PEM or DER");
	ERR_clear_error();
	*ret_cert = TAKE(cert);
	return 0;
}

int
cert_check_key(X509 *cert, EVP_PKEY *key, struct fault *f)
{
	AUTO(auto_openssl) unsigned char *ours = NULL;
	AUTO(auto_openssl) unsigned char *theirs = NULL;
	EVP_PKEY *certified = X509_get0_pubkey(cert);
	int n, m;

	/* As they are encoded: keys of a token and of OpenSSL are not compared otherwise. */
	n = i2d_PUBKEY(key, &ours);
	m = certified ? i2d_PUBKEY(certified, &theirs) : -1;
	ERR_clear_error();
	if (n < 0 || n != m || memcmp(ours, theirs, (size_t)n) != 0)
		return fault_set(f, FAULT_INVALID, "the certificate is for another key");
	return 0;
}

/* "2027-01-01 12:00:00Z" into a buffer of 32. */
static const char *
date(const ASN1_TIME *at, char *buffer, size_t size)
{
	struct tm tm;

	if (!ASN1_TIME_to_tm(at, &tm) || !strftime(buffer, size, "%Y-%m-%d %H:%M:%SZ", &tm))
		snprintf(buffer, size, "an impossible date");
	return buffer;
}

int
cert_check_time(X509 *cert, time_t now, struct fault *f)
{
	char text[32];

	if (X509_cmp_time(X509_get0_notBefore(cert), &now) >= 0)
		return fault_set(f, FAULT_INVALID, "the certificate is not valid before %s",
			date(X509_get0_notBefore(cert), text, sizeof(text)));
	if (X509_cmp_time(X509_get0_notAfter(cert), &now) <= 0)
		return fault_set(f, FAULT_INVALID, "the certificate has expired on %s",
			date(X509_get0_notAfter(cert), text, sizeof(text)));
	return 0;
}
