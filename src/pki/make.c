#include "config.h"

#include "pki/cert.h"

#include <string.h>

#include <openssl/pem.h>
#include <openssl/rand.h>

#include "base/auto.h"
#include "pki/key.h"

#define SERIAL_BYTES 16 /* RFC 5280 section 4.1.2.2 allows 20 */
#define BACKDATE_S   3600

AUTO_DEFINE(extension, X509_EXTENSION, X509_EXTENSION_free);
AUTO_DEFINE(integer, ASN1_INTEGER, ASN1_INTEGER_free);

static void
auto_extensions(STACK_OF(X509_EXTENSION) * *variable)
{
	sk_X509_EXTENSION_pop_free(*variable, X509_EXTENSION_free);
}

/* The digest that goes with the key's strength. */
static const EVP_MD *
digest_of(EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) > 256
		       ? EVP_sha384()
		       : EVP_sha256();
}

int
cert_request(EVP_PKEY *key, const X509_NAME *subject, const GENERAL_NAMES *alternatives,
	X509_REQ **ret_csr, struct fault *f)
{
	AUTO(auto_csr) X509_REQ *csr = X509_REQ_new();
	AUTO(auto_extensions) STACK_OF(X509_EXTENSION) *extensions = NULL;

	if (!csr)
		return fault_nomem(f);
	if (key_check(key, f))
		return -1;
	if (!X509_REQ_set_version(csr, X509_REQ_VERSION_1) ||
		!X509_REQ_set_subject_name(csr, (X509_NAME *)subject) ||
		!X509_REQ_set_pubkey(csr, key))
		return fault_openssl(f, FAULT_CRYPTO, "cannot make the request");
	if (alternatives && (X509V3_add1_i2d(&extensions, NID_subject_alt_name,
				     (void *)alternatives, 0, 0) != 1 ||
				    !X509_REQ_add_extensions(csr, extensions)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot put the names into the request");
	if (!X509_REQ_sign(csr, key, digest_of(key)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot sign the request");
	*ret_csr = TAKE(csr);
	return 0;
}

static int
set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_BYTES];
	AUTO(auto_bn) BIGNUM *bn = NULL;
	AUTO(auto_integer) ASN1_INTEGER *serial = NULL;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return 0;
	bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive and never short */
	bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	serial = bn ? BN_to_ASN1_INTEGER(bn, NULL) : NULL;
	return serial && X509_set_serialNumber(cert, serial);
}

static int
add_text_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;
	AUTO(auto_extension) X509_EXTENSION *extension = NULL;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, (char *)value);
	return extension && X509_add_ext(cert, extension, -1);
}

int
cert_selfsign(EVP_PKEY *key, const X509_NAME *subject, const GENERAL_NAMES *alternatives, int days,
	time_t now, X509 **ret_cert, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = X509_new();

	if (!cert)
		return fault_nomem(f);
	if (key_check(key, f))
		return -1;
	if (!X509_set_version(cert, X509_VERSION_3) || !set_serial(cert) ||
		!X509_set_subject_name(cert, subject) || !X509_set_issuer_name(cert, subject) ||
		!X509_set_pubkey(cert, key) ||
		!X509_time_adj_ex(X509_getm_notBefore(cert), 0, -BACKDATE_S, &now) ||
		!X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, &now) ||
		!add_text_extension(cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!add_text_extension(cert, NID_key_usage, "critical,digitalSignature") ||
		!add_text_extension(cert, NID_subject_key_identifier, "hash"))
		return fault_openssl(f, FAULT_CRYPTO, "cannot make the certificate");
	if (alternatives &&
		X509_add1_ext_i2d(cert, NID_subject_alt_name, (void *)alternatives, 0, 0) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot put the names into the certificate");
	if (!X509_sign(cert, key, digest_of(key)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot sign the certificate");
	*ret_cert = TAKE(cert);
	return 0;
}

static int
text_of(BIO *bio, char **ret_text, struct fault *f)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	*ret_text = strndup(data, (size_t)len);
	return *ret_text ? 0 : fault_nomem(f);
}

int
cert_pem(X509 *cert, char **ret_pem, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		return fault_nomem(f);
	if (PEM_write_bio_X509(bio, cert) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot write the certificate");
	return text_of(bio, ret_pem, f);
}

int
cert_request_pem(X509_REQ *csr, char **ret_pem, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());

	if (!bio)
		return fault_nomem(f);
	if (PEM_write_bio_X509_REQ(bio, csr) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot write the request");
	return text_of(bio, ret_pem, f);
}
