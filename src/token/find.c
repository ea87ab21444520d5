#include "config.h"

#include "token/inside.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "token/ckr.h"

/* Bytes of one attribute that we read: a certificate is the largest. */
#define ATTRIBUTE_MAX (1u << 20)

/* tpm2-pkcs11 has no busy timeout of its own: another process's write is waited out here. */
#define WRITE_TRIES    40
#define WRITE_PAUSE_MS 25

void
objects_clear(struct objects *objects)
{
	for (size_t i = 0; i < objects->n; i++) {
		free(objects->items[i].label.pValue);
		free(objects->items[i].id.pValue);
	}
	free(objects->items);
	*objects = (struct objects){NULL, 0};
}

int
attribute_read(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type, CK_ATTRIBUTE *ret_value, struct fault *f)
{
	CK_ATTRIBUTE a = {type, NULL, 0};
	CK_RV rv = api->C_GetAttributeValue(session, object, &a, 1);

	*ret_value = (CK_ATTRIBUTE){type, NULL, 0};
	if (rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
		(rv == CKR_OK && (a.ulValueLen == 0 || a.ulValueLen == CK_UNAVAILABLE_INFORMATION)))
		return 0;
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetAttributeValue", rv);
	if (a.ulValueLen > ATTRIBUTE_MAX)
		return fault_set(
			f, FAULT_TOKEN, "the token shows a property of %lu bytes", a.ulValueLen);
	a.pValue = calloc(1, a.ulValueLen);
	if (!a.pValue)
		return fault_nomem(f);
	rv = api->C_GetAttributeValue(session, object, &a, 1);
	if (rv != CKR_OK || a.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
		free(a.pValue);
		return fault_pkcs11(f, "C_GetAttributeValue", rv);
	}
	*ret_value = a;
	return 0;
}

bool
attribute_is_true(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type, bool missing)
{
	CK_BBOOL value = CK_FALSE;
	CK_ATTRIBUTE a = {type, &value, sizeof(value)};

	if (api->C_GetAttributeValue(session, object, &a, 1) != CKR_OK ||
		a.ulValueLen != sizeof(value))
		return missing;
	return value != CK_FALSE;
}

CK_ULONG
attribute_number(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type)
{
	CK_ULONG value = CK_UNAVAILABLE_INFORMATION;
	CK_ATTRIBUTE a = {type, &value, sizeof(value)};

	if (api->C_GetAttributeValue(session, object, &a, 1) != CKR_OK ||
		a.ulValueLen != sizeof(value))
		return CK_UNAVAILABLE_INFORMATION;
	return value;
}

static int
find_handles(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n,
	CK_OBJECT_HANDLE *handles, size_t *ret_n, struct fault *f)
{
	CK_RV rv = api->C_FindObjectsInit(session, template, n);
	CK_ULONG got = 0;

	*ret_n = 0;
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_FindObjectsInit", rv);
	do {
		rv = api->C_FindObjects(session, handles + *ret_n, FOUND_MAX + 1 - *ret_n, &got);
		if (rv == CKR_OK)
			*ret_n += got;
	} while (rv == CKR_OK && got > 0 && *ret_n <= FOUND_MAX);
	api->C_FindObjectsFinal(session);
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_FindObjects", rv);
	if (*ret_n > FOUND_MAX)
		return fault_set(f, FAULT_REFUSED, "the token holds more than %d objects of a kind",
			FOUND_MAX);
	return 0;
}

int
objects_find(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n,
	struct objects *ret_objects, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};
	CK_OBJECT_HANDLE handles[FOUND_MAX + 1];
	size_t n_handles;

	if (find_handles(api, session, template, n, handles, &n_handles, f))
		return -1;
	found.items = calloc(n_handles + 1, sizeof(*found.items));
	if (!found.items)
		return fault_nomem(f);
	for (size_t i = 0; i < n_handles; i++) {
		struct object *o = &found.items[found.n++];

		o->handle = handles[i];
		o->class = attribute_number(api, session, o->handle, CKA_CLASS);
		if (attribute_read(api, session, o->handle, CKA_LABEL, &o->label, f) ||
			attribute_read(api, session, o->handle, CKA_ID, &o->id, f))
			return -1;
	}
	*ret_objects = found;
	found = (struct objects){NULL, 0};
	return 0;
}

int
objects_named(
	struct token *token, CK_OBJECT_CLASS class, struct objects *ret_objects, struct fault *f)
{
	CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
	CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(token->uri, CKA_ID);
	CK_ULONG n = 1;

	if (label)
		template[n++] = *label;
	if (id)
		template[n++] = *id;
	return objects_find(token->module->api, token->session, template, n, ret_objects, f);
}

static const char *
noun(CK_OBJECT_CLASS class)
{
	return class == CKO_CERTIFICATE ? "certificate" : "key";
}

/* ";object=device;id=%01" of each, as far as the fault's text reaches. */
static int
name_all(const struct objects *objects, char *text, size_t size, struct fault *f)
{
	text[0] = '\0';
	for (size_t i = 0; i < objects->n; i++) {
		struct uri_parts parts = {.label = &objects->items[i].label,
			.id = &objects->items[i].id,
			.class = CK_UNAVAILABLE_INFORMATION};
		AUTO(auto_free) char *uri = NULL;
		size_t used = strlen(text);

		if (uri_format(&parts, &uri, f))
			return -1;
		snprintf(text + used, size - used, "%s%s", used ? " " : "", uri + 7);
	}
	return 0;
}

int
object_named(struct token *token, CK_OBJECT_CLASS class, struct objects *ret_one, struct fault *f)
{
	AUTO(objects_clear) struct objects found = {NULL, 0};
	CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(token->uri, CKA_LABEL);
	char text[160];

	if (objects_named(token, class, &found, f))
		return -1;
	if (found.n == 0 && label)
		return fault_set(f, FAULT_NOTFOUND,
			"token '%s' has no %s '%.*s' that the URI matches", token->label,
			noun(class), (int)label->ulValueLen, (const char *)label->pValue);
	if (found.n == 0)
		return fault_set(f, FAULT_NOTFOUND, "token '%s' has no %s that the URI matches",
			token->label, noun(class));
	if (found.n > 1) {
		if (name_all(&found, text, sizeof(text), f))
			return -1;
		return fault_set(f, FAULT_AMBIGUOUS, "the URI matches %zu %ss, name one of: %s",
			found.n, noun(class), text);
	}
	*ret_one = found;
	found = (struct objects){NULL, 0};
	return 0;
}

/* A write that failed for a reason that passes: first what a login mends, then patience. */
static bool
try_again(struct token *token, CK_RV rv, int tries)
{
	struct timespec pause = {0, WRITE_PAUSE_MS * 1000000L};
	struct fault ignored = FAULT_INIT;

	if (!login_may_mend(rv) || tries >= WRITE_TRIES)
		return false;
	if (tries == 0)
		return token_relogin(token, &ignored) == 0;
	return token->module->tpm && nanosleep(&pause, NULL) == 0;
}

CK_RV
object_create(struct token *token, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *ret_handle)
{
	CK_RV rv;
	int tries = 0;

	do
		rv = token->module->api->C_CreateObject(token->session, template, n, ret_handle);
	while (rv != CKR_OK && try_again(token, rv, tries++));
	return rv;
}

CK_RV
object_destroy(struct token *token, CK_OBJECT_HANDLE handle)
{
	CK_RV rv;
	int tries = 0;

	do
		rv = token->module->api->C_DestroyObject(token->session, handle);
	while (rv != CKR_OK && try_again(token, rv, tries++));
	return rv;
}
