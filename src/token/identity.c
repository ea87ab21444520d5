#include "config.h"

#include "token/inside.h"

#include "token/ckr.h"

/* The public key that a public key or a certificate in the token has. */
static int
public_in(struct token *t, const struct object *object, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;

	if (object->class != CKO_CERTIFICATE)
		return public_shown(t->module->api, t->session, object->handle, ret_key, f);
	if (certificate_of(t->module->api, t->session, object->handle, &cert, f))
		return -1;
	*ret_key = X509_get_pubkey(cert);
	return *ret_key ? 0
			: fault_openssl(f, FAULT_INVALID, "the certificate's key is not usable");
}

/* The private keys that a public key belongs to; ones that cannot be read are skipped. */
static int
private_of(struct token *t, const EVP_PKEY *public, struct objects *ret_found, struct fault *f)
{
	AUTO(objects_clear) struct objects all = {NULL, 0};
	size_t kept = 0;

	if (objects_of_class(t, CKO_PRIVATE_KEY, &all, f))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		AUTO(auto_pkey) EVP_PKEY *its = NULL;
		struct fault ignored = FAULT_INIT;
		struct object *o = &all.items[i];

		if (public_proven(t, o, &its, &ignored) == 0 && public_equal(its, public))
			all.items[kept++] = *o;
		else
			object_clear(o);
	}
	all.n = kept;
	*ret_found = all;
	all = (struct objects){NULL, 0};
	return 0;
}

/* The private keys of the public key or certificate that the URI names. */
static int
private_beside(struct token *t, CK_OBJECT_CLASS class, struct objects *ret_found, struct fault *f)
{
	AUTO(objects_clear) struct objects named = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;

	if (object_named(t, class, &named, f))
		return -1;
	if (named.items[0].id.ulValueLen > 0) {
		if (objects_with_id(t, CKO_PRIVATE_KEY, &named.items[0].id, ret_found, f))
			return -1;
		if (ret_found->n > 0)
			return 0;
		objects_clear(ret_found);
	}
	return public_in(t, &named.items[0], &public, f) ? -1 : private_of(t, public, ret_found, f);
}

int
private_key_named(struct token *t, struct objects *ret_one, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};
	CK_OBJECT_CLASS class = uri_class(t->uri);

	if (objects_named(t, CKO_PRIVATE_KEY, &found, f))
		return -1;
	if (found.n != 1 && (class == CKO_PUBLIC_KEY || class == CKO_CERTIFICATE)) {
		objects_clear(&found);
		if (private_beside(t, class, &found, f))
			return -1;
		if (found.n == 0)
			return fault_set(f, FAULT_NOTFOUND,
				"token '%s' has no private key for what the URI names", t->label);
	}
	return object_only(t, CKO_PRIVATE_KEY, &found, ret_one, f);
}
