/*
 * The mock module through p11-kit: what command-line tools cannot show: an error ends them.
 * Run by mock.test, which sets $MOCK_MODULE.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <p11-kit/p11-kit.h>

#define CHECK(condition)     check(condition, #condition, __LINE__)
#define CHECK_RV(call, want) check_rv(call, want, #call, __LINE__)

static CK_FUNCTION_LIST *module;
static CK_SESSION_HANDLE session;

static void
check(int condition, const char *text, int line)
{
	if (condition)
		return;
	fprintf(stderr, "test-mock.c:%d: %s\n", line, text);
	exit(1);
}

static void
check_rv(CK_RV rv, CK_RV want, const char *text, int line)
{
	if (rv == want)
		return;
	fprintf(stderr, "test-mock.c:%d: %s is %#lx, not %#lx\n", line, text, rv, want);
	exit(1);
}

static CK_RV
log_in(void)
{
	return module->C_Login(session, CKU_USER, (CK_BYTE *)"1234", 4);
}

static void
start(const char *faults)
{
	if (faults)
		setenv("MOCK_PKCS11_FAULTS", faults, 1);
	CHECK_RV(p11_kit_module_initialize(module), CKR_OK);
	CHECK_RV(
		module->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session),
		CKR_OK);
}

static void
stop(void)
{
	CHECK_RV(p11_kit_module_finalize(module), CKR_OK);
}

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

static CK_RV
random_bytes(void)
{
	CK_BYTE bytes[8];

	return module->C_GenerateRandom(session, bytes, sizeof(bytes));
}

static CK_ULONG
find_private(CK_OBJECT_HANDLE *ret_key)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_ATTRIBUTE want[] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE found[4];
	CK_ULONG n;

	CHECK_RV(module->C_FindObjectsInit(session, want, 1), CKR_OK);
	CHECK_RV(module->C_FindObjectsInit(session, want, 1), CKR_OPERATION_ACTIVE);
	CHECK_RV(module->C_FindObjects(session, found, 4, &n), CKR_OK);
	CHECK_RV(module->C_FindObjectsFinal(session), CKR_OK);
	if (n > 0)
		*ret_key = found[0];
	return n;
}

static void
make_key(CK_OBJECT_HANDLE *ret_key)
{
	static const CK_BYTE p256[] = {6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7};
	CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
	CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1}, {CKA_VERIFY, &yes, 1},
		{CKA_EC_PARAMS, (void *)p256, sizeof(p256)}};
	CK_ATTRIBUTE private[] = {{CKA_TOKEN, &yes, 1}, {CKA_PRIVATE, &yes, 1},
		{CKA_SENSITIVE, &yes, 1}, {CKA_EXTRACTABLE, &no, 1}, {CKA_SIGN, &yes, 1}};
	CK_OBJECT_HANDLE public_key;

	CHECK_RV(module->C_GenerateKeyPair(
			 session, &mechanism, public, 3, private, 5, &public_key, ret_key),
		CKR_OK);
}

static CK_RV
sign(CK_OBJECT_HANDLE key)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[32] = {1}, signature[64];
	CK_ULONG len = sizeof(signature);
	CK_RV rv = module->C_SignInit(session, &mechanism, key);

	return rv == CKR_OK ? module->C_Sign(session, digest, sizeof(digest), signature, &len) : rv;
}

static void
keeps_the_rules_of_keys(void)
{
	CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
	CK_BYTE digest[32] = {1}, signature[64], value[64];
	CK_ATTRIBUTE secret = {CKA_VALUE, value, sizeof(value)};
	CK_OBJECT_HANDLE key = 0, again = 0;
	CK_ULONG len = 0;

	start("");
	CHECK(find_private(&key) == 0);
	CHECK_RV(log_in(), CKR_OK);
	CHECK_RV(log_in(), CKR_USER_ALREADY_LOGGED_IN);
	make_key(&key);
	CHECK_RV(module->C_GetAttributeValue(session, key, &secret, 1), CKR_ATTRIBUTE_SENSITIVE);
	CHECK(secret.ulValueLen == CK_UNAVAILABLE_INFORMATION);
	CHECK_RV(module->C_SignInit(session, &mechanism, key), CKR_OK);
	CHECK_RV(module->C_SignInit(session, &mechanism, key), CKR_OPERATION_ACTIVE);
	CHECK_RV(module->C_Sign(session, digest, sizeof(digest), NULL, &len), CKR_OK);
	CHECK(len == 64);
	len = 63;
	CHECK_RV(module->C_Sign(session, digest, sizeof(digest), signature, &len),
		CKR_BUFFER_TOO_SMALL);
	CHECK(len == 64);
	CHECK_RV(module->C_Sign(session, digest, sizeof(digest), signature, &len), CKR_OK);
	CHECK_RV(module->C_Sign(session, digest, sizeof(digest), signature, &len),
		CKR_OPERATION_NOT_INITIALIZED);
	CHECK_RV(module->C_Logout(session), CKR_OK);
	CHECK_RV(sign(key), CKR_OBJECT_HANDLE_INVALID);
	CHECK(find_private(&again) == 0);
	CHECK_RV(log_in(), CKR_OK);
	CHECK_RV(sign(key), CKR_OBJECT_HANDLE_INVALID);
	CHECK(find_private(&again) == 1 && again != key);
	CHECK_RV(sign(again), CKR_OK);
	stop();
	CHECK_RV(random_bytes(), CKR_CRYPTOKI_NOT_INITIALIZED);
}

static void
counts_calls(void)
{
	start("C_GenerateRandom=DEVICE_REMOVED@2-3,C_GenerateRandom=DEVICE_ERROR@5,"
	      "C_GenerateRandom=HOST_MEMORY@7-,C_GenerateRandom:slow=1");
	CHECK_RV(random_bytes(), CKR_OK);
	CHECK_RV(random_bytes(), CKR_DEVICE_REMOVED);
	CHECK_RV(random_bytes(), CKR_DEVICE_REMOVED);
	stop();
	/* The counts go on. */
	start(NULL);
	CHECK_RV(random_bytes(), CKR_OK);
	CHECK_RV(random_bytes(), CKR_DEVICE_ERROR);
	CHECK_RV(random_bytes(), CKR_OK);
	CHECK_RV(random_bytes(), CKR_HOST_MEMORY);
	CHECK_RV(random_bytes(), CKR_HOST_MEMORY);
	stop();
}

static void
fails_until_reinit(void)
{
	CK_OBJECT_HANDLE key = 0;

	start("C_Sign+C_Login+C_GenerateRandom=GENERAL_ERROR@2-reinit");
	CHECK_RV(log_in(), CKR_OK);
	CHECK(find_private(&key) == 1);
	CHECK_RV(sign(key), CKR_OK);
	CHECK_RV(random_bytes(), CKR_OK);
	CHECK_RV(sign(key), CKR_GENERAL_ERROR);
	CHECK_RV(sign(key), CKR_GENERAL_ERROR);
	CHECK_RV(random_bytes(), CKR_GENERAL_ERROR);
	CHECK_RV(module->C_Logout(session), CKR_OK);
	CHECK_RV(log_in(), CKR_GENERAL_ERROR);
	stop();
	start(NULL);
	CHECK_RV(log_in(), CKR_OK);
	CHECK(find_private(&key) == 1);
	for (int i = 0; i < 3; i++)
		CHECK_RV(sign(key), CKR_OK);
	stop();
}

static void
fails_until_relogin(void)
{
	CK_OBJECT_HANDLE key = 0;

	start("C_Sign=GENERAL_ERROR@1-relogin");
	/* A login before the first signature does not end what has not begun. */
	CHECK_RV(log_in(), CKR_OK);
	CHECK(find_private(&key) == 1);
	CHECK_RV(sign(key), CKR_GENERAL_ERROR);
	CHECK_RV(sign(key), CKR_GENERAL_ERROR);
	CHECK_RV(module->C_Logout(session), CKR_OK);
	CHECK_RV(log_in(), CKR_OK);
	CHECK(find_private(&key) == 1);
	CHECK_RV(sign(key), CKR_OK);
	stop();
}

static void
fails_to_start(void)
{
	setenv("MOCK_PKCS11_FAULTS", "C_Initialize=GENERAL_ERROR@1-2", 1);
	CHECK_RV(p11_kit_module_initialize(module), CKR_GENERAL_ERROR);
	CHECK_RV(p11_kit_module_initialize(module), CKR_GENERAL_ERROR);
	start(NULL);
	stop();
	setenv("MOCK_PKCS11_FAULTS", "nonsense", 1);
	CHECK_RV(p11_kit_module_initialize(module), CKR_ARGUMENTS_BAD);
	start("");
	stop();
}

static void
reads_its_rules_from_a_file(void)
{
	const char *path = getenv("MOCK_FAULTS_FILE");
	char at[256];

	CHECK(path != NULL);
	snprintf(at, sizeof(at), "@%s", path);
	write_file(path, "C_GenerateRandom=DEVICE_REMOVED\n");
	start(at);
	CHECK_RV(random_bytes(), CKR_DEVICE_REMOVED);
	write_file(path, "\n");
	CHECK_RV(random_bytes(), CKR_DEVICE_REMOVED);
	stop();
	start(NULL);
	CHECK_RV(random_bytes(), CKR_OK);
	stop();
	remove(path);
	CHECK_RV(p11_kit_module_initialize(module), CKR_ARGUMENTS_BAD);
}

int
main(void)
{
	module = p11_kit_module_load(getenv("MOCK_MODULE"), 0);
	CHECK(module != NULL);
	keeps_the_rules_of_keys();
	counts_calls();
	fails_until_reinit();
	fails_until_relogin();
	fails_to_start();
	reads_its_rules_from_a_file();
	p11_kit_module_release(module);
	return 0;
}
