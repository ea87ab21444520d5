/*
 * module: the module as a whole, its slots and tokens. Knows the environment it is driven by:
 *
 *   MOCK_PKCS11_LABEL   the token's label; "mock"
 *   MOCK_PKCS11_PIN     the user's PIN; "1234". The security officer's is "4321"
 *   MOCK_PKCS11_MAKER   the module's manufacturer; "p11-gateway". With "tpm2" in it, it is taken
 *                       for tpm2-pkcs11
 *   MOCK_PKCS11_TWIN    "1": a second slot with a token of the same label
 *   MOCK_PKCS11_SERIAL  the serial number of every token; one of its own for each
 *   MOCK_PKCS11_MODEL   the model of the second token; "mock", as the first one's
 *   MOCK_PKCS11_PADDING "nul": what is shown of a token ends with NULs instead of spaces
 *   MOCK_PKCS11_FLAGS   token flags to show besides its own: USER_PIN_FINAL_TRY,...
 *   MOCK_PKCS11_STORE   a file for the objects; without one they last as long as the process
 *   MOCK_PKCS11_LOG     a file that gets a line a call: C_Login user CKR_PIN_INCORRECT
 *   MOCK_PKCS11_FAULTS  what fails, when and how: see faults.c
 *
 * It is read at each C_Initialize.
 */
#include "config.h"

#include "mock.h"
#include "functions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
	CK_MECHANISM_TYPE type;
	CK_MECHANISM_INFO info;
} mechanisms[] = {
	{CKM_RSA_PKCS_KEY_PAIR_GEN, {2048, 3072, CKF_GENERATE_KEY_PAIR}},
	{CKM_RSA_PKCS, {2048, 3072, CKF_SIGN}},
	{CKM_SHA256_RSA_PKCS, {2048, 3072, CKF_SIGN}},
	{CKM_RSA_PKCS_PSS, {2048, 3072, CKF_SIGN}},
	{CKM_EC_KEY_PAIR_GEN, {256, 384,
				      CKF_GENERATE_KEY_PAIR | CKF_EC_F_P | CKF_EC_NAMEDCURVE |
					      CKF_EC_UNCOMPRESS}},
	{CKM_ECDSA, {256, 384, CKF_SIGN | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS}},
};

#define N_MECHANISMS (sizeof(mechanisms) / sizeof(mechanisms[0]))

static void
pad(unsigned char *field, size_t size, const char *text)
{
	size_t len = strlen(text);

	memset(field, mock.padding, size);
	memcpy(field, text, len < size ? len : size);
}

#define PAD(field, text) pad(field, sizeof(field), text)

static bool
read_setting(const char *name, const char *preset, char *value, size_t size)
{
	const char *set = getenv(name);

	if (!set)
		set = preset;
	if (strlen(set) >= size) {
		fprintf(stderr, "mock-pkcs11: %s is too long\n", name);
		return false;
	}
	strcpy(value, set);
	return true;
}

static bool
read_flags(void)
{
	char text[1024], *rest = NULL, *name;
	CK_FLAGS flag;

	mock.flags = 0;
	if (!read_setting("MOCK_PKCS11_FLAGS", "", text, sizeof(text)))
		return false;
	for (name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
		if (!token_flag_of_name(name, &flag)) {
			fprintf(stderr, "mock-pkcs11: MOCK_PKCS11_FLAGS: no flag '%s'\n", name);
			return false;
		}
		mock.flags |= flag;
	}
	return true;
}

/* The rules, or those of the file that is named by @FILE: its first line. */
static bool
read_faults(void)
{
	const char *rules = getenv("MOCK_PKCS11_FAULTS");
	char line[4096] = "";
	FILE *file;

	if (!rules || *rules != '@')
		return faults_load(rules ? rules : "");
	file = fopen(rules + 1, "re");
	if (!file) {
		fprintf(stderr, "mock-pkcs11: cannot read %s\n", rules + 1);
		return false;
	}
	if (fgets(line, sizeof(line), file))
		line[strcspn(line, "\n")] = '\0';
	fclose(file);
	return faults_load(line);
}

static bool
read_environment(void)
{
	const char *twin = getenv("MOCK_PKCS11_TWIN"), *padding = getenv("MOCK_PKCS11_PADDING");
	char store[sizeof(mock.store)];

	/* First, so that whatever goes wrong is logged. */
	if (!read_setting("MOCK_PKCS11_LOG", "", mock.log, sizeof(mock.log)) ||
		!read_setting("MOCK_PKCS11_STORE", "", store, sizeof(store)) ||
		!read_setting("MOCK_PKCS11_LABEL", "mock", mock.label, sizeof(mock.label)) ||
		!read_setting("MOCK_PKCS11_PIN", "1234", mock.pin, sizeof(mock.pin)) ||
		!read_setting("MOCK_PKCS11_MAKER", "p11-gateway", mock.maker, sizeof(mock.maker)) ||
		!read_setting("MOCK_PKCS11_SERIAL", "", mock.serial, sizeof(mock.serial)) ||
		!read_setting("MOCK_PKCS11_MODEL", "mock", mock.model, sizeof(mock.model)) ||
		!read_flags() || !read_faults())
		return false;
	mock.padding = padding && strcmp(padding, "nul") == 0 ? '\0' : ' ';
	mock.n_slots = twin && strcmp(twin, "1") == 0 ? 2 : 1;
	if (strcmp(store, mock.store) != 0) {
		while (mock.n_objects > 0)
			object_remove(mock.n_objects - 1);
		for (size_t i = 0; i < MOCK_SLOTS; i++)
			mock.slots[i].wrong = 0;
		strcpy(mock.store, store);
	}
	return true;
}

static CK_RV
initialize(const CK_C_INITIALIZE_ARGS *args)
{
	unsigned delay_ms = 0;
	struct timespec delay;
	CK_RV rv;

	if (mock.initialised)
		return CKR_CRYPTOKI_ALREADY_INITIALIZED;
	if (!read_environment())
		return CKR_ARGUMENTS_BAD;
	if (args && args->CreateMutex && !(args->flags & CKF_OS_LOCKING_OK))
		return CKR_CANT_LOCK;
	rv = faults_count("C_Initialize", &delay_ms);
	delay = (struct timespec){delay_ms / 1000, (long)(delay_ms % 1000) * 1000000};
	while (nanosleep(&delay, &delay))
		;
	if (rv == CKR_OK)
		rv = store_begin();
	if (rv != CKR_OK)
		return rv;
	mock.initialised = true;
	faults_reinit();
	return CKR_OK;
}

static CK_RV
finalize(const void *reserved)
{
	if (reserved)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < MOCK_SESSIONS; i++)
		if (mock.sessions[i].handle)
			session_close(&mock.sessions[i]);
	mock.initialised = false;
	return CKR_OK;
}

static CK_RV
get_info(CK_INFO *info)
{
	if (!info)
		return CKR_ARGUMENTS_BAD;
	*info = (CK_INFO){.cryptokiVersion = {2, 40}, .libraryVersion = {1, 0}};
	PAD(info->manufacturerID, mock.maker);
	PAD(info->libraryDescription, "mock token for tests");
	return CKR_OK;
}

static CK_RV
slot_list(CK_SLOT_ID *list, CK_ULONG *count)
{
	CK_ULONG room;

	if (!count)
		return CKR_ARGUMENTS_BAD;
	room = *count;
	*count = mock.n_slots;
	if (!list)
		return CKR_OK;
	if (room < mock.n_slots)
		return CKR_BUFFER_TOO_SMALL;
	for (CK_SLOT_ID i = 0; i < mock.n_slots; i++)
		list[i] = i;
	return CKR_OK;
}

static CK_RV
slot_info(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	*info = (CK_SLOT_INFO){.flags = CKF_TOKEN_PRESENT};
	PAD(info->slotDescription, slot == 0 ? "mock slot 0" : "mock slot 1");
	PAD(info->manufacturerID, "p11-gateway");
	return CKR_OK;
}

static CK_FLAGS
token_flags(CK_SLOT_ID slot)
{
	CK_FLAGS flags = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_USER_PIN_INITIALIZED |
			 CKF_TOKEN_INITIALIZED | mock.flags;

	if (mock.slots[slot].wrong >= MOCK_MAX_WRONG)
		flags |= CKF_USER_PIN_LOCKED;
	else if (mock.slots[slot].wrong == MOCK_MAX_WRONG - 1)
		flags |= CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY;
	else if (mock.slots[slot].wrong > 0)
		flags |= CKF_USER_PIN_COUNT_LOW;
	return flags;
}

static CK_RV
token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	*info = (CK_TOKEN_INFO){.flags = token_flags(slot),
		.ulMaxSessionCount = MOCK_SESSIONS,
		.ulMaxRwSessionCount = MOCK_SESSIONS,
		.ulSessionCount = CK_UNAVAILABLE_INFORMATION,
		.ulRwSessionCount = CK_UNAVAILABLE_INFORMATION,
		.ulMinPinLen = 4,
		.ulMaxPinLen = sizeof(mock.pin) - 1,
		.ulTotalPublicMemory = CK_UNAVAILABLE_INFORMATION,
		.ulFreePublicMemory = CK_UNAVAILABLE_INFORMATION,
		.ulTotalPrivateMemory = CK_UNAVAILABLE_INFORMATION,
		.ulFreePrivateMemory = CK_UNAVAILABLE_INFORMATION};
	PAD(info->label, mock.label);
	PAD(info->manufacturerID, "p11-gateway");
	PAD(info->model, slot == 0 ? "mock" : mock.model);
	PAD(info->serialNumber, mock.serial[0] ? mock.serial : slot == 0 ? "00000001" : "00000002");
	PAD(info->utcTime, "");
	return CKR_OK;
}

static CK_RV
mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	CK_MECHANISM_TYPE have[N_MECHANISMS];
	CK_ULONG n = 0, room;

	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	if (!count)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < N_MECHANISMS; i++)
		if (!faults_hides(mechanisms[i].type))
			have[n++] = mechanisms[i].type;
	room = *count;
	*count = n;
	if (!list)
		return CKR_OK;
	if (room < n)
		return CKR_BUFFER_TOO_SMALL;
	memcpy(list, have, n * sizeof(*list));
	return CKR_OK;
}

static CK_RV
mechanism_info(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	if (slot >= mock.n_slots)
		return CKR_SLOT_ID_INVALID;
	if (!info)
		return CKR_ARGUMENTS_BAD;
	for (size_t i = 0; i < N_MECHANISMS; i++) {
		if (mechanisms[i].type == type && !faults_hides(type)) {
			*info = mechanisms[i].info;
			return CKR_OK;
		}
	}
	return CKR_MECHANISM_INVALID;
}

CK_RV
C_Initialize(void *args)
{
	return CALL(C_Initialize, NULL, initialize(args));
}

CK_RV
C_Finalize(void *reserved)
{
	return CALL(C_Finalize, NULL, finalize(reserved));
}

CK_RV
C_GetInfo(CK_INFO *info)
{
	return CALL(C_GetInfo, NULL, get_info(info));
}

CK_RV
C_GetSlotList(CK_BBOOL token_present, CK_SLOT_ID *list, CK_ULONG *count)
{
	(void)token_present;
	return CALL(C_GetSlotList, NULL, slot_list(list, count));
}

CK_RV
C_GetSlotInfo(CK_SLOT_ID slot, CK_SLOT_INFO *info)
{
	return CALL(C_GetSlotInfo, NULL, slot_info(slot, info));
}

CK_RV
C_GetTokenInfo(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
	return CALL(C_GetTokenInfo, NULL, token_info(slot, info));
}

CK_RV
C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
	return CALL(C_GetMechanismList, NULL, mechanism_list(slot, list, count));
}

CK_RV
C_GetMechanismInfo(CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *info)
{
	return CALL(C_GetMechanismInfo, name_of_mechanism(type), mechanism_info(slot, type, info));
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **list)
{
	static CK_FUNCTION_LIST functions = {{2, 40},
#define X(name) name,
		MOCK_FUNCTIONS(X)
#undef X
	};

	if (!list)
		return CKR_ARGUMENTS_BAD;
	*list = &functions;
	return CKR_OK;
}
