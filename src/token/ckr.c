#include "config.h"

#include "token/ckr.h"

#include <stdio.h>

#include <p11-kit/pkcs11.h>

#include "token/token.h"

/* X(name without CKR_, fault code, words) */
#define CKR_ROWS(X) \
	X(HOST_MEMORY, NOMEM, "memory ran out") \
	X(SLOT_ID_INVALID, NOTFOUND, "the token is gone") \
	X(GENERAL_ERROR, TOKEN, \
		"the token failed; when this goes on, see that its TPM or its store can be " \
		"reached") \
	X(FUNCTION_FAILED, TOKEN, "the token could not do it now; try again") \
	X(ARGUMENTS_BAD, TOKEN, "the token does not take these arguments") \
	X(CANT_LOCK, TOKEN, "the module cannot be used with threads") \
	X(ATTRIBUTE_READ_ONLY, REFUSED, "the token lets nobody change this") \
	X(ATTRIBUTE_SENSITIVE, REFUSED, "the token does not show secrets") \
	X(ATTRIBUTE_TYPE_INVALID, REFUSED, "the token does not know this property") \
	X(ATTRIBUTE_VALUE_INVALID, REFUSED, "the token does not take such a value") \
	X(DEVICE_ERROR, TOKEN, \
		"the device behind the token failed; see that it is powered and free") \
	X(DEVICE_MEMORY, REFUSED, "the device's memory is full; delete what is not used") \
	X(DEVICE_REMOVED, TOKEN, "the device was removed; put it back") \
	X(FUNCTION_CANCELED, CANCELLED, "it was cancelled") \
	X(FUNCTION_NOT_SUPPORTED, REFUSED, "the token has no such function") \
	X(KEY_HANDLE_INVALID, TOKEN, "the key is gone from the token or its login ended") \
	X(KEY_SIZE_RANGE, REFUSED, "the token does not take keys of this size") \
	X(KEY_TYPE_INCONSISTENT, REFUSED, "the key is not made for this operation") \
	X(KEY_FUNCTION_NOT_PERMITTED, REFUSED, "the key is not allowed to do this") \
	X(MECHANISM_INVALID, REFUSED, "the token has no such mechanism") \
	X(MECHANISM_PARAM_INVALID, REFUSED, "the token does not take this mechanism's parameters") \
	X(CURVE_NOT_SUPPORTED, REFUSED, "the token does not know this curve") \
	X(DOMAIN_PARAMS_INVALID, REFUSED, "the token does not know this curve") \
	X(OBJECT_HANDLE_INVALID, TOKEN, "the object is gone from the token or its login ended") \
	X(OPERATION_ACTIVE, TOKEN, "another operation is under way in this session") \
	X(PIN_INCORRECT, PIN, "the token refuses the PIN") \
	X(PIN_INVALID, PIN, "the token refuses the PIN's characters") \
	X(PIN_LEN_RANGE, PIN, "the PIN is too short or too long for the token") \
	X(PIN_EXPIRED, PIN, "the PIN has expired; set a new one") \
	X(PIN_LOCKED, LOCKED, \
		"the PIN is locked; a TPM unlocks itself after its recovery time or by " \
		"tpm2_dictionarylockout --clear-lockout, other tokens by their SO PIN") \
	X(SESSION_CLOSED, TOKEN, "the session was closed under us") \
	X(SESSION_COUNT, TOKEN, "the token has no session left; close other programs") \
	X(SESSION_HANDLE_INVALID, TOKEN, "the session ended under us") \
	X(SESSION_READ_ONLY, REFUSED, "the session may not write") \
	X(TEMPLATE_INCOMPLETE, REFUSED, "the token wants more properties") \
	X(TEMPLATE_INCONSISTENT, REFUSED, "the token does not take these properties together") \
	X(TOKEN_NOT_PRESENT, NOTFOUND, "no token is in the slot") \
	X(TOKEN_NOT_RECOGNIZED, REFUSED, "the module does not know this kind of token") \
	X(TOKEN_WRITE_PROTECTED, REFUSED, "the token is write-protected") \
	X(USER_NOT_LOGGED_IN, TOKEN, "the token wants a login first") \
	X(USER_PIN_NOT_INITIALIZED, PIN, \
		"the token has no user PIN yet; set one with pkcs11-tool --init-pin") \
	X(USER_ANOTHER_ALREADY_LOGGED_IN, TOKEN, "its security officer is logged in") \
	X(USER_TOO_MANY_TYPES, TOKEN, "too many users are logged in") \
	X(RANDOM_NO_RNG, REFUSED, "the token has no random numbers") \
	X(BUFFER_TOO_SMALL, TOKEN, "the token gave more than it said") \
	X(CRYPTOKI_NOT_INITIALIZED, TOKEN, "the module was shut down under us") \
	X(FUNCTION_REJECTED, CANCELLED, "it was refused at the token")

static const struct {
	CK_RV rv;
	const char *name;
	enum fault_code code;
	const char *words;
} rows[] = {
#define CKR_ROW(name, code, words) {CKR_##name, "CKR_" #name, FAULT_##code, words},
	CKR_ROWS(CKR_ROW)
#undef CKR_ROW
};

/* Another library's number may be the same: it never comes with the same code. */
const char *
token_fault_name(const struct fault *f)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].rv == f->native && rows[i].code == f->code)
			return rows[i].name;
	}
	return f->native && f->code == FAULT_TOKEN ? "CKR_OTHER" : "none";
}

int(fault_pkcs11)(struct fault *f, const char *call, unsigned long rv)
{
	const char *vendor = rv & CKR_VENDOR_DEFINED ? "its maker's own error" : "unknown error";

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].rv != rv)
			continue;
		fault_set(f, rows[i].code, "%s (%s in %s)", rows[i].words, rows[i].name, call);
		if (f)
			f->native = rv;
		return -1;
	}
	fault_set(f, FAULT_TOKEN, "the token failed with %s 0x%lx in %s", vendor, rv, call);
	if (f)
		f->native = rv;
	return -1;
}
