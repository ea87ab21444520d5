/* attrs: lists of attributes. Knows which attributes there are and what form their values have. */
#include "config.h"

#include "mock.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VALUE 1048576
#define MAX_ATTRS 64

/* clang-format off */
#define BOOLS(X) \
	X(TOKEN) X(PRIVATE) X(MODIFIABLE) X(TRUSTED) X(SENSITIVE) X(ENCRYPT) X(DECRYPT) X(WRAP) \
	X(UNWRAP) X(SIGN) X(SIGN_RECOVER) X(VERIFY) X(VERIFY_RECOVER) X(DERIVE) X(EXTRACTABLE) \
	X(LOCAL) X(NEVER_EXTRACTABLE) X(ALWAYS_SENSITIVE) X(ALWAYS_AUTHENTICATE) \
	X(WRAP_WITH_TRUSTED) X(COPYABLE) X(DESTROYABLE)
#define NUMBERS(X) \
	X(CLASS) X(CERTIFICATE_TYPE) X(CERTIFICATE_CATEGORY) X(KEY_TYPE) X(MODULUS_BITS) \
	X(JAVA_MIDP_SECURITY_DOMAIN) X(KEY_GEN_MECHANISM)
#define BYTES(X) \
	X(LABEL) X(APPLICATION) X(VALUE) X(OBJECT_ID) X(ISSUER) X(SERIAL_NUMBER) X(URL) \
	X(HASH_OF_SUBJECT_PUBLIC_KEY) X(HASH_OF_ISSUER_PUBLIC_KEY) X(CHECK_VALUE) X(SUBJECT) \
	X(ID) X(START_DATE) X(END_DATE) X(MODULUS) X(PUBLIC_EXPONENT) X(EC_PARAMS) X(EC_POINT) \
	X(ALLOWED_MECHANISMS) X(PUBLIC_KEY_INFO)
/* clang-format on */

/* Whether a template may have the attribute with a value of this length. */
static CK_RV
check_value(CK_ATTRIBUTE_TYPE type, const void *bytes, CK_ULONG len)
{
	CK_ULONG want;

	switch (type) {
#define X(name) case CKA_##name:
		BOOLS(X)
		want = sizeof(CK_BBOOL);
		break;
		NUMBERS(X)
		want = sizeof(CK_ULONG);
		break;
		BYTES(X)
#undef X
		want = len <= MAX_VALUE ? len : 0;
		break;
	default:
		return CKR_ATTRIBUTE_TYPE_INVALID;
	}
	if (len != want || (len > 0 && !bytes))
		return CKR_ATTRIBUTE_VALUE_INVALID;
	return CKR_OK;
}

static CK_ATTRIBUTE *
find(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type)
{
	for (size_t i = 0; i < attrs->n; i++)
		if (attrs->list[i].type == type)
			return &attrs->list[i];
	return NULL;
}

CK_RV
attrs_set(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, const void *bytes, size_t len)
{
	CK_ATTRIBUTE *attr = find(attrs, type), *list;
	void *copy;

	if (!attr && attrs->n == MAX_ATTRS)
		return CKR_DEVICE_MEMORY;
	copy = malloc(len + 1);
	if (!copy)
		return CKR_HOST_MEMORY;
	if (len > 0)
		memcpy(copy, bytes, len);
	if (attr) {
		free(attr->pValue);
	} else {
		list = realloc(attrs->list, (attrs->n + 1) * sizeof(*list));
		if (!list) {
			free(copy);
			return CKR_HOST_MEMORY;
		}
		attrs->list = list;
		attr = &list[attrs->n++];
	}
	*attr = (CK_ATTRIBUTE){type, copy, len};
	return CKR_OK;
}

CK_RV
attrs_set_ulong(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG number)
{
	return attrs_set(attrs, type, &number, sizeof(number));
}

CK_RV
attrs_set_bool(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool yes)
{
	CK_BBOOL value = yes ? CK_TRUE : CK_FALSE;

	return attrs_set(attrs, type, &value, sizeof(value));
}

CK_RV
attrs_preset(struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool yes)
{
	return find(attrs, type) ? CKR_OK : attrs_set_bool(attrs, type, yes);
}

const CK_ATTRIBUTE *
attrs_get(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type)
{
	return find(attrs, type);
}

CK_ULONG
attrs_ulong(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type, CK_ULONG preset)
{
	const CK_ATTRIBUTE *attr = find(attrs, type);

	if (attr && attr->ulValueLen == sizeof(preset))
		memcpy(&preset, attr->pValue, sizeof(preset));
	return preset;
}

bool
attrs_bool(const struct attrs *attrs, CK_ATTRIBUTE_TYPE type, bool preset)
{
	const CK_ATTRIBUTE *attr = find(attrs, type);

	return attr && attr->ulValueLen == sizeof(CK_BBOOL) ? *(CK_BBOOL *)attr->pValue != CK_FALSE
							    : preset;
}

CK_RV
attrs_add(struct attrs *attrs, const CK_ATTRIBUTE *template, CK_ULONG n)
{
	CK_RV rv;

	if (n > 0 && !template)
		return CKR_ARGUMENTS_BAD;
	for (CK_ULONG i = 0; i < n; i++) {
		rv = check_value(template[i].type, template[i].pValue, template[i].ulValueLen);
		if (rv == CKR_OK)
			rv = attrs_set(attrs, template[i].type, template[i].pValue,
				template[i].ulValueLen);
		if (rv != CKR_OK)
			return rv;
	}
	return CKR_OK;
}

void
attrs_clear(struct attrs *attrs)
{
	for (size_t i = 0; i < attrs->n; i++)
		free(attrs->list[i].pValue);
	free(attrs->list);
	*attrs = (struct attrs){NULL, 0};
}
