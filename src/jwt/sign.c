#include "config.h"

#include "jwt/jwt.h"

#include <stdio.h>
#include <string.h>

#include <openssl/ecdsa.h>

#include "base/base64url.h"
#include "base/secret.h"
#include "jwt/kind.h"

AUTO_DEFINE(ecdsa_sig, ECDSA_SIG, ECDSA_SIG_free);

/*
 * The header with "alg" and "typ" before what the caller adds, as text. Without an addition it is
 * written as it is known to be: jansson takes as long for it as for the claims.
 */
static int
header_text(const json_t *extra, const char *alg, char **ret_text, struct fault *f)
{
	AUTO(auto_json) json_t *header = NULL;

	if (!extra || (json_is_object(extra) && json_object_size(extra) == 0)) {
		if (asprintf(ret_text, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", alg) < 0) {
			*ret_text = NULL;
			return fault_nomem(f);
		}
		return 0;
	}
	if (!json_is_object(extra))
		return fault_set(f, FAULT_INVALID, "the header is no JSON object");
	if (json_object_get(extra, "alg"))
		return fault_set(f, FAULT_INVALID, "the header's 'alg' follows the key");
	header = json_pack("{s:s, s:s}", "alg", alg, "typ", "JWT");
	if (!header || json_object_update(header, (json_t *)extra))
		return fault_nomem(f);
	*ret_text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
	return *ret_text ? 0 : fault_nomem(f);
}

/* The signature as OpenSSL gives it: DER for EC keys. */
static int
sign(EVP_PKEY *key, const struct jwt_kind *kind, const char *input, size_t len,
	unsigned char *signature, size_t *signature_len, struct fault *f)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx)
		return fault_nomem(f);
	if (EVP_DigestSignInit(ctx, NULL, kind->digest(), NULL, key) != 1 ||
		EVP_DigestSign(ctx, signature, signature_len, (const unsigned char *)input, len) !=
			1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot sign the JSON Web Token");
	return 0;
}

/* DER to r and s of fixed length (RFC 7518 section 3.4). */
static int
flatten(unsigned char *signature, size_t *len, size_t half, struct fault *f)
{
	const unsigned char *at = signature;
	AUTO(auto_ecdsa_sig) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)*len);

	if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, (int)half) < 0 ||
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + half, (int)half) < 0)
		return fault_openssl(f, FAULT_CRYPTO, "the key's signature is none");
	*len = 2 * half;
	return 0;
}

int
jwt_sign(const json_t *header, const json_t *claims, EVP_PKEY *key, char **ret_token,
	struct fault *f)
{
	unsigned char signature[sizeof(((struct jwt *)0)->signature)];
	size_t signature_len = sizeof(signature), header_len, claims_len, n;
	AUTO(auto_free) char *header_json = NULL;
	AUTO(auto_free) char *claims_json = NULL;
	AUTO(auto_secret) char *token = NULL;
	const struct jwt_kind *kind;
	enum jwt_alg alg;

	if (!json_is_object(claims))
		return fault_set(f, FAULT_INVALID, "the claims are no JSON object");
	if (jwt_alg_of_key(key, &alg, f))
		return -1;
	kind = &jwt_kinds[alg];
	if (header_text(header, kind->name, &header_json, f))
		return -1;
	claims_json = json_dumps(claims, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (!claims_json)
		return fault_nomem(f);
	header_len = strlen(header_json);
	claims_len = strlen(claims_json);
	n = BASE64URL_LEN(header_len) + 1 + BASE64URL_LEN(claims_len) + 1 +
	    BASE64URL_LEN(sizeof(signature)) + 1;
	if (header_len > JWT_MAX || claims_len > JWT_MAX || n > JWT_MAX)
		return fault_set(f, FAULT_INVALID,
			"the header and the claims are too long: a token has at most %d characters",
			JWT_MAX);
	token = secret_alloc(n);
	if (!token)
		return fault_nomem(f);
	n = base64url_encode(token, header_json, header_len);
	token[n++] = '.';
	n += base64url_encode(token + n, claims_json, claims_len);
	if (sign(key, kind, token, n, signature, &signature_len, f) ||
		(kind->half && flatten(signature, &signature_len, kind->half, f)))
		return -1;
	token[n++] = '.';
	base64url_encode(token + n, signature, signature_len);
	*ret_token = TAKE(token);
	return 0;
}
