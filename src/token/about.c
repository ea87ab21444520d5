#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>

/* Bytes of the printable character that begins here; 0 for anything that is not UTF-8. */
static size_t
character(const unsigned char *at, size_t left)
{
	unsigned long value = 0;
	int n = UTF8_getc(at, left > 4 ? 4 : (int)left, &value);
	bool control = value < 0x20 || (value >= 0x7f && value < 0xa0);
	bool surrogate = value >= 0xd800 && value < 0xe000;

	return n > 0 && value <= 0x10ffff && !control && !surrogate ? (size_t)n : 0;
}

/* A copy for people: UTF-8, with '?' for every other byte that a token holds. */
char *
about_text(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	char *text = malloc(len + 1);
	size_t used = 0;

	for (size_t i = 0; text && i < len;) {
		size_t n = character(at + i, len - i);

		if (n > 0)
			memcpy(text + used, at + i, n);
		else
			text[used] = '?';
		n += n == 0;
		used += n;
		i += n;
	}
	if (text)
		text[used] = '\0';
	return text;
}

void
about_certificate(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	char *about, size_t size)
{
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault ignored = FAULT_INIT;
	char subject[200];
	struct tm until;

	if (certificate_of(api, session, handle, &cert, &ignored) ||
		!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &until)) {
		snprintf(about, size, "does not parse");
		return;
	}
	certificate_subject(cert, subject, sizeof(subject));
	snprintf(about, size, "%s%suntil %04d-%02d-%02d", subject, *subject ? ", " : "",
		until.tm_year + 1900, until.tm_mon + 1, until.tm_mday);
}

/* "EC P-256" by the name of its curve; false when it has none that OpenSSL knows. */
static bool
name_curve(const CK_ATTRIBUTE *params, char *kind, size_t size)
{
	const unsigned char *at = params->pValue;
	ASN1_OBJECT *oid = at ? d2i_ASN1_OBJECT(NULL, &at, (long)params->ulValueLen) : NULL;
	int nid = oid ? OBJ_obj2nid(oid) : NID_undef;
	const char *name = EC_curve_nid2nist(nid);

	ASN1_OBJECT_free(oid);
	ERR_clear_error();
	if (nid == NID_undef)
		return false;
	snprintf(kind, size, "EC %s", name ? name : OBJ_nid2sn(nid));
	return true;
}

void
about_key(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, char *about,
	size_t size)
{
	CK_ULONG type = attribute_number(api, session, handle, CKA_KEY_TYPE);
	AUTO(auto_attribute) CK_ATTRIBUTE value = {0};
	struct fault ignored = FAULT_INIT;

	snprintf(about, size, "unknown kind");
	if (type != CKK_RSA && type != CKK_EC)
		return;
	attribute_read(api, session, handle, type == CKK_RSA ? CKA_MODULUS : CKA_EC_PARAMS, &value,
		&ignored);
	if (type == CKK_RSA) {
		AUTO(auto_bn) BIGNUM *n = BN_bin2bn(value.pValue, (int)value.ulValueLen, NULL);

		snprintf(about, size, "RSA");
		if (n && BN_num_bits(n) > 0)
			snprintf(about, size, "RSA-%d", BN_num_bits(n));
	} else if (!name_curve(&value, about, size)) {
		snprintf(about, size, "EC");
	}
}
