#include "config.h"

#include "jwt/jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "jwt/kind.h"

AUTO_DEFINE(ecdsa_sig, ECDSA_SIG, ECDSA_SIG_free);

/* r and s of fixed length to the DER that OpenSSL verifies; NULL when memory ran out. */
static unsigned char *
to_der(const unsigned char *raw, size_t half, size_t *ret_len)
{
	AUTO(auto_ecdsa_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
	AUTO(auto_bn) BIGNUM *r = BN_bin2bn(raw, (int)half, NULL);
	AUTO(auto_bn) BIGNUM *s = BN_bin2bn(raw + half, (int)half, NULL);
	unsigned char *der = NULL;
	int len;

	if (!sig || !r || !s || !ECDSA_SIG_set0(sig, r, s))
		return NULL;
	r = s = NULL;
	len = i2d_ECDSA_SIG(sig, &der);
	if (len < 0)
		return NULL;
	*ret_len = (size_t)len;
	return der;
}

int
jwt_verify(const struct jwt *jwt, EVP_PKEY *key, struct fault *f)
{
	const struct jwt_kind *kind = &jwt_kinds[jwt->alg];
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = NULL;
	AUTO(auto_openssl) unsigned char *der = NULL;
	const unsigned char *signature = jwt->signature;
	size_t len = jwt->signature_len;
	int good;

	if (!jwt_kind_fits(kind, key))
		return fault_set(f, FAULT_AUTH, "the key is not one for %s", kind->name);
	if (len != (kind->half ? 2 * kind->half : (size_t)EVP_PKEY_get_size(key)))
		return fault_set(
			f, FAULT_AUTH, "the signature has not the length of %s's", kind->name);
	if (kind->half) {
		der = to_der(jwt->signature, kind->half, &len);
		if (!der)
			return fault_nomem(f);
		signature = der;
	}
	ctx = EVP_MD_CTX_new();
	if (!ctx)
		return fault_nomem(f);
	good = EVP_DigestVerifyInit(ctx, NULL, kind->digest(), NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, signature, len, (const unsigned char *)jwt->signing_input,
		       jwt->signing_input_len) == 1;
	ERR_clear_error();
	if (!good)
		return fault_set(f, FAULT_AUTH, "the signature is not the key's");
	return 0;
}
