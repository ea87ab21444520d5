#include "config.h"

#include "token/inside.h"

#include <string.h>
#include <strings.h>

/*
 * What a URI may have. The values of a path are bytes and may be empty, as p11tool writes them for
 * padding and for what has no name; the values of a query are text.
 */
static const struct {
	const char *name;
	bool query;
} known[] = {
	{"token", false},
	{"serial", false},
	{"manufacturer", false},
	{"model", false},
	{"object", false},
	{"id", false},
	{"type", false},
	{"slot-id", false},
	{"slot-description", false},
	{"slot-manufacturer", false},
	{"library-description", false},
	{"library-manufacturer", false},
	{"library-version", false},
	{"module-path", true},
	{"module-name", true},
	{"pin-source", true},
	{"pin-value", true},
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
			"the key's URI has the unknown %s '%.*s': use token, serial, manufacturer, "
			"model, object, id, type, and after '?' module-path, module-name, "
			"pin-source",
			query ? "query" : "attribute", name_len > 40 ? 40 : name_len, part);
	if (seen[i])
		return fault_set(f, FAULT_USAGE, "the key's URI has '%s' twice", known[i].name);
	seen[i] = true;
	if (!equals || (query && equals + 1 == part + len))
		return fault_set(
			f, FAULT_USAGE, "the key's URI has '%s' without a value", known[i].name);
	if (query && memmem(part, len, "%00", 3))
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
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(uri, CKA_LABEL);
	CK_OBJECT_CLASS value;

	if (p11_kit_uri_any_unrecognized(uri))
		return fault_set(f, FAULT_USAGE,
			"the key's URI has a type other than private, public and cert, or a value "
			"that is longer than any token's");
	if (class) {
		memcpy(&value, class->pValue, sizeof(value));
		if (value != CKO_PRIVATE_KEY && value != CKO_PUBLIC_KEY && value != CKO_CERTIFICATE)
			return fault_set(f, FAULT_USAGE,
				"the key's URI has a type other than private, public and cert");
	}
	if ((id && id->ulValueLen > TOKEN_NAME_MAX) ||
		(label && label->ulValueLen > TOKEN_NAME_MAX))
		return fault_set(f, FAULT_USAGE,
			"the key's URI has an id or object longer than %d bytes", TOKEN_NAME_MAX);
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

CK_OBJECT_CLASS
uri_class(P11KitUri *uri)
{
	const CK_ATTRIBUTE *class = p11_kit_uri_get_attribute(uri, CKA_CLASS);
	CK_OBJECT_CLASS value = CK_UNAVAILABLE_INFORMATION;

	if (class)
		memcpy(&value, class->pValue, sizeof(value));
	return value;
}

bool
serial_is_blank(const CK_TOKEN_INFO *info)
{
	for (size_t i = 0; i < sizeof(info->serialNumber); i++) {
		if (!strchr("0 ", info->serialNumber[i])) /* and the NUL at their end */
			return false;
	}
	return true;
}

static bool
set_attribute(P11KitUri *uri, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	/* p11-kit drops an empty value without an address. */
	CK_ATTRIBUTE attribute = {type, (void *)(size_t)(len > 0 ? value : ""), len};

	return p11_kit_uri_set_attribute(uri, &attribute) == P11_KIT_URI_OK;
}

/* The fields that a URI gives, without padding. */
static void
copy_given(CK_TOKEN_INFO *to, const CK_TOKEN_INFO *from)
{
	if (from->label[0])
		field_copy(to->label, from->label, sizeof(to->label));
	if (from->serialNumber[0])
		field_copy(to->serialNumber, from->serialNumber, sizeof(to->serialNumber));
	if (from->model[0])
		field_copy(to->model, from->model, sizeof(to->model));
	if (from->manufacturerID[0])
		field_copy(to->manufacturerID, from->manufacturerID, sizeof(to->manufacturerID));
}

static void
set_token(P11KitUri *uri, const struct uri_parts *parts)
{
	CK_TOKEN_INFO *info = p11_kit_uri_get_token_info(uri);
	const CK_TOKEN_INFO *token = parts->token;

	if (parts->given)
		copy_given(info, parts->given);
	if (!token)
		return;
	field_copy(info->label, token->label, sizeof(info->label));
	if (parts->detail >= URI_MODEL || !serial_is_blank(token))
		field_copy(info->serialNumber, token->serialNumber, sizeof(info->serialNumber));
	if (parts->detail >= URI_MODEL) {
		field_copy(info->model, token->model, sizeof(info->model));
		field_copy(
			info->manufacturerID, token->manufacturerID, sizeof(info->manufacturerID));
	}
	if (parts->detail >= URI_SLOT)
		p11_kit_uri_set_slot_id(uri, parts->slot);
}

int
uri_format(const struct uri_parts *parts, char **ret_text, struct fault *f)
{
	AUTO(auto_uri) P11KitUri *uri = p11_kit_uri_new();
	AUTO(auto_free) char *text = NULL;

	if (!uri)
		return fault_nomem(f);
	set_token(uri, parts);
	/* An empty one is written too: without it the URI also matches objects that have one. */
	if ((parts->label && !set_attribute(uri, CKA_LABEL, parts->label->pValue,
				     parts->label->ulValueLen)) ||
		(parts->id &&
			!set_attribute(uri, CKA_ID, parts->id->pValue, parts->id->ulValueLen)))
		return fault_nomem(f);
	if (parts->class != CK_UNAVAILABLE_INFORMATION &&
		!set_attribute(uri, CKA_CLASS, &parts->class, sizeof(parts->class)))
		return fault_nomem(f);
	if (parts->module_path)
		p11_kit_uri_set_module_path(uri, parts->module_path);
	if (parts->module_name)
		p11_kit_uri_set_module_name(uri, parts->module_name);
	if (p11_kit_uri_format(uri, P11_KIT_URI_FOR_ANY, &text) != P11_KIT_URI_OK)
		return fault_nomem(f);
	*ret_text = TAKE(text);
	return 0;
}
