#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "token/ckr.h"

/* Names the offered certificates, none of which is for the key. */
static int
none_is_for(const struct object *key, const STACK_OF(X509) * offered, struct fault *f)
{
	char name[80], text[140] = "";

	if (sk_X509_num(offered) == 1)
		return certificate_foreign(sk_X509_value(offered, 0), key, f);
	if (object_name(key, name, sizeof(name), f))
		return -1;
	for (int i = 0; i < sk_X509_num(offered) && strlen(text) + 1 < sizeof(text); i++) {
		size_t used = strlen(text);
		char subject[64];

		snprintf(text + used, sizeof(text) - used, "%s'%s'", used ? ", " : "",
			certificate_subject(sk_X509_value(offered, i), subject, sizeof(subject)));
	}
	return fault_set(f, FAULT_INVALID, "none of %d certificates is for the key %s: %s",
		sk_X509_num(offered), name, text);
}

/* The newest of those for a public key; NULL when there is none. */
static X509 *
newest_for(const STACK_OF(X509) * offered, const EVP_PKEY *public)
{
	X509 *newest = NULL;

	for (int i = 0; i < sk_X509_num(offered); i++) {
		X509 *cert = sk_X509_value(offered, i);
		const EVP_PKEY *certified = X509_get0_pubkey(cert);

		if (certified && public_equal(certified, public) &&
			(!newest || ASN1_TIME_compare(X509_get0_notAfter(cert),
					    X509_get0_notAfter(newest)) > 0))
			newest = cert;
	}
	ERR_clear_error();
	return newest;
}

/* The offered certificate's public key that belongs to a private key without a public half. */
static int
prove_offered(struct token *t, const struct object *key, const STACK_OF(X509) * offered,
	EVP_PKEY **ret_public, struct fault *f)
{
	AUTO(auto_free)
	EVP_PKEY **candidates = calloc((size_t)sk_X509_num(offered) + 1, sizeof(*candidates));
	size_t n = 0, which;

	if (!candidates)
		return fault_nomem(f);
	for (int i = 0; i < sk_X509_num(offered); i++) {
		candidates[n] = X509_get0_pubkey(sk_X509_value(offered, i));
		if (candidates[n])
			n++;
	}
	ERR_clear_error();
	if (prove(t, key, candidates, n, &which, f))
		return f->code == FAULT_NOTFOUND ? none_is_for(key, offered, f) : -1;
	if (!EVP_PKEY_up_ref(candidates[which]))
		return fault_nomem(f);
	*ret_public = candidates[which];
	return 0;
}

static int
public_of_key(struct token *t, const struct object *key, const STACK_OF(X509) * offered,
	EVP_PKEY **ret_public, struct fault *f)
{
	CK_ULONG type;

	if (public_proven(t, key, ret_public, f) == 0)
		return 0;
	type = attribute_number(t->module->api, t->session, key->handle, CKA_KEY_TYPE);
	if (f->code != FAULT_NOTFOUND || type != CKK_EC)
		return -1;
	return prove_offered(t, key, offered, ret_public, f);
}

static bool
is_same_name(const CK_ATTRIBUTE *a, const CK_ATTRIBUTE *b)
{
	return a->ulValueLen == b->ulValueLen &&
	       (a->ulValueLen == 0 || memcmp(a->pValue, b->pValue, a->ulValueLen) == 0);
}

/* The same certificate with the key's id, by which other programs find it. */
static struct certificate *
find_same(const struct certificates *there, const struct object *key, const X509 *cert)
{
	for (size_t i = 0; i < there->n; i++) {
		struct certificate *one = &there->items[i];

		if (is_same_name(&one->object.id, &key->id) && X509_cmp(one->cert, cert) == 0)
			return one;
	}
	return NULL;
}

/* Removes the key's other certificates, once the new one is there to be read. */
static int
replace(struct token *t, const struct object *key, const EVP_PKEY *public, X509 *cert,
	char **ret_uri, struct fault *f)
{
	AUTO(certificates_clear) struct certificates there = {NULL, 0};
	struct certificate *kept;

	if (certificates_for(t, public, &there, f))
		return -1;
	kept = find_same(&there, key, cert);
	if (!kept)
		return fault_set(f, FAULT_TOKEN,
			"token '%s' does not give the certificate back; the old one is still there",
			t->label);
	if (token_uri_of(t, CKO_CERTIFICATE, &kept->object.label, &kept->object.id, ret_uri, f))
		return -1;
	for (size_t i = 0; i < there.n; i++) {
		CK_RV rv;

		if (&there.items[i] == kept)
			continue;
		rv = object_destroy(t, there.items[i].object.handle);
		if (rv != CKR_OK) {
			fault_pkcs11(f, "C_DestroyObject", rv);
			return fault_prefix(f, "the new certificate is in, the old one is too");
		}
	}
	return 0;
}

int
token_certificate_import(
	struct token *token, const STACK_OF(X509) * offered, char **ret_uri, struct fault *f)
{
	AUTO(certificates_clear) struct certificates there = {NULL, 0};
	AUTO(objects_clear) struct objects one = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	AUTO(auto_free) char *uri = NULL;
	struct object *key;
	X509 *cert;

	if (token_check_writable(token, f) || token_login(token, f) ||
		private_key_named(token, &one, f))
		return -1;
	key = &one.items[0];
	if (public_of_key(token, key, offered, &public, f))
		return -1;
	cert = newest_for(offered, public);
	if (!cert)
		return none_is_for(key, offered, f);
	if (certificates_for(token, public, &there, f) ||
		(!find_same(&there, key, cert) && certificate_write(token, key, cert, f)) ||
		replace(token, key, public, cert, &uri, f))
		return -1;
	*ret_uri = TAKE(uri);
	return 0;
}

/* The key's certificates; with type=cert, or without such a key, those that the URI names. */
static int
find_deleted(struct token *t, struct certificates *ret, struct fault *f)
{
	AUTO(certificates_clear) struct certificates named = {NULL, 0};
	AUTO(objects_clear) struct objects key = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;

	if (certificates_named(t, &named, f))
		return -1;
	if ((uri_class(t->uri) != CKO_CERTIFICATE || !certificates_alike(&named)) &&
		key_visible(t, &key, &public, f) && f->code != FAULT_NOTFOUND)
		return -1;
	if (!public && key.n == 0) {
		*ret = named;
		named = (struct certificates){NULL, 0};
		return 0;
	}
	if (public && certificates_for(t, public, ret, f))
		return -1;
	/* One of its name, but not for it. */
	return ret->n == 0 && named.n > 0
		       ? certificate_foreign(named.items[0].cert, &key.items[0], f)
		       : 0;
}

int
token_certificate_delete(struct token *token, struct fault *f)
{
	AUTO(certificates_clear) struct certificates found = {NULL, 0};

	if (token_check_writable(token, f) || token_login(token, f) ||
		find_deleted(token, &found, f))
		return -1;
	if (found.n == 0)
		return fault_set(f, FAULT_NOTFOUND,
			"token '%s' has no certificate that the URI matches", token->label);
	for (size_t i = 0; i < found.n; i++) {
		CK_RV rv = object_destroy(token, found.items[i].object.handle);

		if (rv != CKR_OK) {
			fault_pkcs11(f, "C_DestroyObject", rv);
			return fault_prefix(f, "the certificate was not deleted");
		}
	}
	return 0;
}
