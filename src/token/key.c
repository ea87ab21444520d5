#include "config.h"

/* libp11's keys are RSA and EC_KEY, which OpenSSL 3 deprecates without another way for them. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "token/inside.h"

#include <string.h>

#include <libp11.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "token/ckr.h"

struct libp11 {
	PKCS11_CTX *ctx;
	PKCS11_SLOT *slots;
	unsigned n_slots;
};

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static int token_index = -1;

/* OpenSSL frees an EVP_PKEY's RSA or EC_KEY before it calls this: libp11 is needed until then. */
static void
drop_token(void *parent, void *token, CRYPTO_EX_DATA *ad, int index, long argl, void *argp)
{
	(void)parent, (void)ad, (void)index, (void)argl, (void)argp;
	token_close(token);
}

static int
share_token(CRYPTO_EX_DATA *to, const CRYPTO_EX_DATA *from, void **token, int index, long argl,
	void *argp)
{
	(void)to, (void)from, (void)index, (void)argl, (void)argp;
	if (*token)
		token_ref(*token);
	return 1;
}

static void
make_index(void)
{
	token_index = EVP_PKEY_get_ex_new_index(0, NULL, NULL, share_token, drop_token);
}

struct token *
token_of(const EVP_PKEY *key)
{
	return token_index < 0 ? NULL : EVP_PKEY_get_ex_data(key, token_index);
}

void
libp11_close(struct libp11 *libp11)
{
	if (!libp11)
		return;
	if (libp11->slots)
		PKCS11_release_all_slots(libp11->ctx, libp11->slots, libp11->n_slots);
	PKCS11_CTX_unload(libp11->ctx);
	PKCS11_CTX_free(libp11->ctx);
	free(libp11);
}

int(token_explain)(struct fault *f)
{
	char what[sizeof(f->text)];
	char *reason;

	/* The library number tells whose reason it is; in libp11's, the reason is the CK_RV. */
	if (!f || ERR_GET_LIB(f->native) != ERR_get_CKR_code())
		return -1;
	/* libp11's own words say less than ours. */
	strcpy(what, f->text);
	reason = strrchr(what, ':');
	if (reason)
		*reason = '\0';
	fault_pkcs11(f, "libp11", (unsigned long)ERR_GET_REASON(f->native));
	return fault_prefix(f, "%s", what);
}

/* What libp11 itself could not do. */
static int
libp11_fault(struct fault *f, const char *what)
{
	fault_openssl(f, FAULT_CRYPTO, "%s", what);
	return token_explain(f);
}

static int
libp11_open(struct module *module, struct fault *f)
{
	struct libp11 *libp11;

	if (module->libp11)
		return 0;
	libp11 = calloc(1, sizeof(*libp11));
	if (!libp11)
		return fault_nomem(f);
	libp11->ctx = PKCS11_CTX_new();
	if (!libp11->ctx || PKCS11_CTX_load(libp11->ctx, module->path)) {
		if (libp11->ctx)
			PKCS11_CTX_free(libp11->ctx);
		free(libp11);
		return libp11_fault(f, "libp11 cannot load the module");
	}
	/* From here on it is the module's: to close it is to finalize the module. */
	module->libp11 = libp11;
	return 0;
}

static PKCS11_SLOT *
slot_of(struct libp11 *libp11, CK_SLOT_ID id)
{
	for (unsigned i = 0; i < libp11->n_slots; i++) {
		if (PKCS11_get_slotid_from_slot(&libp11->slots[i]) == id && libp11->slots[i].token)
			return &libp11->slots[i];
	}
	return NULL;
}

/* Bytes of an id that libp11 keeps; of a longer one it keeps none. */
#define LIBP11_ID_MAX 255

/*
 * Whether libp11's key may be the object. libp11 keeps no id that is longer than this, and only the
 * part of a label that comes before its first NUL.
 */
static bool
may_be(const PKCS11_KEY *key, const struct object *object)
{
	const CK_ATTRIBUTE *id = &object->id, *label = &object->label;
	size_t id_len = id->ulValueLen > LIBP11_ID_MAX ? 0 : id->ulValueLen;
	size_t label_len = label->pValue ? strnlen(label->pValue, label->ulValueLen) : 0;
	size_t key_label_len = key->label ? strlen(key->label) : 0;

	return key->id_len == id_len && key_label_len == label_len &&
	       (id_len == 0 || memcmp(key->id, id->pValue, id_len) == 0) &&
	       (label_len == 0 || memcmp(key->label, label->pValue, label_len) == 0);
}

/* Whether libp11 keeps only a part of its names, so that other keys may look the same. */
static bool
is_hidden(const struct object *object)
{
	return object->id.ulValueLen > LIBP11_ID_MAX ||
	       (object->label.pValue &&
		       memchr(object->label.pValue, '\0', object->label.ulValueLen));
}

/* libp11's view of all private keys of the token. */
static int
list_in_libp11(struct token *token, PKCS11_KEY **ret_keys, unsigned *ret_n, struct fault *f)
{
	struct libp11 *libp11 = token->module->libp11;
	PKCS11_SLOT *slot = slot_of(libp11, token->slot);

	if (!slot) {
		if (PKCS11_update_slots(libp11->ctx, &libp11->slots, &libp11->n_slots))
			return libp11_fault(f, "libp11 cannot list the slots");
		slot = slot_of(libp11, token->slot);
	}
	if (!slot)
		return fault_set(f, FAULT_NOTFOUND, "token '%s' is gone", token->label);
	if (PKCS11_enumerate_keys(slot->token, ret_keys, ret_n))
		return libp11_fault(f, "libp11 cannot list the keys");
	return 0;
}

/* libp11 may have found no public half, or another key's: replaces it by the right one. */
static bool
set_public(EC_KEY *ec, const EVP_PKEY *public)
{
	unsigned char point[256];
	size_t len;

	return EVP_PKEY_get_octet_string_param(public, "pub", point, sizeof(point), &len) &&
	       EC_KEY_oct2key(ec, point, len, NULL);
}

/*
 * A key of our own around libp11's RSA or EC_KEY: libp11 keeps its EVP_PKEY until the module ends,
 * which must not come before ours is freed.
 */
static int
wrap(PKCS11_KEY *key, const EVP_PKEY *public, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *inner = PKCS11_get_private_key(key);
	AUTO(auto_pkey) EVP_PKEY *outer = EVP_PKEY_new();
	EC_KEY *ec;
	RSA *rsa;

	if (!inner)
		return libp11_fault(f, "libp11 cannot use the key");
	ec = (EC_KEY *)(size_t)EVP_PKEY_get0_EC_KEY(inner);
	rsa = (RSA *)(size_t)EVP_PKEY_get0_RSA(inner);
	ERR_clear_error();
	if (!outer)
		return fault_nomem(f);
	if (ec && !set_public(ec, public))
		return fault_openssl(f, FAULT_CRYPTO, "cannot use the key's public half");
	if (!(ec ? EVP_PKEY_set1_EC_KEY(outer, ec) : rsa && EVP_PKEY_set1_RSA(outer, rsa)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot use the key");
	if (!public_equal(outer, public))
		return fault_set(f, FAULT_INVALID,
			"the token holds another key's public half beside this key: delete it");
	*ret_key = TAKE(outer);
	return 0;
}

/* Whether what one signs is verified by the other. */
static bool
signs_for(EVP_PKEY *key, EVP_PKEY *public)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	static const unsigned char text[] = "p11-gateway";
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	bool does;

	does = sign && verify && EVP_DigestSignInit(sign, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(sign, signature, &len, text, sizeof(text)) == 1 &&
	       EVP_DigestVerifyInit(verify, NULL, EVP_sha256(), NULL, public) == 1 &&
	       EVP_DigestVerify(verify, signature, len, text, sizeof(text)) == 1;
	ERR_clear_error();
	return does;
}

/*
 * Wraps the key that libp11 has for the object. After a new login the later of two is the valid
 * one. If several keys look the same to libp11, it is the one whose signature the public key
 * verifies.
 */
static int
wrap_object(struct token *token, const struct object *object, EVP_PKEY *public, EVP_PKEY **ret_key,
	struct fault *f)
{
	PKCS11_KEY *keys;
	unsigned n;

	if (list_in_libp11(token, &keys, &n, f))
		return -1;
	while (n > 0) {
		AUTO(auto_pkey) EVP_PKEY *key = NULL;
		struct fault why = FAULT_INIT;

		if (!may_be(&keys[--n], object))
			continue;
		if (!is_hidden(object))
			return wrap(&keys[n], public, ret_key, f);
		if (wrap(&keys[n], public, &key, &why) == 0 && signs_for(key, public)) {
			*ret_key = TAKE(key);
			return 0;
		}
	}
	return fault_set(
		f, FAULT_NOTFOUND, "libp11 does not see the key in token '%s'", token->label);
}

/* The key must sign the way every user of an EVP_PKEY asks for it. */
static int
check_usable(struct token *token, const struct object *key, struct fault *f)
{
	CK_FUNCTION_LIST *api = token->module->api;
	CK_ULONG type = attribute_number(api, token->session, key->handle, CKA_KEY_TYPE);
	CK_MECHANISM_INFO info;
	CK_RV rv;

	if (type != CKK_RSA && type != CKK_EC)
		return fault_set(f, FAULT_INVALID, "the key in token '%s' is neither RSA nor EC",
			token->label);
	rv = api->C_GetMechanismInfo(
		token->slot, type == CKK_RSA ? CKM_RSA_PKCS : CKM_ECDSA, &info);
	if (rv == CKR_MECHANISM_INVALID || (rv == CKR_OK && !(info.flags & CKF_SIGN)))
		return fault_set(f, FAULT_REFUSED, "token '%s' cannot sign with %s keys (no %s)",
			token->label, type == CKK_RSA ? "RSA" : "EC",
			type == CKK_RSA ? "CKM_RSA_PKCS" : "CKM_ECDSA");
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetMechanismInfo", rv);
	if (!attribute_is_true(api, token->session, key->handle, CKA_SIGN, true))
		return fault_set(f, FAULT_REFUSED, "the key in token '%s' is not made for signing",
			token->label);
	if (attribute_is_true(api, token->session, key->handle, CKA_ALWAYS_AUTHENTICATE, false))
		return fault_set(f, FAULT_REFUSED,
			"the key in token '%s' wants the PIN for every signature: make another",
			token->label);
	return 0;
}

int
token_private_key(struct token *token, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;

	if (!CRYPTO_THREAD_run_once(&once, make_index) || token_index < 0)
		return fault_nomem(f);
	if (token_login(token, f) || private_key_named(token, &one, f) ||
		check_usable(token, &one.items[0], f) ||
		public_proven(token, &one.items[0], &public, f) || libp11_open(token->module, f) ||
		wrap_object(token, &one.items[0], public, &key, f))
		return -1;
	if (!EVP_PKEY_set_ex_data(key, token_index, token))
		return fault_nomem(f);
	token_ref(token);
	*ret_key = TAKE(key);
	return 0;
}
