#include "config.h"

#include "token/inside.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>

#include "token/ckr.h"

/* Bytes of what is signed: a SHA-256 digest's, which every curve that we use takes. */
#define DIGEST_LEN 32

/* r and s of the largest curve, P-521. */
#define SIGNATURE_MAX 132

AUTO_DEFINE(ecdsa_sig, ECDSA_SIG, ECDSA_SIG_free);

static CK_RV
sign(struct token *t, CK_OBJECT_HANDLE key, unsigned char *digest, unsigned char *signature,
	CK_ULONG *len)
{
	CK_MECHANISM ecdsa = {CKM_ECDSA, NULL, 0};
	CK_FUNCTION_LIST *api = t->module->api;
	CK_RV rv = api->C_SignInit(t->session, &ecdsa, key);

	return rv == CKR_OK ? api->C_Sign(t->session, digest, DIGEST_LEN, signature, len) : rv;
}

/* PKCS#11 gives r and s one after the other; OpenSSL wants them in DER. */
static int
encode(const unsigned char *raw, size_t len, unsigned char **ret_der)
{
	AUTO(auto_ecdsa_sig) ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)len / 2, NULL);
	BIGNUM *s = BN_bin2bn(raw + len / 2, (int)len / 2, NULL);

	if (!sig || !r || !s || !ECDSA_SIG_set0(sig, r, s)) {
		BN_free(r);
		BN_free(s);
		return -1;
	}
	return i2d_ECDSA_SIG(sig, ret_der);
}

static bool
verifies(EVP_PKEY *key, const unsigned char *der, int der_len, const unsigned char *digest)
{
	AUTO(auto_pkey_ctx) EVP_PKEY_CTX *ctx = NULL;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC)
		return false;
	ctx = EVP_PKEY_CTX_new(key, NULL);
	return ctx && EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_verify(ctx, der, (size_t)der_len, digest, DIGEST_LEN) == 1;
}

int
prove(struct token *t, const struct object *key, EVP_PKEY *const *candidates, size_t n,
	size_t *ret_which, struct fault *f)
{
	AUTO(auto_openssl) unsigned char *der = NULL;
	unsigned char digest[DIGEST_LEN], signature[SIGNATURE_MAX];
	CK_ULONG len = sizeof(signature);
	int der_len;
	CK_RV rv;

	/* C_Sign would fail, and tpm2-pkcs11 would leave the operation active. */
	if (attribute_is_true(
		    t->module->api, t->session, key->handle, CKA_ALWAYS_AUTHENTICATE, false))
		return fault_set(f, FAULT_REFUSED,
			"the key in token '%s' wants the PIN for every signature: make another",
			t->label);
	if (RAND_bytes(digest, sizeof(digest)) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "no random number");
	rv = sign(t, key->handle, digest, signature, &len);
	if (rv != CKR_OK) {
		fault_pkcs11(f, "C_Sign", rv);
		return fault_prefix(f, "cannot sign to find the key's public half");
	}
	der_len = encode(signature, len, &der);
	for (size_t i = 0; i < n && der_len > 0; i++) {
		if (verifies(candidates[i], der, der_len, digest)) {
			ERR_clear_error();
			*ret_which = i;
			return 0;
		}
	}
	ERR_clear_error();
	return fault_set(f, FAULT_NOTFOUND,
		"none of %zu public keys and certificates in token '%s' belongs to the key: import "
		"its certificate",
		n, t->label);
}
