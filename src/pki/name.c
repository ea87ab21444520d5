#include "config.h"

#include "pki/name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/auto.h"

#define ATTRIBUTES_MAX 16
#define VALUE_MAX      1024

/* Copies a value up to the next '/' that no '\' stands before; *at then points behind it. */
static int
take_value(const char **at, char *value, size_t size, struct fault *f)
{
	size_t n = 0;
	const char *p = *at;

	while (*p && *p != '/') {
		if (*p == '\\' && p[1])
			p++;
		if (n + 1 >= size)
			return fault_set(
				f, FAULT_USAGE, "a value in the name is longer than %zu", size - 1);
		value[n++] = *p++;
	}
	value[n] = '\0';
	*at = p;
	return 0;
}

static bool
has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	}
	return false;
}

static int
add_attribute(X509_NAME *name, const char *type, const char *value, struct fault *f)
{
	int nid = OBJ_txt2nid(type);

	if (nid == NID_undef)
		return fault_set(f, FAULT_USAGE,
			"'%s' is no attribute of a name: use CN, O, OU, C, ST, L, serialNumber ...",
			type);
	if (!*value)
		return fault_set(f, FAULT_USAGE, "'%s' in the name has no value", type);
	if (has_control(value))
		return fault_set(f, FAULT_USAGE, "'%s' in the name has control characters", type);
	/* OpenSSL's table of strings holds the bounds and the kinds of RFC 5280. */
	if (!X509_NAME_add_entry_by_NID(
		    name, nid, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0))
		return fault_openssl(f, FAULT_USAGE, "%s=%s cannot be encoded", type, value);
	return 0;
}

int
name_parse(const char *text, X509_NAME **ret_name, struct fault *f)
{
	AUTO(auto_x509_name) X509_NAME *name = X509_NAME_new();
	const char *at = text;
	char type[64], value[VALUE_MAX + 1];

	if (!name)
		return fault_nomem(f);
	if (*at != '/')
		return fault_set(f, FAULT_USAGE,
			"the name '%s' must begin with '/', as in /CN=gw1/O=Acme", text);
	for (int i = 0; *at; i++) {
		size_t len = strcspn(++at, "=/");

		if (i == ATTRIBUTES_MAX)
			return fault_set(f, FAULT_USAGE, "the name has more than %d attributes",
				ATTRIBUTES_MAX);
		if (len == 0 || len >= sizeof(type) || at[len] != '=')
			return fault_set(f, FAULT_USAGE,
				"the name '%s' has a part that is not TYPE=VALUE", text);
		memcpy(type, at, len);
		type[len] = '\0';
		at += len + 1;
		if (take_value(&at, value, sizeof(value), f) || add_attribute(name, type, value, f))
			return -1;
	}
	*ret_name = TAKE(name);
	return 0;
}

/* Letters, digits and inner dashes, 1..63; RFC 1123 section 2.1. */
static bool
is_label(const char *label, size_t len)
{
	if (len < 1 || len > 63 || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)label[i]) && label[i] != '-')
			return false;
	}
	return true;
}

static bool
is_dns(const char *text)
{
	if (strlen(text) > 253)
		return false;
	if (strncmp(text, "*.", 2) == 0)
		text += 2;
	for (;;) {
		size_t len = strcspn(text, ".");

		if (!is_label(text, len))
			return false;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static bool
is_graphic(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f)
			return false;
	}
	return true;
}

/* A scheme, a colon and something behind it; RFC 3986 section 3.1. */
static bool
is_uri(const char *text)
{
	size_t len = strcspn(text, ":");

	if (!isalpha((unsigned char)*text) || !text[len] || !text[len + 1] || !is_graphic(text))
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") ==
	       len;
}

static bool
is_email(const char *text)
{
	const char *at = strrchr(text, '@');

	return at && at > text && is_graphic(text) && is_dns(at + 1) && at[1] != '*' &&
	       strcspn(text, "\"(),:;<>@[\\]") == (size_t)(at - text);
}

static GENERAL_NAME *
make_text(int type, const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();

	if (!name || !string || !ASN1_STRING_set(string, text, -1)) {
		GENERAL_NAME_free(name);
		ASN1_IA5STRING_free(string);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, type, string);
	return name;
}

static GENERAL_NAME *
make_ip(const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);

	if (!name || !address) {
		GENERAL_NAME_free(name);
		ASN1_OCTET_STRING_free(address);
		return NULL;
	}
	GENERAL_NAME_set0_value(name, GEN_IPADD, address);
	return name;
}

static bool
is_ip(const char *text)
{
	unsigned char address[16];

	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static const struct {
	const char *prefix;
	int type;
	bool (*is_valid)(const char *text);
} kinds[] = {
	{"dns:", GEN_DNS, is_dns},
	{"ip:", GEN_IPADD, is_ip},
	{"uri:", GEN_URI, is_uri},
	{"email:", GEN_EMAIL, is_email},
};

static int
parse_alternative(const char *item, GENERAL_NAME **ret_name, struct fault *f)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t len = strlen(kinds[i].prefix);
		GENERAL_NAME *name;

		if (strncmp(item, kinds[i].prefix, len) != 0)
			continue;
		if (!kinds[i].is_valid(item + len))
			return fault_set(
				f, FAULT_USAGE, "'%s' is not valid as an alternative name", item);
		name = kinds[i].type == GEN_IPADD ? make_ip(item + len)
						  : make_text(kinds[i].type, item + len);
		if (!name)
			return fault_nomem(f);
		*ret_name = name;
		return 0;
	}
	return fault_set(f, FAULT_USAGE,
		"the alternative name '%s' does not begin with dns:, ip:, uri: or email:", item);
}

int
name_parse_alternatives(char *const *items, size_t n, GENERAL_NAMES **ret_names, struct fault *f)
{
	AUTO(auto_general_names) GENERAL_NAMES *names = NULL;

	for (size_t i = 0; i < n; i++) {
		GENERAL_NAME *name;

		if (!names && !(names = sk_GENERAL_NAME_new_null()))
			return fault_nomem(f);
		if (parse_alternative(items[i], &name, f))
			return -1;
		if (!sk_GENERAL_NAME_push(names, name)) {
			GENERAL_NAME_free(name);
			return fault_nomem(f);
		}
	}
	*ret_names = TAKE(names);
	return 0;
}

int
name_text(const X509_NAME *name, char **ret_text, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	if (!bio)
		return fault_nomem(f);
	if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0)
		return fault_openssl(f, FAULT_CRYPTO, "cannot print the name");
	len = BIO_get_mem_data(bio, &data);
	text = strndup(len > 0 ? data : "", len > 0 ? (size_t)len : 0);
	if (!text)
		return fault_nomem(f);
	*ret_text = text;
	return 0;
}
