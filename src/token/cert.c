#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"
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

const char *
certificate_subject(const X509 *cert, char *text, size_t size)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *name;
	long len = -1;

	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0,
			   XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) >= 0)
		len = BIO_get_mem_data(bio, &name);
	if (len < 0 || BIO_write(bio, "", 1) != 1) {
		snprintf(text, size, "?");
		return text;
	}
	BIO_get_mem_data(bio, &name);
	text_cut(name, text, size);
	return text;
}

void
certificates_clear(struct certificates *certificates)
{
	for (size_t i = 0; i < certificates->n; i++) {
		object_clear(&certificates->items[i].object);
		X509_free(certificates->items[i].cert);
	}
	free(certificates->items);
	*certificates = (struct certificates){NULL, 0};
}

/* Reads the certificates among some objects and takes these over; skips what does not parse. */
static int
read_all(struct token *t, struct objects *objects, struct certificates *ret, struct fault *f)
{
	struct certificates c = {calloc(objects->n + 1, sizeof(*c.items)), 0};

	if (!c.items)
		return fault_nomem(f);
	for (size_t i = 0; i < objects->n; i++) {
		struct object *o = &objects->items[i];
		struct fault why = FAULT_INIT;
		X509 *cert = NULL;

		if (certificate_of(t->module->api, t->session, o->handle, &cert, &why) == 0)
			c.items[c.n++] = (struct certificate){*o, cert};
		else
			object_clear(o);
	}
	ERR_clear_error();
	objects->n = 0;
	*ret = c;
	return 0;
}

int
certificates_named(struct token *t, struct certificates *ret, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};

	return objects_named(t, CKO_CERTIFICATE, &found, f) ? -1 : read_all(t, &found, ret, f);
}

/* Keeps the certificates for this public key. */
static void
keep_for(struct certificates *c, const EVP_PKEY *public)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct certificate *one = &c->items[i];
		const EVP_PKEY *certified = X509_get0_pubkey(one->cert);

		if (certified && public_equal(certified, public)) {
			c->items[kept++] = *one;
		} else {
			object_clear(&one->object);
			X509_free(one->cert);
		}
	}
	ERR_clear_error();
	c->n = kept;
}

int
certificates_with_id(struct token *t, const struct object *key, const EVP_PKEY *public,
	struct certificates *ret, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};

	*ret = (struct certificates){NULL, 0};
	if (key->id.ulValueLen == 0)
		return 0;
	if (objects_with_id(t, CKO_CERTIFICATE, &key->id, &found, f) || read_all(t, &found, ret, f))
		return -1;
	if (public)
		keep_for(ret, public);
	return 0;
}

int
certificates_for(struct token *t, const EVP_PKEY *public, struct certificates *ret, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};

	if (objects_of_class(t, CKO_CERTIFICATE, &found, f) || read_all(t, &found, ret, f))
		return -1;
	keep_for(ret, public);
	return 0;
}

bool
certificates_alike(const struct certificates *c)
{
	for (size_t i = 1; i < c->n; i++) {
		const EVP_PKEY *a = X509_get0_pubkey(c->items[0].cert);
		const EVP_PKEY *b = X509_get0_pubkey(c->items[i].cert);

		if (!a || !b || !public_equal(a, b))
			return false;
	}
	return true;
}

struct certificate *
certificates_latest(const struct certificates *c)
{
	struct certificate *latest = NULL;

	for (size_t i = 0; i < c->n; i++) {
		struct certificate *one = &c->items[i];

		if (!latest || ASN1_TIME_compare(X509_get0_notAfter(one->cert),
				       X509_get0_notAfter(latest->cert)) > 0)
			latest = one;
	}
	return latest;
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

int
certificate_write(struct token *t, const struct object *key, X509 *cert, struct fault *f)
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
		return fault_prefix(f, "token '%s' does not accept the certificate", t->label);
	}
	return 0;
}
