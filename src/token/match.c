#include "config.h"

#include "token/inside.h"

#include <stddef.h>
#include <string.h>

/* The fields of a token that a URI may give. */
static const struct field {
	size_t offset, size;
} fields[] = {
	{offsetof(CK_TOKEN_INFO, label), 32},
	{offsetof(CK_TOKEN_INFO, serialNumber), 16},
	{offsetof(CK_TOKEN_INFO, model), 16},
	{offsetof(CK_TOKEN_INFO, manufacturerID), 32},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

size_t
field_len(const unsigned char *field, size_t size)
{
	size_t n = strnlen((const char *)field, size);

	while (n > 0 && field[n - 1] == ' ')
		n--;
	return n;
}

void
field_copy(unsigned char *to, const unsigned char *from, size_t size)
{
	size_t n = field_len(from, size);

	memset(to, ' ', size);
	memcpy(to, from, n);
}

bool
field_equal(const unsigned char *a, const unsigned char *b, size_t size)
{
	size_t n = field_len(a, size);

	return n == field_len(b, size) && memcmp(a, b, n) == 0;
}

/* p11-kit leaves NULs where a URI gives nothing. */
static bool
is_given(const unsigned char *wanted)
{
	return wanted[0] != '\0';
}

static bool
field_matches(const unsigned char *wanted, const unsigned char *have, size_t size)
{
	return !is_given(wanted) || field_equal(wanted, have, size);
}

static const unsigned char *
value_of(const CK_TOKEN_INFO *info, const struct field *field)
{
	return (const unsigned char *)info + field->offset;
}

bool
uri_matches_token(P11KitUri *uri, const CK_TOKEN_INFO *info)
{
	const CK_TOKEN_INFO *wanted = p11_kit_uri_get_token_info(uri);

	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!field_matches(value_of(wanted, &fields[i]), value_of(info, &fields[i]),
			    fields[i].size))
			return false;
	}
	return true;
}

bool
uri_matches_module(P11KitUri *uri, CK_FUNCTION_LIST *api)
{
	const CK_INFO *wanted = p11_kit_uri_get_module_info(uri);
	const CK_VERSION *version = &wanted->libraryVersion;
	bool any_version = version->major == (CK_BYTE)-1 && version->minor == (CK_BYTE)-1;
	CK_INFO have;

	if (!is_given(wanted->libraryDescription) && !is_given(wanted->manufacturerID) &&
		any_version)
		return true;
	return api->C_GetInfo(&have) == CKR_OK &&
	       field_matches(wanted->libraryDescription, have.libraryDescription,
		       sizeof(have.libraryDescription)) &&
	       field_matches(
		       wanted->manufacturerID, have.manufacturerID, sizeof(have.manufacturerID)) &&
	       (any_version || (version->major == have.libraryVersion.major &&
				       version->minor == have.libraryVersion.minor));
}

bool
uri_matches_slot(P11KitUri *uri, CK_FUNCTION_LIST *api, CK_SLOT_ID slot)
{
	const CK_SLOT_INFO *wanted = p11_kit_uri_get_slot_info(uri);
	CK_SLOT_ID id = p11_kit_uri_get_slot_id(uri);
	CK_SLOT_INFO have;

	if (id != (CK_SLOT_ID)-1 && id != slot)
		return false;
	if (!is_given(wanted->slotDescription) && !is_given(wanted->manufacturerID))
		return true;
	return api->C_GetSlotInfo(slot, &have) == CKR_OK &&
	       field_matches(wanted->slotDescription, have.slotDescription,
		       sizeof(have.slotDescription)) &&
	       field_matches(
		       wanted->manufacturerID, have.manufacturerID, sizeof(have.manufacturerID));
}

/* Whether some token has this field as the URI gives it. */
static bool
is_there(const CK_TOKEN_INFO *wanted, const struct places *places, const struct field *field)
{
	for (size_t i = 0; i < places->n; i++) {
		if (field_matches(value_of(wanted, field), value_of(&places->items[i].info, field),
			    field->size))
			return true;
	}
	return false;
}

CK_TOKEN_INFO
uri_unmatched(P11KitUri *uri, const struct places *places)
{
	const CK_TOKEN_INFO *wanted = p11_kit_uri_get_token_info(uri);
	CK_TOKEN_INFO unmatched;
	bool any = false;

	memset(&unmatched, 0, sizeof(unmatched));
	for (size_t i = 0; i < N_FIELDS; i++) {
		const unsigned char *value = value_of(wanted, &fields[i]);

		if (!is_given(value) || is_there(wanted, places, &fields[i]))
			continue;
		memcpy((unsigned char *)&unmatched + fields[i].offset, value, fields[i].size);
		any = true;
	}
	if (any)
		return unmatched;
	for (size_t i = 0; i < places->n; i++) {
		if (uri_matches_token(uri, &places->items[i].info))
			return unmatched;
	}
	/* Each field alone is some token's: it is their combination that is not there. */
	return *wanted;
}
