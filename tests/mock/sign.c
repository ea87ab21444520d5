/* sign: signatures and random numbers. */
#include "config.h"

#include "mock.h"

#include <limits.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/auto.h"

#define MAX_SIGNATURE 512

AUTO_DEFINE(ecdsa_sig, ECDSA_SIG, ECDSA_SIG_free);

static const EVP_MD *
digest_of(CK_MECHANISM_TYPE hash)
{
	switch (hash) {
	case CKM_SHA256:
		return EVP_sha256();
	case CKM_SHA384:
		return EVP_sha384();
	case CKM_SHA512:
		return EVP_sha512();
	default:
		return NULL;
	}
}

static CK_RV
check_pss(const CK_MECHANISM *mechanism, CK_RSA_PKCS_PSS_PARAMS *ret_pss)
{
	static const struct {
		CK_MECHANISM_TYPE hash;
		CK_RSA_PKCS_MGF_TYPE mgf;
	} pairs[] = {{CKM_SHA256, CKG_MGF1_SHA256}, {CKM_SHA384, CKG_MGF1_SHA384},
		{CKM_SHA512, CKG_MGF1_SHA512}};
	CK_RSA_PKCS_PSS_PARAMS pss;

	if (!mechanism->pParameter || mechanism->ulParameterLen != sizeof(pss))
		return CKR_MECHANISM_PARAM_INVALID;
	memcpy(&pss, mechanism->pParameter, sizeof(pss));
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		if (pss.hashAlg == pairs[i].hash && pss.mgf == pairs[i].mgf && pss.sLen <= 64) {
			*ret_pss = pss;
			return CKR_OK;
		}
	}
	return CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV
check_mechanism(const CK_MECHANISM *mechanism, const struct attrs *key)
{
	CK_KEY_TYPE type = attrs_ulong(key, CKA_KEY_TYPE, ~0UL), want = CKK_RSA;

	switch (mechanism->mechanism) {
	case CKM_ECDSA:
		want = CKK_EC;
		break;
	case CKM_RSA_PKCS:
	case CKM_SHA256_RSA_PKCS:
	case CKM_RSA_PKCS_PSS:
		break;
	default:
		return CKR_MECHANISM_INVALID;
	}
	/* A key of the other type: tpm2-pkcs11's answer. */
	return type == want && !faults_hides(mechanism->mechanism) ? CKR_OK : CKR_MECHANISM_INVALID;
}

static CK_RV
start_signing(CK_SESSION_HANDLE handle, const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE which)
{
	struct signing signing = {.active = true};
	const CK_ATTRIBUTE *pkcs8;
	struct session *session;
	struct object *key;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!mechanism)
		return CKR_ARGUMENTS_BAD;
	if (session->signing.active)
		return CKR_OPERATION_ACTIVE;
	rv = object_find(session, which, &key);
	if (rv != CKR_OK)
		return rv;
	pkcs8 = attrs_get(&key->attrs, MOCK_CKA_PKCS8);
	if (!pkcs8)
		return CKR_KEY_HANDLE_INVALID;
	if (!attrs_bool(&key->attrs, CKA_SIGN, false))
		return CKR_KEY_FUNCTION_NOT_PERMITTED;
	rv = check_mechanism(mechanism, &key->attrs);
	if (rv == CKR_OK && mechanism->mechanism == CKM_RSA_PKCS_PSS)
		rv = check_pss(mechanism, &signing.pss);
	if (rv != CKR_OK)
		return rv;
	signing.mechanism = mechanism->mechanism;
	signing.pkcs8 = OPENSSL_memdup(pkcs8->pValue, pkcs8->ulValueLen);
	signing.pkcs8_len = pkcs8->ulValueLen;
	if (!signing.pkcs8)
		return CKR_HOST_MEMORY;
	session->signing = signing;
	return CKR_OK;
}

static EVP_PKEY *
load_key(const struct signing *signing)
{
	const unsigned char *bytes = signing->pkcs8;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &bytes, (long)signing->pkcs8_len);
	EVP_PKEY *key = info ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return key;
}

/* The length of a signature, as PKCS#11 has it. */
static size_t
signature_len(EVP_PKEY *key)
{
	size_t bytes = ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;

	return EVP_PKEY_is_a(key, "EC") ? 2 * bytes : bytes;
}

static CK_RV
set_padding(EVP_PKEY_CTX *ctx, const struct signing *signing, size_t data_len, size_t max_len)
{
	const EVP_MD *md;

	switch (signing->mechanism) {
	case CKM_RSA_PKCS:
		if (data_len + 11 > max_len)
			return CKR_DATA_LEN_RANGE;
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0
			       ? CKR_OK
			       : CKR_FUNCTION_FAILED;
	case CKM_SHA256_RSA_PKCS:
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) > 0 &&
				       EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0
			       ? CKR_OK
			       : CKR_FUNCTION_FAILED;
	case CKM_RSA_PKCS_PSS:
		md = digest_of(signing->pss.hashAlg);
		if (data_len != (size_t)EVP_MD_get_size(md))
			return CKR_DATA_LEN_RANGE;
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) > 0 &&
				       EVP_PKEY_CTX_set_signature_md(ctx, md) > 0 &&
				       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) > 0 &&
				       EVP_PKEY_CTX_set_rsa_pss_saltlen(
					       ctx, (int)signing->pss.sLen) > 0
			       ? CKR_OK
			       : CKR_FUNCTION_FAILED;
	default:
		return CKR_OK;
	}
}

/* OpenSSL's DER as PKCS#11's r||s. */
static CK_RV
raw_ecdsa(const unsigned char *der, size_t der_len, unsigned char *raw, size_t raw_len)
{
	AUTO(auto_ecdsa_sig) ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
	int half = (int)raw_len / 2;

	return pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, half) == half &&
			       BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + half, half) == half
		       ? CKR_OK
		       : CKR_FUNCTION_FAILED;
}

static CK_RV
sign_with(const struct signing *signing, EVP_PKEY *key, const CK_BYTE *data, size_t data_len,
	CK_BYTE *signature, size_t len)
{
	AUTO(auto_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	unsigned char made[MAX_SIGNATURE], hash[EVP_MAX_MD_SIZE];
	size_t made_len = sizeof(made);
	CK_RV rv;

	if (!ctx || EVP_PKEY_sign_init(ctx) <= 0)
		return CKR_FUNCTION_FAILED;
	rv = set_padding(ctx, signing, data_len, len);
	if (rv != CKR_OK)
		return rv;
	if (signing->mechanism == CKM_SHA256_RSA_PKCS) {
		if (!EVP_Digest(data, data_len, hash, NULL, EVP_sha256(), NULL))
			return CKR_FUNCTION_FAILED;
		data = hash;
		data_len = 32;
	}
	if (EVP_PKEY_sign(ctx, made, &made_len, data, data_len) <= 0)
		return CKR_FUNCTION_FAILED;
	if (signing->mechanism == CKM_ECDSA)
		return raw_ecdsa(made, made_len, signature, len);
	if (made_len != len)
		return CKR_FUNCTION_FAILED;
	memcpy(signature, made, len);
	return CKR_OK;
}

static CK_RV
sign(CK_SESSION_HANDLE handle, const CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
	CK_ULONG *signature_len_inout)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct session *session;
	CK_RV rv = session_find(handle, &session);
	size_t len;

	if (rv != CKR_OK)
		return rv;
	if (!session->signing.active)
		return CKR_OPERATION_NOT_INITIALIZED;
	key = load_key(&session->signing);
	if (!key || !signature_len_inout || (data_len > 0 && !data)) {
		session_end_signing(session);
		return key ? CKR_ARGUMENTS_BAD : CKR_FUNCTION_FAILED;
	}
	len = signature_len(key);
	if (!signature || *signature_len_inout < len) {
		*signature_len_inout = len;
		return signature ? CKR_BUFFER_TOO_SMALL : CKR_OK;
	}
	rv = sign_with(&session->signing, key, data, data_len, signature, len);
	if (rv == CKR_OK)
		*signature_len_inout = len;
	session_end_signing(session);
	return rv;
}

static CK_RV
generate_random(CK_SESSION_HANDLE handle, CK_BYTE *bytes, CK_ULONG len)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!bytes || len > INT_MAX)
		return CKR_ARGUMENTS_BAD;
	return RAND_bytes(bytes, (int)len) == 1 ? CKR_OK : CKR_FUNCTION_FAILED;
}

CK_RV
C_SignInit(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
	return CALL(C_SignInit, mechanism ? name_of_mechanism(mechanism->mechanism) : "?",
		start_signing(session, mechanism, key));
}

CK_RV
C_Sign(CK_SESSION_HANDLE handle, CK_BYTE *data, CK_ULONG data_len, CK_BYTE *signature,
	CK_ULONG *signature_len)
{
	CK_RV rv = call_enter("C_Sign");
	struct session *session;

	if (rv == CKR_OK)
		rv = sign(handle, data, data_len, signature, signature_len);
	else if (session_find(handle, &session) == CKR_OK)
		session_end_signing(session);
	return call_leave("C_Sign", NULL, rv);
}

CK_RV
C_GenerateRandom(CK_SESSION_HANDLE session, CK_BYTE *bytes, CK_ULONG len)
{
	return CALL(C_GenerateRandom, NULL, generate_random(session, bytes, len));
}
