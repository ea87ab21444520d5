#include "config.h"

#include "pki/identity.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/auto.h"
#include "pki/name.h"

static int
check_cn(X509 *cert, const char *wanted, struct fault *f)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	AUTO(auto_openssl) unsigned char *text = NULL;
	int len;

	if (at < 0)
		return fault_set(f, FAULT_INVALID, "the certificate has no common name");
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return fault_set(f, FAULT_INVALID, "the certificate has several common names");
	len = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (len < 0)
		return fault_openssl(f, FAULT_INVALID, "the common name cannot be read");
	if (memchr(text, '\0', (size_t)len))
		return fault_set(f, FAULT_INVALID, "the common name has a NUL in it");
	if ((size_t)len != strlen(wanted) || memcmp(text, wanted, (size_t)len) != 0)
		return fault_set(f, FAULT_INVALID, "the common name is another one");
	return 0;
}

static int
check_alternatives(X509 *cert, int type, const char *wanted, struct fault *f)
{
	AUTO(auto_general_names) GENERAL_NAMES *names = NULL;
	const char *what = type == GEN_DNS ? "DNS" : "URI";
	bool found = false;
	int critical;

	names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
	ERR_clear_error();
	if (!names)
		return fault_set(f, FAULT_INVALID, "the certificate has %s",
			critical == -1 ? "no alternative names"
				       : "alternative names that cannot be read");
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int kind;
		const ASN1_STRING *name =
			GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &kind);
		const unsigned char *data;
		size_t len;

		if (kind != type)
			continue;
		data = ASN1_STRING_get0_data(name);
		len = (size_t)ASN1_STRING_length(name);
		if (len && memchr(data, '\0', len))
			return fault_set(f, FAULT_INVALID, "a %s name has a NUL in it", what);
		if (len == strlen(wanted) && memcmp(data, wanted, len) == 0)
			found = true;
	}
	return found ? 0 : fault_set(f, FAULT_INVALID, "none of its %s names is that", what);
}

int
identity_check(X509 *cert, enum identity where, const char *wanted, struct fault *f)
{
	switch (where) {
	case IDENTITY_DNS:
		return check_alternatives(cert, GEN_DNS, wanted, f);
	case IDENTITY_URI:
		return check_alternatives(cert, GEN_URI, wanted, f);
	default:
		return check_cn(cert, wanted, f);
	}
}
