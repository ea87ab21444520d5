#include "config.h"

#include "token/inside.h"

#include <string.h>
#include <time.h>

#include "token/ckr.h"

/* Bytes of one attribute that we read: a certificate is the largest. */
#define ATTRIBUTE_MAX (1u << 20)

/* tpm2-pkcs11 has no busy timeout of its own: another process's write is waited out here. */
#define WRITE_TRIES    40
#define WRITE_PAUSE_MS 25

/* The object has no such attribute, or keeps it to itself. */
static bool
is_not_shown(CK_RV rv)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE;
}

int
attribute_read(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
	CK_ATTRIBUTE_TYPE type, CK_ATTRIBUTE *ret_value, struct fault *f)
{
	CK_ATTRIBUTE a = {type, NULL, 0};
	CK_RV rv = api->C_GetAttributeValue(session, object, &a, 1);

	*ret_value = (CK_ATTRIBUTE){type, NULL, 0};
	if (is_not_shown(rv) ||
		(rv == CKR_OK && (a.ulValueLen == 0 || a.ulValueLen == CK_UNAVAILABLE_INFORMATION)))
		return 0;
	if (rv != CKR_OK)
		return fault_pkcs11(f, "C_GetAttributeValue", rv);
	if (a.ulValueLen > ATTRIBUTE_MAX)
		return fault_set(
			f, FAULT_TOKEN, "the token shows an attribute of %lu bytes", a.ulValueLen);
	a.pValue = calloc(1, a.ulValueLen);
	if (!a.pValue)
		return fault_nomem(f);
	rv = api->C_GetAttributeValue(session, object, &a, 1);
	if (rv != CKR_OK || a.ulValueLen == CK_UNAVAILABLE_INFORMATION) {
		free(a.pValue);
		/* Some tokens tell the length of what they do not show. */
		return is_not_shown(rv) ? 0 : fault_pkcs11(f, "C_GetAttributeValue", rv);
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

int
object_read(CK_FUNCTION_LIST *api, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle,
	struct object *ret_object, struct fault *f)
{
	AUTO(auto_attribute) CK_ATTRIBUTE label = {0}, id = {0};

	if (attribute_read(api, session, handle, CKA_LABEL, &label, f) ||
		attribute_read(api, session, handle, CKA_ID, &id, f))
		return -1;
	*ret_object = (struct object){
		.handle = handle,
		.class = attribute_number(api, session, handle, CKA_CLASS),
		.label = label,
		.id = id,
	};
	label.pValue = id.pValue = NULL;
	return 0;
}

void
object_clear(struct object *object)
{
	free(object->label.pValue);
	free(object->id.pValue);
	*object = (struct object){0};
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
