#include "config.h"

#include "token/inside.h"

#include <string.h>

#include "token/ckr.h"

int
certificate_of(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	X509 **ret_cert, struct fault *f)
{
	AUTO(auto_attribute) CK_ATTRIBUTE value = {0};
	const unsigned char *at;
	X509 *cert;

	if (attribute_read(api, session, handle, CKA_VALUE, &value, f))
		return -1;
	at = value.pValue;
	cert = value.ulValueLen > 0 ? d2i_X509(NULL, &at, (long)value.ulValueLen) : NULL;
	if (!cert)
		return fault_openssl(f, FAULT_INVALID, "the token's certificate does not parse");
	*ret_cert = cert;
	return 0;
}

int
token_certificate(struct token *token, X509 **ret_cert, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};

	if (object_named(token, CKO_CERTIFICATE, &one, f))
		return -1;
	return certificate_of(token->module->api, token->session, one.items[0].handle, ret_cert, f);
}

/* The certificates with a key's id; without an id, with its label. */
static int
certificates_beside(
	struct token *t, const struct object *key, struct objects *ret_found, struct fault *f)
{
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)}, key->id.ulValueLen > 0 ? key->id : key->label};

	if (template[1].ulValueLen == 0)
		return fault_set(f, FAULT_INVALID,
			"the key has neither id nor label: a certificate cannot be put beside it");
	return objects_find(t->module->api, t->session, template, 2, ret_found, f);
}

/* Whether it ends later than another, which may be NULL. */
static bool
ends_later(const X509 *cert, const X509 *other)
{
	return !other || ASN1_TIME_compare(X509_get0_notAfter(cert), X509_get0_notAfter(other)) > 0;
}

int
token_key_certificate(EVP_PKEY *key, X509 **ret_cert, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};
	AUTO(objects_clear) struct objects there = {NULL, 0};
	AUTO(auto_x509) X509 *latest = NULL;
	struct token *t = token_of(key);

	if (!t)
		return fault_set(f, FAULT_USAGE, "the key is no token's");
	if (object_named(t, CKO_PRIVATE_KEY, &one, f) ||
		certificates_beside(t, &one.items[0], &there, f))
		return -1;
	for (size_t i = 0; i < there.n; i++) {
		AUTO(auto_x509) X509 *cert = NULL;
		struct fault ignored = FAULT_INIT;
		CK_OBJECT_HANDLE handle = there.items[i].handle;

		if (certificate_of(t->module->api, t->session, handle, &cert, &ignored) ||
			!X509_get0_pubkey(cert) || !public_equal(X509_get0_pubkey(cert), key) ||
			!ends_later(cert, latest))
			continue;
		X509_free(latest);
		latest = TAKE(cert);
	}
	if (!latest)
		return fault_set(f, FAULT_NOTFOUND,
			"token '%s' has no certificate for the key beside it", t->label);
	*ret_cert = TAKE(latest);
	return 0;
}

static bool
is_certificate(struct token *t, const struct object *object, X509 *cert)
{
	AUTO(auto_x509) X509 *there = NULL;
	struct fault ignored = FAULT_INIT;

	return certificate_of(t->module->api, t->session, object->handle, &there, &ignored) == 0 &&
	       X509_cmp(there, cert) == 0;
}

/* The attributes' values, in DER. */
struct encoded {
	unsigned char *subject, *issuer, *serial, *value;
};

static void
encoded_clear(struct encoded *e)
{
	OPENSSL_free(e->subject);
	OPENSSL_free(e->issuer);
	OPENSSL_free(e->serial);
	OPENSSL_free(e->value);
}

static int
write_certificate(struct token *t, const struct object *key, X509 *cert, struct fault *f)
{
	AUTO(encoded_clear) struct encoded e = {NULL};
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	CK_OBJECT_HANDLE handle;
	CK_BBOOL yes = CK_TRUE;
	int subject = i2d_X509_NAME(X509_get_subject_name(cert), &e.subject);
	int issuer = i2d_X509_NAME(X509_get_issuer_name(cert), &e.issuer);
	int serial = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &e.serial);
	int value = i2d_X509(cert, &e.value);
	CK_ATTRIBUTE template[9] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_SUBJECT, e.subject, (CK_ULONG)subject},
		{CKA_ISSUER, e.issuer, (CK_ULONG)issuer},
		{CKA_SERIAL_NUMBER, e.serial, (CK_ULONG)serial},
		{CKA_VALUE, e.value, (CK_ULONG)value},
	};
	CK_ULONG n = 7;
	CK_RV rv;

	if (subject < 0 || issuer < 0 || serial < 0 || value < 0)
		return fault_openssl(f, FAULT_INVALID, "the certificate cannot be encoded");
	if (key->label.ulValueLen > 0)
		template[n++] = key->label;
	if (key->id.ulValueLen > 0)
		template[n++] = key->id;
	rv = object_create(t, template, n, &handle);
	if (rv != CKR_OK) {
		fault_pkcs11(f, "C_CreateObject", rv);
		return fault_prefix(f, "token '%s' did not take the certificate", t->label);
	}
	return 0;
}

/* Removes the others, but never the last one that is this certificate. */
static int
remove_others(struct token *t, const struct object *key, X509 *cert, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};
	bool kept = false;

	if (certificates_beside(t, key, &found, f))
		return -1;
	for (size_t i = 0; i < found.n && !kept; i++)
		kept = is_certificate(t, &found.items[i], cert);
	if (!kept)
		return fault_set(f, FAULT_TOKEN,
			"token '%s' does not give the certificate back; the old one is still there",
			t->label);
	kept = false;
	for (size_t i = 0; i < found.n; i++) {
		CK_RV rv;

		if (!kept && is_certificate(t, &found.items[i], cert)) {
			kept = true;
			continue;
		}
		rv = object_destroy(t, found.items[i].handle);
		if (rv != CKR_OK) {
			fault_pkcs11(f, "C_DestroyObject", rv);
			return fault_prefix(f, "the new certificate is in, the old one is too");
		}
	}
	return 0;
}

int
token_certificate_import(struct token *token, X509 *cert, char **ret_uri, struct fault *f)
{
	AUTO(objects_clear) struct objects one = {NULL, 0};
	AUTO(objects_clear) struct objects there = {NULL, 0};
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	AUTO(auto_free) char *uri = NULL;
	const EVP_PKEY *certified = X509_get0_pubkey(cert);
	struct object *key;
	bool is_there = false;

	if (!certified)
		return fault_openssl(f, FAULT_INVALID, "the certificate's key is not usable");
	if (token_login(token, f) || object_named(token, CKO_PRIVATE_KEY, &one, f))
		return -1;
	key = &one.items[0];
	if (public_of(token->module->api, token->session, key, &public, f))
		return -1;
	if (!public_equal(public, certified))
		return fault_set(f, FAULT_INVALID,
			"the certificate is for another key than the one in token '%s'",
			token->label);
	if (token_uri_of(token, CKO_CERTIFICATE, &key->label, &key->id, &uri, f) ||
		certificates_beside(token, key, &there, f))
		return -1;
	for (size_t i = 0; i < there.n && !is_there; i++)
		is_there = is_certificate(token, &there.items[i], cert);
	if ((!is_there && write_certificate(token, key, cert, f)) ||
		remove_others(token, key, cert, f))
		return -1;
	*ret_uri = TAKE(uri);
	return 0;
}

int
token_certificate_delete(struct token *token, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};

	if (token_login(token, f))
		return -1;
	if (objects_named(token, CKO_CERTIFICATE, &found, f))
		return -1;
	if (found.n == 0)
		return fault_set(f, FAULT_NOTFOUND,
			"token '%s' has no certificate that the URI matches", token->label);
	for (size_t i = 0; i < found.n; i++) {
		CK_RV rv = object_destroy(token, found.items[i].handle);

		if (rv != CKR_OK) {
			fault_pkcs11(f, "C_DestroyObject", rv);
			return fault_prefix(f, "the certificate was not deleted");
		}
	}
	return 0;
}
