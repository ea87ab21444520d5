#include "config.h"

#include "token/inside.h"

#include <openssl/err.h>

/* The key's newest certificate: of those with its id, else of all in the token. */
static int
newest_of(struct token *t, const struct object *key, const EVP_PKEY *public, X509 **ret_cert,
	struct fault *f)
{
	AUTO(certificates_clear) struct certificates found = {NULL, 0};
	struct certificate *latest;

	if (certificates_with_id(t, key, public, &found, f))
		return -1;
	if (found.n == 0 && public) {
		certificates_clear(&found);
		if (certificates_for(t, public, &found, f))
			return -1;
	}
	latest = certificates_latest(&found);
	if (!latest)
		return fault_set(
			f, FAULT_NOTFOUND, "token '%s' has no certificate for the key", t->label);
	*ret_cert = TAKE(latest->cert);
	return 0;
}

int
token_key_certificate(EVP_PKEY *key, X509 **ret_cert, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};
	struct token *t = token_of(key);

	if (!t)
		return fault_set(f, FAULT_USAGE, "the key is not a token's");
	if (private_key_named(t, &one, f))
		return -1;
	return newest_of(t, &one.items[0], key, ret_cert, f);
}

int
key_visible(struct token *t, struct objects *ret_one, EVP_PKEY **ret_public, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};
	struct fault ignored = FAULT_INIT;
	EVP_PKEY *public = NULL;
	int status;

	if (private_key_named(t, &one, f) == 0) {
		if (t->logged_in)
			status = public_proven(t, &one.items[0], &public, &ignored);
		else
			status = public_of(
				t->module->api, t->session, &one.items[0], &public, &ignored);
	} else if (f->code != FAULT_NOTFOUND || object_named(t, CKO_PUBLIC_KEY, &one, f)) {
		return -1;
	} else {
		status = public_shown(
			t->module->api, t->session, one.items[0].handle, &public, &ignored);
	}
	ERR_clear_error();
	*ret_public = status == 0 ? public : NULL;
	*ret_one = one;
	one = (struct objects){NULL, 0};
	return 0;
}

/* The one certificate that the URI itself names. */
static int
find_named(struct token *t, const struct certificates *named, X509 **ret_cert, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};

	if (named->n == 0 || !certificates_alike(named)) {
		if (object_named(t, CKO_CERTIFICATE, &one, f))
			return -1;
		return certificate_of(t->module->api, t->session, one.items[0].handle, ret_cert, f);
	}
	*ret_cert = TAKE(certificates_latest(named)->cert);
	return 0;
}

int
certificate_foreign(const X509 *cert, const struct object *key, struct fault *f)
{
	char subject[100], name[100];

	if (object_name(key, name, sizeof(name), f))
		return -1;
	return fault_set(f, FAULT_INVALID, "the certificate '%s' is for another key than %s",
		certificate_subject(cert, subject, sizeof(subject)), name);
}

/*
 * With what the token shows now.
 *
 * by_name  if no key is shown, take the certificate that the URI itself names
 */
static int
find_visible(struct token *t, bool by_name, X509 **ret_cert, struct fault *f)
{
	AUTO(certificates_clear) struct certificates named = {NULL, 0};
	AUTO(objects_clear) struct objects key = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;

	if (certificates_named(t, &named, f))
		return -1;
	if (uri_class(t->uri) == CKO_CERTIFICATE && certificates_alike(&named))
		return find_named(t, &named, ret_cert, f);
	if (key_visible(t, &key, &public, f)) {
		if (f->code == FAULT_AMBIGUOUS || (f->code == FAULT_NOTFOUND && by_name))
			return find_named(t, &named, ret_cert, f);
		return -1;
	}
	if (newest_of(t, &key.items[0], public, ret_cert, f) == 0)
		return 0;
	if (f->code != FAULT_NOTFOUND || named.n == 0)
		return -1;
	/* One of its name, but not for it. */
	return public ? certificate_foreign(named.items[0].cert, &key.items[0], f)
		      : find_named(t, &named, ret_cert, f);
}

int
token_certificate(struct token *token, X509 **ret_cert, struct fault *f)
{
	bool may_show_more = !token->logged_in && (token->info.flags & CKF_LOGIN_REQUIRED);

	if (find_visible(token, !may_show_more, ret_cert, f) == 0)
		return 0;
	if (!may_show_more || (f->code != FAULT_NOTFOUND && f->code != FAULT_AMBIGUOUS))
		return -1;
	/* Without a PIN only what is shown without a login can be used. */
	if (token_login(token, f) && f->code != FAULT_CONFIG)
		return -1;
	return find_visible(token, true, ret_cert, f);
}
