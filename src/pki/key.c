#include "config.h"

#include "pki/key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/pem.h>

#include "base/auto.h"
#include "base/base64url.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define FIELD_MAX    (RSA_BITS_MAX / 8)

AUTO_DEFINE(json_object, json_t, json_decref);

/* The curves we use: OpenSSL's name, JOSE's, and the algorithm that goes with it. */
static const struct curve {
	const char *group;
	const char *crv;
	const char *alg;
	size_t field;
} curves[] = {
	{"prime256v1", "P-256", "ES256", 32},
	{"secp384r1", "P-384", "ES384", 48},
};

static const struct curve *
curve_of(const EVP_PKEY *key)
{
	char group[64];
	size_t len;

	if (!EVP_PKEY_get_group_name(key, group, sizeof(group), &len))
		return NULL;
	for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++) {
		if (strcmp(group, curves[i].group) == 0)
			return &curves[i];
	}
	return NULL;
}

/*
 * The public half alone, as a key of OpenSSL's own, whatever holds the private one. The parameters
 * of a curve are read back from what was written: only named ones survive.
 */
static int
public_half(EVP_PKEY *key, EVP_PKEY **ret_public, struct fault *f)
{
	AUTO(auto_openssl) unsigned char *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	const unsigned char *at = der;
	EVP_PKEY *public;

	if (len < 0)
		return fault_openssl(f, FAULT_CRYPTO, "cannot read the public key");
	public = d2i_PUBKEY(NULL, &at, len);
	if (!public)
		return fault_openssl(f, FAULT_CRYPTO, "cannot read the public key");
	*ret_public = public;
	return 0;
}

int
key_check(EVP_PKEY *key, struct fault *f)
{
	int bits = EVP_PKEY_get_bits(key);
	char encoding[32] = OSSL_PKEY_EC_ENCODING_GROUP;

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
		if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
			return fault_set(f, FAULT_INVALID,
				"an RSA key of %d bits: it must have %d to %d", bits, RSA_BITS_MIN,
				RSA_BITS_MAX);
		return 0;
	case EVP_PKEY_EC:
		EVP_PKEY_get_utf8_string_param(
			key, OSSL_PKEY_PARAM_EC_ENCODING, encoding, sizeof(encoding), NULL);
		if (strcmp(encoding, OSSL_PKEY_EC_ENCODING_GROUP) != 0)
			return fault_set(f, FAULT_INVALID,
				"an EC key with explicit curve parameters: it must name its curve");
		if (!curve_of(key))
			return fault_set(f, FAULT_INVALID,
				"an EC key of another curve: it must be P-256 or P-384");
		return 0;
	default:
		return fault_set(f, FAULT_INVALID,
			"a key that is neither RSA nor EC: use RSA of 2048 bits or more, or P-256");
	}
}

int
key_public_pem(EVP_PKEY *key, char **ret_pem, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long len;

	if (!bio)
		return fault_nomem(f);
	if (PEM_write_bio_PUBKEY(bio, key) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot write the public key");
	len = BIO_get_mem_data(bio, &data);
	*ret_pem = strndup(data, (size_t)len);
	return *ret_pem ? 0 : fault_nomem(f);
}

/* A number as base64url of `size` bytes, or of as many as it has when size is 0 (RFC 7518 6). */
static json_t *
number(const EVP_PKEY *key, const char *name, size_t size)
{
	unsigned char bytes[FIELD_MAX];
	char text[BASE64URL_LEN(FIELD_MAX) + 1];
	AUTO(auto_bn) BIGNUM *bn = NULL;

	if (!EVP_PKEY_get_bn_param(key, name, &bn))
		return NULL;
	if (size == 0)
		size = (size_t)BN_num_bytes(bn);
	if (size > sizeof(bytes) || BN_bn2binpad(bn, bytes, (int)size) < 0)
		return NULL;
	base64url_encode(text, bytes, size);
	return json_string(text);
}

/* The members that make the key, in the order of RFC 7638, and no others. */
static json_t *
required_members(const EVP_PKEY *public)
{
	const struct curve *curve = curve_of(public);

	if (EVP_PKEY_get_base_id(public) == EVP_PKEY_RSA)
		return json_pack("{s:o, s:s, s:o}", "e", number(public, OSSL_PKEY_PARAM_RSA_E, 0),
			"kty", "RSA", "n", number(public, OSSL_PKEY_PARAM_RSA_N, 0));
	if (!curve)
		return NULL;
	return json_pack("{s:s, s:s, s:o, s:o}", "crv", curve->crv, "kty", "EC", "x",
		number(public, OSSL_PKEY_PARAM_EC_PUB_X, curve->field), "y",
		number(public, OSSL_PKEY_PARAM_EC_PUB_Y, curve->field));
}

static json_t *
thumbprint(const json_t *members)
{
	AUTO(auto_free) char *text = json_dumps(members, JSON_COMPACT | JSON_SORT_KEYS);
	unsigned char digest[32];
	char encoded[BASE64URL_LEN(sizeof(digest)) + 1];

	if (!text || !EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL))
		return NULL;
	base64url_encode(encoded, digest, sizeof(digest));
	return json_string(encoded);
}

int
key_public_jwk(EVP_PKEY *key, json_t **ret_jwk, struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	AUTO(auto_json_object) json_t *jwk = NULL;
	json_t *kid;

	if (key_check(key, f) || public_half(key, &public, f))
		return -1;
	jwk = required_members(public);
	kid = jwk ? thumbprint(jwk) : NULL;
	if (!kid || json_object_set_new(jwk, "kid", kid) ||
		json_object_set_new(jwk, "use", json_string("sig")) ||
		json_object_set_new(jwk, "alg",
			json_string(curve_of(public) ? curve_of(public)->alg : "RS256")))
		return fault_openssl(f, FAULT_CRYPTO, "cannot write the key as a JSON Web Key");
	*ret_jwk = TAKE(jwk);
	return 0;
}

/*
 * What decodes keys of one kind, found once: finding it takes OpenSSL 3.0 fifteen times as long as
 * decoding. `key` is where OpenSSL puts what it decodes.
 */
struct key_reader {
	OSSL_DECODER_CTX *decoder;
	EVP_PKEY *key;
};

int
key_reader_new(struct key_reader **ret_reader, struct fault *f)
{
	AUTO(auto_key_reader) struct key_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return fault_nomem(f);
	reader->decoder = OSSL_DECODER_CTX_new_for_pkey(
		&reader->key, "DER", "SubjectPublicKeyInfo", NULL, EVP_PKEY_PUBLIC_KEY, NULL, NULL);
	if (!reader->decoder)
		return fault_openssl(f, FAULT_CRYPTO, "nothing decodes public keys");
	*ret_reader = TAKE(reader);
	return 0;
}

void
key_reader_free(struct key_reader *reader)
{
	if (!reader)
		return;
	OSSL_DECODER_CTX_free(reader->decoder);
	free(reader);
}

static int
no_passphrase(char *buffer, int size, int writing, void *with)
{
	(void)buffer, (void)size, (void)writing, (void)with;
	return -1;
}

/* The bytes between the lines, and nothing but white space behind the last one. */
static int
read_der(const char *pem, size_t len, unsigned char **ret_der, long *ret_len, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new_mem_buf(pem, len > INT32_MAX ? 0 : (int)len);
	AUTO(auto_openssl) unsigned char *der = NULL;
	char rest[64];
	int n;

	if (!bio)
		return fault_nomem(f);
	if (!PEM_bytes_read_bio(&der, ret_len, NULL, PEM_STRING_PUBLIC, bio, no_passphrase, NULL))
		return fault_openssl(f, FAULT_INVALID, "no public key in PEM (BEGIN PUBLIC KEY)");
	while ((n = BIO_read(bio, rest, sizeof(rest))) > 0) {
		for (int i = 0; i < n; i++) {
			if (!strchr(" \t\r\n", rest[i]) || rest[i] == '\0')
				return fault_set(
					f, FAULT_INVALID, "there is more behind the public key");
		}
	}
	*ret_der = TAKE(der);
	return 0;
}

static int
write_pem(const unsigned char *der, long len, char **ret_pem, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long n;

	if (!bio || PEM_write_bio(bio, PEM_STRING_PUBLIC, "", der, len) <= 0)
		return fault_nomem(f);
	n = BIO_get_mem_data(bio, &data);
	*ret_pem = strndup(data, (size_t)n);
	return *ret_pem ? 0 : fault_nomem(f);
}

int
key_reader_read(struct key_reader *reader, const char *pem, size_t len, EVP_PKEY **ret_key,
	char **ret_pem, struct fault *f)
{
	AUTO(auto_openssl) unsigned char *der = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	const unsigned char *at;
	size_t left;
	long n;

	if (read_der(pem, len, &der, &n, f))
		return -1;
	at = der;
	left = (size_t)n;
	reader->key = NULL;
	if (OSSL_DECODER_from_data(reader->decoder, &at, &left) != 1 || left) {
		EVP_PKEY_free(reader->key);
		return fault_openssl(f, FAULT_INVALID, "no public key that OpenSSL can read");
	}
	key = reader->key;
	if (key_check(key, f) || (ret_pem && write_pem(der, n, ret_pem, f)))
		return -1;
	*ret_key = TAKE(key);
	return 0;
}

int
key_read_public(const char *pem, size_t len, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_key_reader) struct key_reader *reader = NULL;

	if (key_reader_new(&reader, f))
		return -1;
	return key_reader_read(reader, pem, len, ret_key, NULL, f);
}

const char *
key_describe(EVP_PKEY *key, char *buffer, size_t size)
{
	const struct curve *curve = curve_of(key);

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
		snprintf(buffer, size, "RSA-%d", EVP_PKEY_get_bits(key));
	else if (curve)
		snprintf(buffer, size, "EC %s", curve->crv);
	else
		snprintf(buffer, size, "of an unknown kind");
	return buffer;
}
