#include "config.h"

#include "token/inside.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
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

int
public_shown(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
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

/* Public keys that may be a private key's. */
struct candidates {
	EVP_PKEY **keys;
	size_t n;
};

static void
candidates_clear(struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		EVP_PKEY_free(c->keys[i]);
	free(c->keys);
	*c = (struct candidates){NULL, 0};
}

static bool
is_candidate(const struct candidates *c, const EVP_PKEY *key)
{
	for (size_t i = 0; i < c->n; i++) {
		if (public_equal(c->keys[i], key))
			return true;
	}
	return false;
}

/* Takes over a key. */
static int
candidates_add(struct candidates *c, EVP_PKEY *key, struct fault *f)
{
	EVP_PKEY **grown = reallocarray(c->keys, c->n + 1, sizeof(*grown));

	if (!grown) {
		EVP_PKEY_free(key);
		return fault_nomem(f);
	}
	c->keys = grown;
	grown[c->n++] = key;
	return 0;
}

/*
 * The public keys of the objects that a template matches; objects that cannot be read are skipped.
 *
 * once  of equal ones only the first
 */
static int
collect(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n,
	bool certificates, bool once, struct candidates *c, struct fault *f)
{
	AUTO(handles_clear) struct handles found = {NULL, 0};

	if (handles_find(api, session, template, n, &found, f))
		return -1;
	for (size_t i = 0; i < found.n; i++) {
		AUTO(auto_x509) X509 *cert = NULL;
		struct fault ignored = FAULT_INIT;
		EVP_PKEY *key = NULL;

		if (!certificates)
			public_shown(api, session, found.items[i], &key, &ignored);
		else if (certificate_of(api, session, found.items[i], &cert, &ignored) == 0)
			key = X509_get_pubkey(cert);
		if (key && once && is_candidate(c, key))
			EVP_PKEY_free(key);
		else if (key && candidates_add(c, key, f))
			return -1;
	}
	ERR_clear_error();
	return 0;
}

/* Of the public keys and certificates with the key's name, or of all in the token. */
static int
collect_both(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const CK_ATTRIBUTE *name,
	struct candidates *c, struct fault *f)
{
	static const CK_OBJECT_CLASS classes[] = {CKO_PUBLIC_KEY, CKO_CERTIFICATE};

	for (size_t i = 0; i < 2; i++) {
		CK_OBJECT_CLASS class = classes[i];
		CK_ATTRIBUTE template[2] = {{CKA_CLASS, &class, sizeof(class)}};

		if (name)
			template[1] = *name;
		if (collect(api, session, template, name ? 2 : 1, class == CKO_CERTIFICATE,
			    name != NULL, c, f))
			return -1;
	}
	return 0;
}

/* Those with the key's id; without an id, with its label. */
static int
collect_named(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	struct candidates *c, struct fault *f)
{
	const CK_ATTRIBUTE *name = key->id.ulValueLen > 0 ? &key->id : &key->label;

	return name->ulValueLen > 0 ? collect_both(api, session, name, c, f) : 0;
}

/* Takes the one with this index. */
static void
take(struct candidates *c, size_t i, EVP_PKEY **ret_key)
{
	*ret_key = c->keys[i];
	c->keys[i] = c->keys[--c->n];
}

int
public_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, const struct object *key,
	EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(candidates_clear) struct candidates c = {NULL, 0};

	/* A private key may show it itself: then no name has to be trusted. */
	if (public_shown(api, session, key->handle, ret_key, f) == 0)
		return 0;
	if (f->code != FAULT_NOTFOUND)
		return -1;
	if (collect_named(api, session, key, &c, f))
		return -1;
	if (c.n == 0)
		return fault_set(f, FAULT_NOTFOUND,
			"the token holds neither the key's public half nor a certificate for it: "
			"import its certificate");
	if (c.n > 1)
		return fault_set(f, FAULT_AMBIGUOUS,
			"the token holds %zu different public keys with the key's id", c.n);
	take(&c, 0, ret_key);
	return 0;
}

int
public_proven(struct token *t, const struct object *key, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(candidates_clear) struct candidates c = {NULL, 0};
	CK_FUNCTION_LIST *api = t->module->api;
	struct fault why = FAULT_INIT;
	size_t which;

	if (public_of(api, t->session, key, ret_key, &why) == 0)
		return 0;
	if (f)
		*f = why;
	if (why.code != FAULT_NOTFOUND && why.code != FAULT_AMBIGUOUS)
		return -1;
	/* Names do not decide; a signature does. */
	if (attribute_number(api, t->session, key->handle, CKA_KEY_TYPE) != CKK_EC)
		return -1;
	if (why.code == FAULT_AMBIGUOUS ? collect_named(api, t->session, key, &c, f)
					: collect_both(api, t->session, NULL, &c, f))
		return -1;
	if (c.n == 0)
		return -1;
	if (prove(t, key, c.keys, c.n, &which, f))
		return -1;
	take(&c, which, ret_key);
	return 0;
}

bool
public_equal(const EVP_PKEY *a, const EVP_PKEY *b)
{
	AUTO(auto_openssl) unsigned char *a_der = NULL, *b_der = NULL;
	int a_len = i2d_PUBKEY(a, &a_der), b_len = i2d_PUBKEY(b, &b_der);

	/* Compared as DER: EVP_PKEY_eq() cannot look into a key of libp11's. */
	return a_len > 0 && a_len == b_len && memcmp(a_der, b_der, (size_t)a_len) == 0;
}
