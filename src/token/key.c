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

static bool
is_key(const PKCS11_KEY *key, const struct object *object)
{
	size_t label_len = key->label ? strlen(key->label) : 0;

	return key->id_len == object->id.ulValueLen && label_len == object->label.ulValueLen &&
	       (key->id_len == 0 || memcmp(key->id, object->id.pValue, key->id_len) == 0) &&
	       (label_len == 0 || memcmp(key->label, object->label.pValue, label_len) == 0);
}

/* libp11's own view of the object; after a new login the later of two is the valid one. */
static int
find_in_libp11(
	struct token *token, const struct object *object, PKCS11_KEY **ret_key, struct fault *f)
{
	struct libp11 *libp11 = token->module->libp11;
	PKCS11_SLOT *slot = slot_of(libp11, token->slot);
	PKCS11_KEY *keys;
	unsigned n;

	if (!slot) {
		if (PKCS11_update_slots(libp11->ctx, &libp11->slots, &libp11->n_slots))
			return libp11_fault(f, "libp11 cannot list the slots");
		slot = slot_of(libp11, token->slot);
	}
	if (!slot)
		return fault_set(f, FAULT_NOTFOUND, "token '%s' is gone", token->label);
	if (PKCS11_enumerate_keys(slot->token, &keys, &n))
		return libp11_fault(f, "libp11 cannot list the keys");
	while (n > 0) {
		if (is_key(&keys[--n], object)) {
			*ret_key = &keys[n];
			return 0;
		}
	}
	return fault_set(
		f, FAULT_NOTFOUND, "libp11 does not see the key in token '%s'", token->label);
}

/*
 * A key of our own around libp11's RSA or EC_KEY: libp11 keeps its EVP_PKEY until the module ends,
 * which must not come before ours is freed.
 */
static int
wrap(EVP_PKEY *inner, const EVP_PKEY *public, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *outer = EVP_PKEY_new();
	EC_KEY *ec = (EC_KEY *)(size_t)EVP_PKEY_get0_EC_KEY(inner);
	RSA *rsa = (RSA *)(size_t)EVP_PKEY_get0_RSA(inner);
	unsigned char point[256];
	size_t len;

	ERR_clear_error();
	if (!outer)
		return fault_nomem(f);
	if (ec && !EC_KEY_get0_public_key(ec) &&
		(!EVP_PKEY_get_octet_string_param(public, "pub", point, sizeof(point), &len) ||
			!EC_KEY_oct2key(ec, point, len, NULL)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot use the key's public half");
	if (!(ec ? EVP_PKEY_set1_EC_KEY(outer, ec) : rsa && EVP_PKEY_set1_RSA(outer, rsa)))
		return fault_openssl(f, FAULT_CRYPTO, "cannot use the key");
	if (!public_equal(outer, public))
		return fault_set(f, FAULT_INVALID,
			"the token holds another key's public half beside this key: delete it");
	*ret_key = TAKE(outer);
	return 0;
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
	AUTO(auto_pkey) EVP_PKEY *inner = NULL;
	AUTO(auto_pkey) EVP_PKEY *outer = NULL;
	PKCS11_KEY *key;

	if (!CRYPTO_THREAD_run_once(&once, make_index) || token_index < 0)
		return fault_nomem(f);
	if (token_login(token, f) || object_named(token, CKO_PRIVATE_KEY, &one, f) ||
		check_usable(token, &one.items[0], f) ||
		public_of(token->module->api, token->session, &one.items[0], &public, f) ||
		libp11_open(token->module, f) || find_in_libp11(token, &one.items[0], &key, f))
		return -1;
	inner = PKCS11_get_private_key(key);
	if (!inner)
		return libp11_fault(f, "libp11 cannot use the key");
	if (wrap(inner, public, &outer, f))
		return -1;
	if (!EVP_PKEY_set_ex_data(outer, token_index, token))
		return fault_nomem(f);
	token_ref(token);
	*ret_key = TAKE(outer);
	return 0;
}
