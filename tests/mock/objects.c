/* objects: what lies in the token: finding, reading, changing, creating, destroying. */
#include "config.h"

#include "mock.h"

#include <stdlib.h>
#include <string.h>

#define MAX_OBJECTS 4096
/* Ids stay below this; the rest of a private object's handle is the epoch of its slot. */
#define EPOCH 0x100000UL

static bool
is_private(const struct object *object)
{
	return attrs_bool(&object->attrs, CKA_PRIVATE, false);
}

CK_OBJECT_HANDLE
object_handle(const struct object *object)
{
	return object->id + (is_private(object) ? mock.slots[object->slot].epoch * EPOCH : 0);
}

static bool
is_visible(const struct session *session, const struct object *object)
{
	return object->slot == session->slot && (!is_private(object) || session_is_user(session));
}

CK_RV
object_find(const struct session *session, CK_OBJECT_HANDLE handle, struct object **ret_object)
{
	for (size_t i = 0; i < mock.n_objects; i++) {
		struct object *object = &mock.objects[i];

		if (object->slot != session->slot || object_handle(object) != handle)
			continue;
		if (!is_visible(session, object))
			return CKR_USER_NOT_LOGGED_IN;
		*ret_object = object;
		return CKR_OK;
	}
	return CKR_OBJECT_HANDLE_INVALID;
}

CK_RV
object_may_write(const struct session *session, const struct attrs *attrs)
{
	if (attrs_bool(attrs, CKA_TOKEN, false) && !(session->flags & CKF_RW_SESSION))
		return CKR_SESSION_READ_ONLY;
	if (attrs_bool(attrs, CKA_PRIVATE, false) && !session_is_user(session))
		return CKR_USER_NOT_LOGGED_IN;
	return CKR_OK;
}

CK_RV
object_add(struct session *session, struct attrs *attrs, CK_OBJECT_HANDLE *ret_handle)
{
	bool is_token = attrs_bool(attrs, CKA_TOKEN, false);
	struct object *objects;

	if (mock.n_objects == MAX_OBJECTS || mock.last_id + 1 >= EPOCH)
		return CKR_DEVICE_MEMORY;
	objects = realloc(mock.objects, (mock.n_objects + 1) * sizeof(*objects));
	if (!objects)
		return CKR_HOST_MEMORY;
	mock.objects = objects;
	objects[mock.n_objects] = (struct object){.id = ++mock.last_id,
		.slot = session->slot,
		.session = is_token ? 0 : session->handle,
		.attrs = *attrs};
	*attrs = (struct attrs){NULL, 0};
	*ret_handle = object_handle(&objects[mock.n_objects++]);
	mock.dirty = true;
	return CKR_OK;
}

void
object_remove(size_t index)
{
	attrs_clear(&mock.objects[index].attrs);
	mock.n_objects--;
	memmove(&mock.objects[index], &mock.objects[index + 1],
		(mock.n_objects - index) * sizeof(*mock.objects));
	mock.dirty = true;
}

void
objects_remove_of_session(CK_SESSION_HANDLE session)
{
	for (size_t i = mock.n_objects; i-- > 0;)
		if (mock.objects[i].session == session)
			object_remove(i);
}

static CK_RV
complete_certificate(struct attrs *attrs)
{
	if (attrs_ulong(attrs, CKA_CERTIFICATE_TYPE, ~0UL) != CKC_X_509)
		return attrs_get(attrs, CKA_CERTIFICATE_TYPE) ? CKR_ATTRIBUTE_VALUE_INVALID
							      : CKR_TEMPLATE_INCOMPLETE;
	if (!attrs_get(attrs, CKA_VALUE) || !attrs_get(attrs, CKA_SUBJECT))
		return CKR_TEMPLATE_INCOMPLETE;
	return attrs_preset(attrs, CKA_TRUSTED, false);
}

static CK_RV
create(struct session *session, struct attrs *attrs, CK_OBJECT_HANDLE *ret_handle)
{
	CK_OBJECT_CLASS object_class = attrs_ulong(attrs, CKA_CLASS, ~0UL);
	CK_RV rv;

	if (!attrs_get(attrs, CKA_CLASS))
		return CKR_TEMPLATE_INCOMPLETE;
	if (object_class != CKO_CERTIFICATE && object_class != CKO_DATA)
		return CKR_ATTRIBUTE_VALUE_INVALID;
	rv = object_class == CKO_CERTIFICATE ? complete_certificate(attrs) : CKR_OK;
	if (rv == CKR_OK)
		rv = attrs_preset(attrs, CKA_TOKEN, false);
	if (rv == CKR_OK)
		rv = attrs_preset(attrs, CKA_PRIVATE, object_class == CKO_DATA);
	if (rv == CKR_OK)
		rv = attrs_preset(attrs, CKA_MODIFIABLE, true);
	if (rv == CKR_OK)
		rv = object_may_write(session, attrs);
	return rv == CKR_OK ? object_add(session, attrs, ret_handle) : rv;
}

static CK_RV
create_object(CK_SESSION_HANDLE handle, const CK_ATTRIBUTE *template, CK_ULONG n,
	CK_OBJECT_HANDLE *ret_handle)
{
	struct attrs attrs = {NULL, 0};
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (!ret_handle)
		return CKR_ARGUMENTS_BAD;
	rv = attrs_add(&attrs, template, n);
	if (rv == CKR_OK)
		rv = create(session, &attrs, ret_handle);
	attrs_clear(&attrs);
	return rv;
}

static CK_RV
destroy_object(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE which)
{
	struct session *session;
	struct object *object;
	CK_RV rv = session_find(handle, &session);

	if (rv == CKR_OK)
		rv = object_find(session, which, &object);
	if (rv == CKR_OK)
		rv = object_may_write(session, &object->attrs);
	if (rv == CKR_OK)
		object_remove((size_t)(object - mock.objects));
	return rv;
}

/* One attribute of a C_GetAttributeValue. */
static CK_RV
read_attribute(const struct attrs *attrs, CK_ATTRIBUTE *want)
{
	const CK_ATTRIBUTE *have;
	bool is_key = attrs_get(attrs, MOCK_CKA_PKCS8) != NULL;

	switch (want->type) {
	case CKA_VALUE:
	case CKA_PRIVATE_EXPONENT:
	case CKA_PRIME_1:
	case CKA_PRIME_2:
	case CKA_EXPONENT_1:
	case CKA_EXPONENT_2:
	case CKA_COEFFICIENT:
		if (is_key) {
			want->ulValueLen = CK_UNAVAILABLE_INFORMATION;
			return CKR_ATTRIBUTE_SENSITIVE;
		}
		break;
	}
	have = want->type == MOCK_CKA_PKCS8 ? NULL : attrs_get(attrs, want->type);
	if (!have) {
		want->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	if (want->pValue && want->ulValueLen < have->ulValueLen) {
		want->ulValueLen = CK_UNAVAILABLE_INFORMATION;
		return CKR_BUFFER_TOO_SMALL;
	}
	if (want->pValue)
		memcpy(want->pValue, have->pValue, have->ulValueLen);
	want->ulValueLen = have->ulValueLen;
	return CKR_OK;
}

static CK_RV
get_attributes(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE which, CK_ATTRIBUTE *template, CK_ULONG n)
{
	struct session *session;
	struct object *object;
	CK_RV rv = session_find(handle, &session), one;

	if (rv == CKR_OK)
		rv = object_find(session, which, &object);
	if (rv == CKR_OK && !template)
		rv = CKR_ARGUMENTS_BAD;
	if (rv != CKR_OK)
		return rv;
	for (CK_ULONG i = 0; i < n; i++) {
		one = read_attribute(&object->attrs, &template[i]);
		if (rv == CKR_OK)
			rv = one;
	}
	return rv;
}

static CK_RV
set_attributes(
	CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE which, const CK_ATTRIBUTE *template, CK_ULONG n)
{
	struct session *session;
	struct object *object;
	CK_RV rv = session_find(handle, &session);

	if (rv == CKR_OK)
		rv = object_find(session, which, &object);
	if (rv == CKR_OK)
		rv = object_may_write(session, &object->attrs);
	if (rv == CKR_OK && !template)
		rv = CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; rv == CKR_OK && i < n; i++)
		if (template[i].type != CKA_LABEL && template[i].type != CKA_ID &&
			template[i].type != CKA_SUBJECT)
			rv = CKR_ATTRIBUTE_READ_ONLY;
	if (rv != CKR_OK)
		return rv;
	mock.dirty = true;
	return attrs_add(&object->attrs, template, n);
}

static bool
matches(const struct attrs *attrs, const CK_ATTRIBUTE *template, CK_ULONG n)
{
	for (CK_ULONG i = 0; i < n; i++) {
		const CK_ATTRIBUTE *have = attrs_get(attrs, template[i].type);

		if (!have || template[i].type == MOCK_CKA_PKCS8 ||
			have->ulValueLen != template[i].ulValueLen ||
			(have->ulValueLen > 0 &&
				memcmp(have->pValue, template[i].pValue, have->ulValueLen) != 0))
			return false;
	}
	return true;
}

static CK_RV
start_search(CK_SESSION_HANDLE handle, const CK_ATTRIBUTE *template, CK_ULONG n)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv != CKR_OK)
		return rv;
	if (n > 0 && !template)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < n; i++)
		if (template[i].ulValueLen > 0 && !template[i].pValue)
			return CKR_ATTRIBUTE_VALUE_INVALID;
	if (session->search.active)
		return CKR_OPERATION_ACTIVE;
	session->search = (struct search){
		.active = true, .found = calloc(mock.n_objects + 1, sizeof(CK_OBJECT_HANDLE))};
	if (!session->search.found) {
		session->search.active = false;
		return CKR_HOST_MEMORY;
	}
	for (size_t i = 0; i < mock.n_objects; i++)
		if (is_visible(session, &mock.objects[i]) &&
			matches(&mock.objects[i].attrs, template, n))
			session->search.found[session->search.n++] =
				object_handle(&mock.objects[i]);
	return CKR_OK;
}

static CK_RV
go_on_searching(
	CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *ret_count)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);
	struct search *search;

	if (rv != CKR_OK)
		return rv;
	search = &session->search;
	if (!search->active)
		return CKR_OPERATION_NOT_INITIALIZED;
	if (!found || !ret_count)
		return CKR_ARGUMENTS_BAD;
	for (*ret_count = 0; *ret_count < max && search->next < search->n; (*ret_count)++)
		found[*ret_count] = search->found[search->next++];
	return CKR_OK;
}

static CK_RV
end_search(CK_SESSION_HANDLE handle)
{
	struct session *session;
	CK_RV rv = session_find(handle, &session);

	if (rv == CKR_OK && !session->search.active)
		rv = CKR_OPERATION_NOT_INITIALIZED;
	if (rv == CKR_OK)
		session_end_search(session);
	return rv;
}

/* The class in a template or of an object, for the log. */
static const char *
class_in(const CK_ATTRIBUTE *template, CK_ULONG n)
{
	CK_OBJECT_CLASS object_class = ~0UL;

	for (CK_ULONG i = 0; template && i < n; i++)
		if (template[i].type == CKA_CLASS && template[i].pValue &&
			template[i].ulValueLen == sizeof(object_class))
			memcpy(&object_class, template[i].pValue, sizeof(object_class));
	return name_of_class(object_class);
}

CK_RV
C_CreateObject(
	CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n, CK_OBJECT_HANDLE *object)
{
	return CALL(
		C_CreateObject, class_in(template, n), create_object(session, template, n, object));
}

CK_RV
C_DestroyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object)
{
	return CALL(C_DestroyObject, NULL, destroy_object(session, object));
}

CK_RV
C_GetAttributeValue(
	CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
	return CALL(C_GetAttributeValue, NULL, get_attributes(session, object, template, n));
}

CK_RV
C_SetAttributeValue(
	CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *template, CK_ULONG n)
{
	return CALL(C_SetAttributeValue, NULL, set_attributes(session, object, template, n));
}

CK_RV
C_FindObjectsInit(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG n)
{
	return CALL(C_FindObjectsInit, NULL, start_search(session, template, n));
}

CK_RV
C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *found, CK_ULONG max, CK_ULONG *count)
{
	return CALL(C_FindObjects, NULL, go_on_searching(session, found, max, count));
}

CK_RV
C_FindObjectsFinal(CK_SESSION_HANDLE session)
{
	return CALL(C_FindObjectsFinal, NULL, end_search(session));
}
