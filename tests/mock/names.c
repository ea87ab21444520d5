/* names: PKCS#11's numbers and their names. */
#include "config.h"

#include "mock.h"
#include "functions.h"

#include <string.h>

/* clang-format off */
#define RESULTS(X) \
	X(OK) X(CANCEL) X(HOST_MEMORY) X(SLOT_ID_INVALID) X(GENERAL_ERROR) X(FUNCTION_FAILED) \
	X(ARGUMENTS_BAD) X(NO_EVENT) X(NEED_TO_CREATE_THREADS) X(CANT_LOCK) \
	X(ATTRIBUTE_READ_ONLY) X(ATTRIBUTE_SENSITIVE) X(ATTRIBUTE_TYPE_INVALID) \
	X(ATTRIBUTE_VALUE_INVALID) X(ACTION_PROHIBITED) X(DATA_INVALID) X(DATA_LEN_RANGE) \
	X(DEVICE_ERROR) X(DEVICE_MEMORY) X(DEVICE_REMOVED) X(ENCRYPTED_DATA_INVALID) \
	X(ENCRYPTED_DATA_LEN_RANGE) X(FUNCTION_CANCELED) X(FUNCTION_NOT_PARALLEL) \
	X(FUNCTION_NOT_SUPPORTED) X(KEY_HANDLE_INVALID) X(KEY_SIZE_RANGE) \
	X(KEY_TYPE_INCONSISTENT) X(KEY_NOT_NEEDED) X(KEY_CHANGED) X(KEY_NEEDED) \
	X(KEY_INDIGESTIBLE) X(KEY_FUNCTION_NOT_PERMITTED) X(KEY_NOT_WRAPPABLE) \
	X(KEY_UNEXTRACTABLE) X(MECHANISM_INVALID) X(MECHANISM_PARAM_INVALID) \
	X(OBJECT_HANDLE_INVALID) X(OPERATION_ACTIVE) X(OPERATION_NOT_INITIALIZED) \
	X(PIN_INCORRECT) X(PIN_INVALID) X(PIN_LEN_RANGE) X(PIN_EXPIRED) X(PIN_LOCKED) \
	X(SESSION_CLOSED) X(SESSION_COUNT) X(SESSION_HANDLE_INVALID) \
	X(SESSION_PARALLEL_NOT_SUPPORTED) X(SESSION_READ_ONLY) X(SESSION_EXISTS) \
	X(SESSION_READ_ONLY_EXISTS) X(SESSION_READ_WRITE_SO_EXISTS) X(SIGNATURE_INVALID) \
	X(SIGNATURE_LEN_RANGE) X(TEMPLATE_INCOMPLETE) X(TEMPLATE_INCONSISTENT) \
	X(TOKEN_NOT_PRESENT) X(TOKEN_NOT_RECOGNIZED) X(TOKEN_WRITE_PROTECTED) \
	X(UNWRAPPING_KEY_SIZE_RANGE) X(UNWRAPPING_KEY_TYPE_INCONSISTENT) \
	X(USER_ALREADY_LOGGED_IN) X(USER_NOT_LOGGED_IN) X(USER_PIN_NOT_INITIALIZED) \
	X(USER_TYPE_INVALID) X(USER_ANOTHER_ALREADY_LOGGED_IN) X(USER_TOO_MANY_TYPES) \
	X(WRAPPED_KEY_INVALID) X(WRAPPED_KEY_LEN_RANGE) X(WRAPPING_KEY_HANDLE_INVALID) \
	X(WRAPPING_KEY_SIZE_RANGE) X(WRAPPING_KEY_TYPE_INCONSISTENT) \
	X(RANDOM_SEED_NOT_SUPPORTED) X(RANDOM_NO_RNG) X(DOMAIN_PARAMS_INVALID) \
	X(CURVE_NOT_SUPPORTED) X(BUFFER_TOO_SMALL) X(SAVED_STATE_INVALID) \
	X(INFORMATION_SENSITIVE) X(STATE_UNSAVEABLE) X(CRYPTOKI_NOT_INITIALIZED) \
	X(CRYPTOKI_ALREADY_INITIALIZED) X(MUTEX_BAD) X(MUTEX_NOT_LOCKED) X(NEW_PIN_MODE) \
	X(NEXT_OTP) X(EXCEEDED_MAX_ITERATIONS) X(FIPS_SELF_TEST_FAILED) X(LIBRARY_LOAD_FAILED) \
	X(PIN_TOO_WEAK) X(PUBLIC_KEY_INVALID) X(FUNCTION_REJECTED)

#define MECHANISMS(X) \
	X(RSA_PKCS_KEY_PAIR_GEN) X(RSA_PKCS) X(SHA256_RSA_PKCS) X(RSA_PKCS_PSS) \
	X(EC_KEY_PAIR_GEN) X(ECDSA)

#define TOKEN_FLAGS(X) \
	X(WRITE_PROTECTED) X(PROTECTED_AUTHENTICATION_PATH) X(USER_PIN_COUNT_LOW) \
	X(USER_PIN_FINAL_TRY) X(USER_PIN_LOCKED) X(USER_PIN_TO_BE_CHANGED) X(SO_PIN_COUNT_LOW) \
	X(SO_PIN_FINAL_TRY) X(SO_PIN_LOCKED) X(SO_PIN_TO_BE_CHANGED)

struct name {
	const char *text;
	CK_ULONG number;
};

static const struct name results[] = {
#define X(name) {#name, CKR_##name},
	RESULTS(X)
#undef X
};

static const struct name mechanisms[] = {
#define X(name) {#name, CKM_##name},
	MECHANISMS(X)
#undef X
};

static const struct name token_flags[] = {
#define X(name) {#name, CKF_##name},
	TOKEN_FLAGS(X)
#undef X
};

static const char *const functions[] = {
#define X(name) #name,
	MOCK_FUNCTIONS(X)
#undef X
};
/* clang-format on */

#define N(table) (sizeof(table) / sizeof((table)[0]))

static const char *
text_of(const struct name *table, size_t n, CK_ULONG number)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].number == number)
			return table[i].text;
	return "?";
}

static bool
number_of(const struct name *table, size_t n, const char *text, CK_ULONG *ret_number)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].text, text) == 0) {
			*ret_number = table[i].number;
			return true;
		}
	}
	return false;
}

const char *
name_of_rv(CK_RV rv)
{
	return text_of(results, N(results), rv);
}

bool
rv_of_name(const char *name, CK_RV *ret_rv)
{
	return number_of(results, N(results), name, ret_rv);
}

const char *
name_of_mechanism(CK_MECHANISM_TYPE mechanism)
{
	return text_of(mechanisms, N(mechanisms), mechanism);
}

bool
mechanism_of_name(const char *name, CK_MECHANISM_TYPE *ret_mechanism)
{
	return number_of(mechanisms, N(mechanisms), name, ret_mechanism);
}

bool
token_flag_of_name(const char *name, CK_FLAGS *ret_flag)
{
	return number_of(token_flags, N(token_flags), name, ret_flag);
}

bool
function_of_name(const char *name, const char **ret_function)
{
	for (size_t i = 0; i < N(functions); i++) {
		if (strcmp(functions[i], name) == 0) {
			*ret_function = functions[i];
			return true;
		}
	}
	return false;
}

const char *
name_of_class(CK_OBJECT_CLASS object_class)
{
	static const struct name classes[] = {{"data", CKO_DATA}, {"certificate", CKO_CERTIFICATE},
		{"public-key", CKO_PUBLIC_KEY}, {"private-key", CKO_PRIVATE_KEY}};

	return text_of(classes, N(classes), object_class);
}
