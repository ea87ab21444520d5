#include "config.h"

#include "token/inside.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

AUTO_DEFINE(param_bld, OSSL_PARAM_BLD, OSSL_PARAM_BLD_free);
AUTO_DEFINE(param, OSSL_PARAM, OSSL_PARAM_free);
AUTO_DEFINE(asn1_object, ASN1_OBJECT, ASN1_OBJECT_free);
AUTO_DEFINE(octet_string, ASN1_OCTET_STRING, ASN1_OCTET_STRING_free);

static int
from_params(const char *type, OSSL_PARAM_BLD *build, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_param) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	AUTO(auto_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) <= 0 ||
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) <= 0)
		return fault_openssl(f, FAULT_INVALID, "the token shows no valid public key");
	*ret_key = key;
	return 0;
}

static int
rsa_public(const CK_ATTRIBUTE *modulus, const CK_ATTRIBUTE *exponent, EVP_PKEY **ret_key,
	struct fault *f)
{
	AUTO(auto_param_bld) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	AUTO(auto_bn) BIGNUM *n = BN_bin2bn(modulus->pValue, (int)modulus->ulValueLen, NULL);
	AUTO(auto_bn) BIGNUM *e = BN_bin2bn(exponent->pValue, (int)exponent->ulValueLen, NULL);

	if (!build || !n || !e || !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) ||
		!OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		return fault_nomem(f);
	return from_params("RSA", build, ret_key, f);
}

/* CKA_EC_POINT is an OCTET STRING with the point in it; some tokens give the bare point. */
static int
ec_public(const CK_ATTRIBUTE *curve, const CK_ATTRIBUTE *point, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_param_bld) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	const unsigned char *at = curve->pValue, *bytes = point->pValue;
	AUTO(auto_asn1_object)
	ASN1_OBJECT *oid = d2i_ASN1_OBJECT(NULL, &at, (long)curve->ulValueLen);
	AUTO(auto_octet_string) ASN1_OCTET_STRING *string = NULL;
	size_t len = point->ulValueLen;
	int nid = oid ? OBJ_obj2nid(oid) : NID_undef;

	if (nid == NID_undef)
		return fault_set(f, FAULT_INVALID,
			"the key's curve is none that has a name: use P-256 or P-384");
	at = point->pValue;
	string = d2i_ASN1_OCTET_STRING(NULL, &at, (long)len);
	if (string && at == (unsigned char *)point->pValue + len) {
		bytes = ASN1_STRING_get0_data(string);
		len = (size_t)ASN1_STRING_length(string);
	}
	if (!build ||
		!OSSL_PARAM_BLD_push_utf8_string(
			build, OSSL_PKEY_PARAM_GROUP_NAME, OBJ_nid2sn(nid), 0) ||
		!OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, bytes, len))
		return fault_nomem(f);
	return from_params("EC", build, ret_key, f);
}

/* From the attributes of one object; FAULT_NOTFOUND when it does not show them. */
static int
from_object(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_attribute) CK_ATTRIBUTE a = {0}, b = {0};
	CK_ULONG type = attribute_number(api, session, handle, CKA_KEY_TYPE);

	if (type != CKK_RSA && type != CKK_EC)
		return fault_set(f, FAULT_INVALID,
			"the key is neither RSA nor EC: make one with `p11-gateway keygen`");
	if (attribute_read(
		    api, session, handle, type == CKK_RSA ? CKA_MODULUS : CKA_EC_PARAMS, &a, f) ||
		attribute_read(api, session, handle,
			type == CKK_RSA ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, &b, f))
		return -1;
	if (a.ulValueLen == 0 || b.ulValueLen == 0)
		return fault_set(f, FAULT_NOTFOUND, "the token does not show the public key");
	return type == CKK_RSA ? rsa_public(&a, &b, ret_key, f) : ec_public(&a, &b, ret_key, f);
}

/* The objects of another class with the key's id; without an id, with its label. */
static int
siblings(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f)
{
	const CK_ATTRIBUTE *by = key->id.ulValueLen > 0 ? &key->id : &key->label;
	CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, *by};

	return objects_find(api, session, template, by->ulValueLen > 0 ? 2 : 0, ret_objects, f);
}

int
public_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(objects_clear) struct objects publics = {NULL, 0};
	AUTO(objects_clear) struct objects certificates = {NULL, 0};
	AUTO(auto_x509) X509 *certificate = NULL;

	/* A private key may show it itself: then no name has to be trusted. */
	if (from_object(api, session, key->handle, ret_key, f) == 0)
		return 0;
	if (f->code != FAULT_NOTFOUND)
		return -1;
	if (key->id.ulValueLen == 0 && key->label.ulValueLen == 0)
		return -1;
	if (siblings(api, session, key, CKO_PUBLIC_KEY, &publics, f))
		return -1;
	if (publics.n > 0)
		return from_object(api, session, publics.items[0].handle, ret_key, f);
	if (siblings(api, session, key, CKO_CERTIFICATE, &certificates, f))
		return -1;
	if (certificates.n == 0)
		return fault_set(f, FAULT_NOTFOUND,
			"the token holds neither the key's public half nor a certificate with its "
			"id");
	if (certificate_of(api, session, certificates.items[0].handle, &certificate, f))
		return -1;
	*ret_key = X509_get_pubkey(certificate);
	return *ret_key ? 0
			: fault_openssl(f, FAULT_INVALID, "the certificate's key is not usable");
}

bool
public_equal(const EVP_PKEY *a, const EVP_PKEY *b)
{
	AUTO(auto_openssl) unsigned char *a_der = NULL, *b_der = NULL;
	int a_len = i2d_PUBKEY(a, &a_der), b_len = i2d_PUBKEY(b, &b_der);

	/* Compared as DER: EVP_PKEY_eq() cannot look into a key of libp11's. */
	return a_len > 0 && a_len == b_len && memcmp(a_der, b_der, (size_t)a_len) == 0;
}
