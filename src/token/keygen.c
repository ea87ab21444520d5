#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "token/ckr.h"

#define ID_LEN 16

/* What we make. params is the curve's OID in DER. */
static const struct kind {
	const char *type;
	const char *words;
	CK_MECHANISM_TYPE mechanism;
	CK_ULONG bits;
	CK_BYTE params[12];
	CK_ULONG params_len;
} kinds[] = {
	{"ec:p256", "EC P-256", CKM_EC_KEY_PAIR_GEN, 256,
		{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10},
	{"ec:p384", "EC P-384", CKM_EC_KEY_PAIR_GEN, 384,
		{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7},
	{"rsa:2048", "RSA-2048", CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, {0}, 0},
	{"rsa:3072", "RSA-3072", CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, {0}, 0},
};

static const struct kind *
kind_of(const char *type)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	}
	return NULL;
}

static int
check_mechanism(const struct token *t, const struct kind *kind, struct fault *f)
{
	CK_MECHANISM_INFO info;
	CK_RV rv = t->module->api->C_GetMechanismInfo(t->slot, kind->mechanism, &info);

	if (rv == CKR_MECHANISM_INVALID || (rv == CKR_OK && !(info.flags & CKF_GENERATE_KEY_PAIR)))
		return fault_set(
			f, FAULT_REFUSED, "token '%s' cannot make %s keys", t->label, kind->words);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetMechanismInfo", rv);
	if (info.ulMaxKeySize != 0 && info.ulMaxKeySize < kind->bits)
		return fault_set(f, FAULT_REFUSED,
			"token '%s' cannot make %s keys (its limit is %lu bits)", t->label,
			kind->words, info.ulMaxKeySize);
	if (info.ulMinKeySize > kind->bits)
		return fault_set(f, FAULT_REFUSED,
			"token '%s' cannot make %s keys (it wants %lu bits or more)", t->label,
			kind->words, info.ulMinKeySize);
	return 0;
}

/* Nothing of that label or id may be there, whatever it is. */
static int
check_free(struct token *t, CK_ATTRIBUTE *label, CK_ATTRIBUTE *id, struct fault *f)
{
	CK_ATTRIBUTE *names[] = {label, id};

	for (size_t i = 0; i < 2; i++) {
		AUTO(objects_clear) struct objects found = {NULL, 0};
		AUTO(auto_free) char *uri = NULL;

		if (objects_find(t->module->api, t->session, names[i], 1, &found, f))
			return -1;
		if (found.n == 0)
			continue;
		if (token_uri_of(t, found.items[0].class, &found.items[0].label, &found.items[0].id,
			    &uri, f))
			return -1;
		return fault_set(f, FAULT_EXISTS,
			"the %s is in use already, and nothing is overwritten: %s",
			i == 0 ? "label" : "id", uri);
	}
	return 0;
}

/* Removes what a failed keygen left: before it, nothing had both this label and this id. */
static void
remove_pair(struct token *t, const CK_ATTRIBUTE *label, const CK_ATTRIBUTE *id)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};
	CK_ATTRIBUTE template[] = {*label, *id};
	struct fault ignored = FAULT_INIT;

	/* A TPM destroys nothing that it keeps loaded. */
	if (t->module->tpm)
		token_relogin(t, &ignored);
	if (objects_find(t->module->api, t->session, template, 2, &found, &ignored))
		return;
	for (size_t i = 0; i < found.n; i++)
		object_destroy(t, found.items[i].handle);
}

/*
 * The templates are what SoftHSM and tpm2-pkcs11 both take, and no more: on a TPM, CKA_DECRYPT or
 * CKA_ENCRYPT false spoil the key after it was made.
 */
static CK_RV
generate(struct token *t, const struct kind *kind, CK_ATTRIBUTE *label, CK_ATTRIBUTE *id)
{
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ULONG bits = kind->bits;
	CK_ATTRIBUTE bits_or_curve = {CKA_MODULUS_BITS, &bits, sizeof(bits)};
	CK_ATTRIBUTE curve = {CKA_EC_PARAMS, (void *)(size_t)kind->params, kind->params_len};
	CK_ATTRIBUTE public[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_VERIFY, &yes, sizeof(yes)},
		*id,
		*label,
		kind->params_len > 0 ? curve : bits_or_curve,
	};
	CK_ATTRIBUTE private[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_SENSITIVE, &yes, sizeof(yes)},
		{CKA_EXTRACTABLE, &no, sizeof(no)},
		{CKA_SIGN, &yes, sizeof(yes)},
		*id,
		*label,
	};
	CK_MECHANISM mechanism = {kind->mechanism, NULL, 0};
	CK_OBJECT_HANDLE public_handle, private_handle;

	return t->module->api->C_GenerateKeyPair(t->session, &mechanism, public,
		sizeof(public) / sizeof(public[0]), private, sizeof(private) / sizeof(private[0]),
		&public_handle, &private_handle);
}

/* Reads back what the token says it made. */
static int
check_made(struct token *t, CK_ATTRIBUTE *label, CK_ATTRIBUTE *id, struct fault *f)
{
	static const struct {
		CK_ATTRIBUTE_TYPE type;
		bool wanted;
		const char *complaint;
	} rows[] = {
		{CKA_EXTRACTABLE, false, "can be extracted"},
		{CKA_SENSITIVE, true, "is not sensitive"},
		{CKA_NEVER_EXTRACTABLE, true, "was extractable"},
		{CKA_ALWAYS_SENSITIVE, true, "was not sensitive"},
		{CKA_LOCAL, true, "was not made inside the token"},
	};
	AUTO(objects_clear) struct objects found = {NULL, 0};
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, *label, *id};

	if (objects_find(t->module->api, t->session, template, 3, &found, f))
		return -1;
	if (found.n != 1)
		return fault_set(
			f, FAULT_TOKEN, "token '%s' does not show the key that it made", t->label);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (attribute_is_true(t->module->api, t->session, found.items[0].handle,
			    rows[i].type, !rows[i].wanted) != rows[i].wanted)
			return fault_set(f, FAULT_REFUSED,
				"token '%s' made a key that %s: the key was deleted, use another "
				"token",
				t->label, rows[i].complaint);
	}
	return 0;
}

static int
make(struct token *t, const struct kind *kind, CK_ATTRIBUTE *label, CK_ATTRIBUTE *id,
	struct fault *f)
{
	CK_RV rv;

	if (t->module->tpm && token_relogin(t, f))
		return -1;
	rv = generate(t, kind, label, id);
	if (login_may_mend(rv)) {
		remove_pair(t, label, id);
		if (token_relogin(t, f))
			return -1;
		rv = generate(t, kind, label, id);
	}
	if (rv == CKR_OK && (!t->module->tpm || token_relogin(t, f) == 0) &&
		check_made(t, label, id, f) == 0)
		return 0;
	remove_pair(t, label, id);
	if (rv == CKR_OK)
		return -1;
	fault_pkcs11(f, "C_GenerateKeyPair", rv);
	return fault_prefix(f, "token '%s' did not make the %s key", t->label, kind->words);
}

int
token_keygen(struct token *token, const char *type, char **ret_uri, struct fault *f)
{
	const struct kind *kind = kind_of(type);
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
	CK_ATTRIBUTE *given = p11_kit_uri_get_attribute(token->uri, CKA_ID);
	unsigned char random[ID_LEN];
	CK_ATTRIBUTE id = {CKA_ID, random, sizeof(random)};
	AUTO(auto_free) char *uri = NULL;

	if (!kind)
		return fault_set(f, FAULT_USAGE,
			"key type '%.20s' is none of ec:p256, ec:p384, rsa:2048, rsa:3072", type);
	if (!label || label->ulValueLen == 0)
		return fault_set(
			f, FAULT_USAGE, "the key needs a label: write object=NAME into its URI");
	if (given && given->ulValueLen > 0)
		id = *given;
	else if (RAND_bytes(random, sizeof(random)) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "no random id");
	if (token_check_writable(token, f) ||
		token_uri_of(token, CK_UNAVAILABLE_INFORMATION, label, &id, &uri, f) ||
		token_login(token, f) || check_mechanism(token, kind, f) ||
		check_free(token, label, &id, f) || make(token, kind, label, &id, f))
		return -1;
	*ret_uri = TAKE(uri);
	return 0;
}
