#include "config.h"

#include "token/inside.h"

#include <string.h>
#include <strings.h>

/* What may stand in a URI; %00 only where bytes are meant. */
static const struct {
	const char *name;
	bool query;
	bool bytes;
} known[] = {
	{"token", false, false},
	{"serial", false, false},
	{"manufacturer", false, false},
	{"model", false, true},
	{"object", false, false},
	{"id", false, true},
	{"type", false, false},
	{"module-path", true, false},
	{"module-name", true, false},
	{"pin-source", true, false},
	{"pin-value", true, false},
};

#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static int
check_part(const char *part, size_t len, bool query, bool *seen, struct fault *f)
{
	const char *equals = memchr(part, '=', len);
	int name_len = equals ? (int)(equals - part) : (int)len;
	size_t i;

	for (i = 0; i < N_KNOWN; i++) {
		if (known[i].query == query && strlen(known[i].name) == (size_t)name_len &&
			strncmp(known[i].name, part, (size_t)name_len) == 0)
			break;
	}
	if (i == N_KNOWN)
		return fault_set(f, FAULT_USAGE,
			"the key's URI has %s '%.*s' that is not known here: use token, serial, "
			"manufacturer, model, object, id, type, and after '?' module-path, "
			"module-name, pin-source",
			query ? "a query" : "an attribute", name_len > 40 ? 40 : name_len, part);
	if (seen[i])
		return fault_set(f, FAULT_USAGE, "the key's URI has '%s' twice", known[i].name);
	seen[i] = true;
	if (!equals || equals + 1 == part + len)
		return fault_set(
			f, FAULT_USAGE, "the key's URI has '%s' without a value", known[i].name);
	if (!known[i].bytes && memmem(part, len, "%00", 3))
		return fault_set(
			f, FAULT_USAGE, "the key's URI has a NUL byte in '%s'", known[i].name);
	return 0;
}

static int
check_parts(const char *at, struct fault *f)
{
	bool seen[N_KNOWN] = {false}, query = false;

	if (*at == '\0')
		return 0;
	for (;;) {
		size_t len = strcspn(at, query ? "&" : ";?");

		/* `pkcs11:?module-path=...` names every token of a module. */
		if ((len > 0 || query || at[len] != '?') && check_part(at, len, query, seen, f))
			return -1;
		if (at[len] == '\0')
			break;
		query |= at[len] == '?';
		at += len + 1;
	}
	return 0;
}

static int
check_values(P11KitUri *uri, struct fault *f)
{
	CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(uri, CKA_ID);
	CK_OBJECT_CLASS value;

	if (p11_kit_uri_any_unrecognized(uri))
		return fault_set(f, FAULT_USAGE,
			"the key's URI has a type that is none of private, public, cert, or a "
			"token, "
			"serial, manufacturer or model that is too long");
	if (class) {
		memcpy(&value, class->pValue, sizeof(value));
		if (value != CKO_PRIVATE_KEY && value != CKO_PUBLIC_KEY && value != CKO_CERTIFICATE)
			return fault_set(f, FAULT_USAGE,
				"the key's URI has a type that is none of private, public, cert");
	}
	if (id && id->ulValueLen > TOKEN_ID_MAX)
		return fault_set(f, FAULT_USAGE, "the key's URI has an id longer than %d bytes",
			TOKEN_ID_MAX);
	if (p11_kit_uri_get_pin_source(uri) && p11_kit_uri_get_pin_value(uri))
		return fault_set(f, FAULT_USAGE,
			"the key's URI has both pin-source and pin-value: leave pin-value out");
	return 0;
}

int
uri_parse(const char *text, P11KitUri **ret_uri, struct fault *f)
{
	AUTO(auto_uri) P11KitUri *uri = NULL;
	size_t len = strnlen(text, TOKEN_URI_MAX + 1);
	int status;

	if (len > TOKEN_URI_MAX)
		return fault_set(f, FAULT_USAGE, "the key's URI is longer than %d characters",
			TOKEN_URI_MAX);
	if (strncasecmp(text, "pkcs11:", 7) != 0)
		return fault_set(f, FAULT_USAGE,
			"the key's URI must begin with 'pkcs11:', like "
			"pkcs11:token=gw;object=device");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] <= 0x20 || text[i] == 0x7f)
			return fault_set(f, FAULT_USAGE,
				"the key's URI has a space or control character: write %%20 for a "
				"space");
	}
	if (check_parts(text + 7, f))
		return -1;
	uri = p11_kit_uri_new();
	if (!uri)
		return fault_nomem(f);
	status = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (status == P11_KIT_URI_NO_MEMORY)
		return fault_nomem(f);
	if (status != P11_KIT_URI_OK)
		return fault_set(f, FAULT_USAGE, "the key's URI does not parse: %s",
			p11_kit_uri_message(status));
	if (check_values(uri, f))
		return -1;
	*ret_uri = TAKE(uri);
	return 0;
}

/* Whether it tells nothing: tpm2-pkcs11 gives every token the same zeros. */
static bool
is_blank(const unsigned char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '0' && text[i] != ' ' && text[i] != '\0')
			return false;
	}
	return true;
}

static bool
set_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	CK_ATTRIBUTE attribute = {type, (void *)(size_t)value, len};

	return p11_kit_uri_set_attribute(uri, &attribute) == P11_KIT_URI_OK;
}

int
uri_format(const struct uri_parts *parts, char **ret_text, struct fault *f)
{
	AUTO(auto_uri) P11KitUri *uri = p11_kit_uri_new();
	AUTO(auto_free) char *text = NULL;
	CK_TOKEN_INFO *info;

	if (!uri)
		return fault_nomem(f);
	info = p11_kit_uri_get_token_info(uri);
	if (parts->token) {
		memcpy(info->label, parts->token->label, sizeof(info->label));
		if (!is_blank(parts->token->serialNumber, sizeof(info->serialNumber)))
			memcpy(info->serialNumber, parts->token->serialNumber,
				sizeof(info->serialNumber));
	}
	if (parts->label && parts->label->ulValueLen > 0 &&
		!set_attribute(uri, CKA_LABEL, parts->label->pValue, parts->label->ulValueLen))
		return fault_nomem(f);
	if (parts->id && parts->id->ulValueLen > 0 &&
		!set_attribute(uri, CKA_ID, parts->id->pValue, parts->id->ulValueLen))
		return fault_nomem(f);
	if (parts->class != CK_UNAVAILABLE_INFORMATION &&
		!set_attribute(uri, CKA_CLASS, &parts->class, sizeof(parts->class)))
		return fault_nomem(f);
	if (parts->module_path)
		p11_kit_uri_set_module_path(uri, parts->module_path);
	if (parts->module_name)
		p11_kit_uri_set_module_name(uri, parts->module_name);
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text) != P11_KIT_URI_OK)
		return fault_nomem(f);
	*ret_text = TAKE(text);
	return 0;
}
