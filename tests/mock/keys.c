/* keys: makes key pairs with OpenSSL. Knows which attributes describe them. */
#include "config.h"

#include "mock.h"

#include <string.h>

#include <openssl/asn1.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/auto.h"

static CK_RV
generate_rsa(const struct attrs *public, EVP_PKEY **ret_key)
{
	static const unsigned char f4[] = {1, 0, 1};
	const CK_ATTRIBUTE *exponent = attrs_get(public, CKA_PUBLIC_EXPONENT);
	CK_ULONG bits = attrs_ulong(public, CKA_MODULUS_BITS, 0);

	if (!attrs_get(public, CKA_MODULUS_BITS))
		return CKR_TEMPLATE_INCOMPLETE;
	if (bits != 2048 && bits != 3072)
		return CKR_KEY_SIZE_RANGE;
	if (exponent && (exponent->ulValueLen != sizeof(f4) ||
				memcmp(exponent->pValue, f4, sizeof(f4)) != 0))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	*ret_key = EVP_RSA_gen(bits);
	return *ret_key ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV
generate_ec(const struct attrs *public, EVP_PKEY **ret_key)
{
	const CK_ATTRIBUTE *params = attrs_get(public, CKA_EC_PARAMS);
	const unsigned char *bytes;
	ASN1_OBJECT *curve;
	int nid;

	if (!params)
		return CKR_TEMPLATE_INCOMPLETE;
	bytes = params->pValue;
	curve = d2i_ASN1_OBJECT(NULL, &bytes, (long)params->ulValueLen);
	nid = OBJ_obj2nid(curve);
	ASN1_OBJECT_free(curve);
	if (nid != NID_X9_62_prime256v1 && nid != NID_secp384r1)
		return CKR_CURVE_NOT_SUPPORTED;
	*ret_key = EVP_EC_gen(OBJ_nid2sn(nid));
	return *ret_key ? CKR_OK : CKR_FUNCTION_FAILED;
}

static CK_RV
describe_number(EVP_PKEY *key, const char *name, struct attrs *attrs, CK_ATTRIBUTE_TYPE type)
{
	AUTO(auto_bn) BIGNUM *number = NULL;
	unsigned char bytes[512];
	int len;

	if (!EVP_PKEY_get_bn_param(key, name, &number))
		return CKR_FUNCTION_FAILED;
	len = BN_num_bytes(number) <= (int)sizeof(bytes) ? BN_bn2bin(number, bytes) : -1;
	return len < 0 ? CKR_FUNCTION_FAILED : attrs_set(attrs, type, bytes, (size_t)len);
}

static CK_RV
describe_rsa(EVP_PKEY *key, struct attrs *public, struct attrs *private)
{
	struct attrs *both[] = {public, private};
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < 2; i++) {
		rv = describe_number(key, OSSL_PKEY_PARAM_RSA_N, both[i], CKA_MODULUS);
		if (rv == CKR_OK)
			rv = describe_number(
				key, OSSL_PKEY_PARAM_RSA_E, both[i], CKA_PUBLIC_EXPONENT);
	}
	return rv;
}

static CK_RV
describe_ec(EVP_PKEY *key, struct attrs *public, struct attrs *private)
{
	const CK_ATTRIBUTE *params = attrs_get(public, CKA_EC_PARAMS);
	unsigned char point[2 + 1 + 2 * 48];
	size_t len;
	CK_RV rv;

	/* An OCTET STRING around the uncompressed point; both curves' lengths fit one byte. */
	if (!EVP_PKEY_get_octet_string_param(
		    key, OSSL_PKEY_PARAM_PUB_KEY, point + 2, sizeof(point) - 2, &len))
		return CKR_FUNCTION_FAILED;
	point[0] = V_ASN1_OCTET_STRING;
	point[1] = (unsigned char)len;
	/* In this order: setting an attribute of public may move what params points to. */
	rv = attrs_set(private, CKA_EC_PARAMS, params->pValue, params->ulValueLen);
	return rv == CKR_OK ? attrs_set(public, CKA_EC_POINT, point, len + 2) : rv;
}

static CK_RV
keep_private(EVP_PKEY *key, struct attrs *private)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *bytes = NULL;
	int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &bytes) : -1;
	CK_RV rv = len > 0 ? attrs_set(private, MOCK_CKA_PKCS8, bytes, (size_t)len)
			   : CKR_FUNCTION_FAILED;

	OPENSSL_clear_free(bytes, len > 0 ? (size_t)len : 0);
	PKCS8_PRIV_KEY_INFO_free(info);
	return rv;
}

static CK_RV
set_defaults(struct attrs *public, struct attrs *private)
{
	static const struct {
		CK_ATTRIBUTE_TYPE type;
		bool of_public, of_private, preset;
	} defaults[] = {
		{CKA_TOKEN, true, true, false},
		{CKA_PRIVATE, true, false, false},
		{CKA_PRIVATE, false, true, true},
		{CKA_MODIFIABLE, true, true, true},
		{CKA_VERIFY, true, false, true},
		{CKA_ENCRYPT, true, false, false},
		{CKA_WRAP, true, false, false},
		{CKA_SIGN, false, true, true},
		{CKA_DECRYPT, false, true, false},
		{CKA_UNWRAP, false, true, false},
		{CKA_DERIVE, true, true, false},
		{CKA_SENSITIVE, false, true, false},
		{CKA_EXTRACTABLE, false, true, false},
		{CKA_ALWAYS_AUTHENTICATE, false, true, false},
	};
	CK_RV rv = CKR_OK;

	for (size_t i = 0; rv == CKR_OK && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (defaults[i].of_public)
			rv = attrs_preset(public, defaults[i].type, defaults[i].preset);
		if (rv == CKR_OK && defaults[i].of_private)
			rv = attrs_preset(private, defaults[i].type, defaults[i].preset);
	}
	return rv;
}

/* What the token decides, whatever the templates say. */
static CK_RV
set_facts(CK_MECHANISM_TYPE mechanism, struct attrs *attrs, CK_OBJECT_CLASS object_class)
{
	CK_RV rv = attrs_set_ulong(attrs, CKA_CLASS, object_class);

	if (rv == CKR_OK)
		rv = attrs_set_ulong(
			attrs, CKA_KEY_TYPE, mechanism == CKM_EC_KEY_PAIR_GEN ? CKK_EC : CKK_RSA);
	if (rv == CKR_OK)
		rv = attrs_set_ulong(attrs, CKA_KEY_GEN_MECHANISM, mechanism);
	if (rv == CKR_OK)
		rv = attrs_set_bool(attrs, CKA_LOCAL, true);
	if (rv != CKR_OK || object_class == CKO_PUBLIC_KEY)
		return rv;
	rv = attrs_set_bool(attrs, CKA_ALWAYS_SENSITIVE, attrs_bool(attrs, CKA_SENSITIVE, false));
	if (rv == CKR_OK)
		rv = attrs_set_bool(
			attrs, CKA_NEVER_EXTRACTABLE, !attrs_bool(attrs, CKA_EXTRACTABLE, false));
	return rv;
}

/* Turns the two templates into the attributes of a new key pair. */
static CK_RV
generate(CK_MECHANISM_TYPE mechanism, struct attrs *public, struct attrs *private)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	bool is_ec = mechanism == CKM_EC_KEY_PAIR_GEN;
	CK_RV rv;

	if (attrs_bool(private, CKA_ALWAYS_AUTHENTICATE, false))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = is_ec ? generate_ec(public, &key) : generate_rsa(public, &key);
	if (rv == CKR_OK)
		rv = is_ec ? describe_ec(key, public, private) : describe_rsa(key, public, private);
	if (rv == CKR_OK)
		rv = keep_private(key, private);
	if (rv == CKR_OK)
		rv = set_defaults(public, private);
	if (rv == CKR_OK)
		rv = set_facts(mechanism, public, CKO_PUBLIC_KEY);
	return rv == CKR_OK ? set_facts(mechanism, private, CKO_PRIVATE_KEY) : rv;
}

static CK_RV
add_pair(struct session *session, struct attrs *public, struct attrs *private,
	CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
	CK_OBJECT_HANDLE handle;
	CK_RV rv = object_may_write(session, public);

	if (rv == CKR_OK)
		rv = object_may_write(session, private);
	if (rv == CKR_OK)
		rv = object_add(session, public, &handle);
	if (rv != CKR_OK)
		return rv;
	rv = object_add(session, private, ret_private);
	if (rv != CKR_OK)
		object_remove(mock.n_objects - 1);
	else
		*ret_public = handle;
	return rv;
}

static CK_RV
generate_key_pair(CK_SESSION_HANDLE handle, const CK_MECHANISM *mechanism,
	const CK_ATTRIBUTE *public_template, CK_ULONG n_public,
	const CK_ATTRIBUTE *private_template, CK_ULONG n_private, CK_OBJECT_HANDLE *ret_public,
	CK_OBJECT_HANDLE *ret_private)
{
	struct attrs public = {NULL, 0}, private = {NULL, 0};
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!mechanism || !ret_public || !ret_private)
		return CKR_ARGUMENTS_BAD;
	if ((mechanism->mechanism != CKM_RSA_PKCS_KEY_PAIR_GEN &&
		    mechanism->mechanism != CKM_EC_KEY_PAIR_GEN) ||
		faults_hides(mechanism->mechanism))
		return CKR_MECHANISM_INVALID;
	rv = attrs_add(&public, public_template, n_public);
	if (rv == CKR_OK)
		rv = attrs_add(&private, private_template, n_private);
	if (rv == CKR_OK)
		rv = generate(mechanism->mechanism, &public, &private);
	if (rv == CKR_OK)
		rv = add_pair(session, &public, &private, ret_public, ret_private);
	attrs_clear(&public);
	attrs_clear(&private);
	return rv;
}

CK_RV
C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public,
	CK_ULONG n_public, CK_ATTRIBUTE *private, CK_ULONG n_private, CK_OBJECT_HANDLE *public_key,
	CK_OBJECT_HANDLE *private_key)
{
	return CALL(C_GenerateKeyPair, mechanism ? name_of_mechanism(mechanism->mechanism) : "?",
		generate_key_pair(session, mechanism, public, n_public, private, n_private,
			public_key, private_key));
}
