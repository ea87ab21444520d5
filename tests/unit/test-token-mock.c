/* What no good token does: the mock module fails on demand, and its log tells what was asked. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>

#include "base/auto.h"
#include "base/file.h"
#include "mock-token.h"
#include "one-cert.h"
#include "token/token.h"

static char log_path[] = "/tmp/test-token-mock.XXXXXX";

/* Each case in its own process: a refused PIN is remembered for the life of one. */
static void
with_faults(void (*body)(void), const char *faults, const char *flags)
{
	const char *const environment[][2] = {
		{"MOCK_PKCS11_FAULTS", faults}, {"MOCK_PKCS11_FLAGS", flags}};

	assert_int_equal(truncate(log_path, 0), 0);
	in_a_process(body, environment, N_ELEMENTS(environment));
}

/* Lines of the mock's log that begin so. */
static int
logged(const char *start)
{
	AUTO(auto_free) char *text = NULL;
	struct fault f = FAULT_INIT;
	size_t len;
	int n = 0;

	expect_ok(file_read(log_path, 1 << 20, &text, &len, &f), &f);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		n += strncmp(line, start, strlen(start)) == 0;
	return n;
}

/* The same with a module that passes for this maker's. */
static struct token *
opened_of(const char *maker, const char *uri)
{
	setenv("MOCK_PKCS11_MAKER", maker, 1);
	return opened(uri);
}

static bool
signs(EVP_PKEY *key)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t len = sizeof(signature);

	return EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(ctx, signature, &len, (const unsigned char *)"text", 4) == 1;
}

static int
count(const struct token_item *item, void *with, struct fault *f)
{
	(void)f;
	if (item->kind != TOKEN_ITEM_TOKEN)
		++*(int *)with;
	return 0;
}

static int
objects(void)
{
	struct fault f = FAULT_INIT;
	int n = 0;

	expect_ok(token_list("pkcs11:token=mock", &source, true, count, &n, &f), &f);
	return n;
}

static void
wrong_pin(void)
{
	AUTO(auto_token) struct token *a = opened("pkcs11:token=mock;object=k");
	AUTO(auto_token) struct token *b = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;
	EVP_PKEY *key = NULL;
	char *uri = NULL;

	setenv("TEST_PIN", "9999", 1);
	expect_fault_code(token_login(a, &f), &f, FAULT_PIN);
	expect(f.native == 0xa0 && !strstr(f.text, "9999"));
	setenv("TEST_PIN", "1234", 1);
	expect_fault_code(token_login(a, &f), &f, FAULT_PIN);
	expect_fault_code(token_relogin(a, &f), &f, FAULT_PIN);
	expect_fault_code(token_private_key(a, &key, &f), &f, FAULT_PIN);
	expect_fault_code(token_keygen(a, "ec:p256", &uri, &f), &f, FAULT_PIN);
	expect_fault_code(token_login(b, &f), &f, FAULT_PIN);
	expect(logged("C_Login") == 1);
}

static void
wrong_pin_is_one_login(void **state)
{
	(void)state;
	with_faults(wrong_pin, "", "");
}

/* tpm2-pkcs11 says CKR_PIN_INCORRECT also when its TPM was reset in the middle of a login. */
static void
doubted(void)
{
	AUTO(auto_token)
	struct token *token = opened_of("tpm2-software.github.io", "pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_ok(token_login(token, &f), &f);
	expect_fault_code(token_relogin(token, &f), &f, FAULT_TOKEN);
	expect_ok(token_relogin(token, &f), &f);
	expect_fault_code(token_relogin(token, &f), &f, FAULT_TOKEN);
	expect_fault_code(token_relogin(token, &f), &f, FAULT_PIN);
	expect(strstr(f.text, "twice"));
	expect_fault_code(token_relogin(token, &f), &f, FAULT_PIN);
	expect(logged("C_Login") == 5);
}

/* Another PIN than the one that it took is refused for good, and so is any by another module. */
static void
not_doubted(void)
{
	struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_ok(token_login(token, &f), &f);
	token_close(token);
	setenv("TEST_PIN", "9999", 1);
	token = opened("pkcs11:token=mock");
	expect_fault_code(token_login(token, &f), &f, FAULT_PIN);
	expect(logged("C_Login") == 2);
	token_close(token);
}

static void
not_doubted_of_a_tpm(void)
{
	setenv("MOCK_PKCS11_MAKER", "tpm2-software.github.io", 1);
	not_doubted();
}

static void
refused_by_another(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_ok(token_login(token, &f), &f);
	expect_fault_code(token_relogin(token, &f), &f, FAULT_PIN);
	expect_fault_code(token_relogin(token, &f), &f, FAULT_PIN);
	expect(logged("C_Login") == 2);
}

static void
a_tpm_may_refuse_once_what_it_took(void **state)
{
	(void)state;
	with_faults(doubted, "C_Login=PIN_INCORRECT@2,C_Login=PIN_INCORRECT@4-", "");
	with_faults(not_doubted_of_a_tpm, "", "");
	with_faults(not_doubted, "", "");
	with_faults(refused_by_another, "C_Login=PIN_INCORRECT@2-", "");
}

/* SoftHSM may have read half of what another process was writing, and goes on with that. */
static void
half_read(void)
{
	AUTO(auto_token) struct token *token = opened_of("SoftHSM", "pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_ok(token_login(token, &f), &f);
	expect(objects() == 0);
}

static int
sign(EVP_PKEY *key, void *with, struct fault *f)
{
	(void)with;
	return signs(key) ? 0 : fault_openssl(f, FAULT_CRYPTO, "cannot sign");
}

/* How often it is signed until a signature is made, or given up. */
static int
signatures(int wanted)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	token_close(TAKE(token));
	expect(token_use_key("pkcs11:token=mock;object=k", &source, sign, NULL, &f) == wanted);
	return logged("C_Sign ");
}

static void
half_read_at_signing(void)
{
	setenv("MOCK_PKCS11_MAKER", "SoftHSM", 1);
	expect(signatures(0) == 3);
}

static void
signs_twice_elsewhere(void)
{
	expect(signatures(-1) == 2);
}

/* It is not waited for without end, nor with another module. */
static void
never_read(void)
{
	AUTO(auto_token) struct token *token = opened_of("SoftHSM", "pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect(token_login(token, &f) != 0);
	expect(f.native == 0x102);
	expect(logged("C_Login") == 11 && logged("C_Initialize") == 11);
}

static void
not_waited_for(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect(token_login(token, &f) != 0);
	expect(logged("C_Login") == 1 && logged("C_Initialize") == 1);
}

/* Nor under a lent key, nor beside another user of the module, whose sessions it would end. */
static void
not_under_a_lent_key(void)
{
	AUTO(auto_token) struct token *token = opened_of("SoftHSM", "pkcs11:token=mock;object=k");
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;
	char *uri = NULL;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	free(uri);
	expect_ok(token_private_key(token, &key, &f), &f);
	expect(token_relogin(token, &f) != 0);
	expect(logged("C_Finalize") == 0);
	expect_ok(token_relogin(token, &f), &f);
}

static void
not_beside_another(void)
{
	AUTO(auto_token) struct token *a = opened_of("SoftHSM", "pkcs11:token=mock");
	AUTO(auto_token) struct token *b = opened_of("SoftHSM", "pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect(token_login(a, &f) != 0);
	expect(logged("C_Finalize") == 0);
	expect_ok(token_login(b, &f), &f);
}

static void
half_read_store_is_read_again(void **state)
{
	(void)state;
	with_faults(half_read, "C_Login=USER_PIN_NOT_INITIALIZED@1-2", "");
	with_faults(half_read, "C_Login=SESSION_HANDLE_INVALID@1", "");
	with_faults(half_read, "C_GetTokenInfo=GENERAL_ERROR@1-3", "");
	with_faults(half_read, "C_GetTokenInfo=GENERAL_ERROR@2-3", "");
	with_faults(half_read, "C_OpenSession=SLOT_ID_INVALID@2-3,C_Login=GENERAL_ERROR@1", "");
	with_faults(half_read_at_signing, "C_Sign=GENERAL_ERROR@1-2", "");
	with_faults(signs_twice_elsewhere, "C_Sign=GENERAL_ERROR@1-2", "");
	with_faults(never_read, "C_Login=USER_PIN_NOT_INITIALIZED", "");
	with_faults(not_waited_for, "C_Login=USER_PIN_NOT_INITIALIZED", "");
	with_faults(not_under_a_lent_key, "C_Login=GENERAL_ERROR@2", "");
	with_faults(not_beside_another, "C_Login=GENERAL_ERROR@1", "");
}

static void
no_login(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect(token_login(token, &f) != 0);
	expect(f.code ==
		(strstr(getenv("MOCK_PKCS11_FLAGS"), "LOCKED") ? FAULT_LOCKED : FAULT_PIN));
	expect(logged("C_Login") == 0);
}

static void
last_try_and_locked_are_no_login(void **state)
{
	(void)state;
	with_faults(no_login, "", "USER_PIN_FINAL_TRY");
	with_faults(no_login, "", "USER_PIN_LOCKED");
}

static void
right_pin(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_ok(token_login(token, &f), &f);
	expect_ok(token_login(token, &f), &f);
	expect(logged("C_Login") == 1);
}

static void
a_low_count_still_lets_the_right_pin_in(void **state)
{
	(void)state;
	with_faults(right_pin, "", "USER_PIN_COUNT_LOW");
}

static void
locked(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock");
	struct fault f = FAULT_INIT;

	expect_fault_code(token_login(token, &f), &f, FAULT_LOCKED);
	expect(logged("C_Login") == 1);
}

static void
locked_says_so(void **state)
{
	(void)state;
	with_faults(locked, "C_Login=PIN_LOCKED", "");
}

static void
refused(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	struct fault f = FAULT_INIT;
	char *uri = NULL;

	expect_fault_code(token_keygen(token, "rsa:2048", &uri, &f), &f, FAULT_REFUSED);
	expect(strstr(f.text, "mock") && strstr(f.text, "RSA-2048"));
	expect(logged("C_GenerateKeyPair") == 0);
}

static void
missing_mechanism_is_refused_before_use(void **state)
{
	(void)state;
	with_faults(refused, "C_GetMechanismInfo:hide=RSA_PKCS_KEY_PAIR_GEN", "");
}

static void
not_lent(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;
	EVP_PKEY *key = NULL;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	expect_fault_code(token_private_key(token, &key, &f), &f, FAULT_REFUSED);
	expect(strstr(f.text, "CKM_ECDSA"));
}

static void
key_without_mechanism_is_not_lent(void **state)
{
	(void)state;
	with_faults(not_lent, "C_GetMechanismInfo:hide=ECDSA", "");
}

static void
keygen_fails(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	struct fault f = FAULT_INIT;
	char *uri = NULL;

	expect(token_keygen(token, "ec:p256", &uri, &f) != 0);
	expect(f.code == FAULT_TOKEN && f.native != 0);
	expect(uri == NULL && objects() == 0);
}

static void
failed_keygen_leaves_nothing(void **state)
{
	(void)state;
	with_faults(keygen_fails, "C_GenerateKeyPair=GENERAL_ERROR", "");
	with_faults(keygen_fails, "C_GenerateKeyPair=DEVICE_REMOVED", "");
	/* The pair is there, but cannot be read back: after it was made only searches follow. */
	with_faults(keygen_fails, "C_FindObjectsInit=GENERAL_ERROR@3", "");
}

static void
keygen_recovers(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	expect(logged("C_Login") == 2 && objects() == 2);
}

static void
keygen_recovers_by_a_new_login(void **state)
{
	(void)state;
	with_faults(keygen_recovers, "C_GenerateKeyPair=GENERAL_ERROR@1-relogin", "");
}

static void
sign_recovers(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;
	EVP_PKEY *key;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	expect_ok(token_private_key(token, &key, &f), &f);
	expect(!signs(key));
	fault_openssl(&f, FAULT_CRYPTO, "cannot sign");
	token_explain(&f);
	expect(f.code == FAULT_TOKEN && f.native == 5 && strstr(f.text, "CKR_GENERAL_ERROR"));
	expect(strcmp(token_fault_name(&f), "CKR_GENERAL_ERROR") == 0);
	EVP_PKEY_free(key);
	expect_ok(token_relogin(token, &f), &f);
	expect_ok(token_private_key(token, &key, &f), &f);
	expect(signs(key));
	EVP_PKEY_free(key);
}

static void
sign_recovers_by_a_new_login(void **state)
{
	(void)state;
	with_faults(sign_recovers, "C_Sign=GENERAL_ERROR@1-relogin", "");
}

static void
import_fails(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=k");
	AUTO(auto_free) char *uri = NULL, *first = NULL;
	AUTO(auto_x509) X509 *old = X509_new(), *new = X509_new(), *there = NULL;
	X509 *const certs[] = {old, new};
	AUTO(auto_pkey) EVP_PKEY *signer = EVP_EC_gen("P-256");
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;
	char *second = NULL;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	expect_ok(token_private_key(token, &key, &f), &f);
	for (int i = 0; i < 2; i++) {
		ASN1_INTEGER_set(X509_get_serialNumber(certs[i]), i + 1);
		X509_gmtime_adj(X509_getm_notBefore(certs[i]), 0);
		X509_gmtime_adj(X509_getm_notAfter(certs[i]), 86400);
		X509_NAME_add_entry_by_txt(X509_get_subject_name(certs[i]), "CN", MBSTRING_ASC,
			(const unsigned char *)"x", -1, -1, 0);
		expect(X509_set_pubkey(certs[i], key) == 1);
		expect(X509_sign(certs[i], signer, EVP_sha256()) > 0);
	}
	expect_ok(import_one(token, old, &first, &f), &f);
	expect(import_one(token, new, &second, &f) != 0);
	expect_ok(token_certificate(token, &there, &f), &f);
	expect(X509_cmp(there, old) == 0);
}

static void
failed_import_keeps_the_old_certificate(void **state)
{
	(void)state;
	with_faults(import_fails, "C_CreateObject=DEVICE_MEMORY@2-", "");
	with_faults(import_fails, "C_CreateObject=GENERAL_ERROR@2-", "");
}

static void
twins(void)
{
	struct fault f = FAULT_INIT;
	struct token *token = NULL;

	expect_fault_code(
		token_open("pkcs11:token=mock", &source, &token, &f), &f, FAULT_AMBIGUOUS);
	expect(strstr(f.text, "serial="));
	expect(token == NULL);
}

static void
tokens_of_one_label_are_ambiguous(void **state)
{
	(void)state;
	setenv("MOCK_PKCS11_TWIN", "1", 1);
	with_faults(twins, "", "");
	unsetenv("MOCK_PKCS11_TWIN");
}

static void
no_start(void)
{
	struct fault f = FAULT_INIT;
	struct token *token = NULL;

	expect_fault_code(token_open("pkcs11:token=mock", &source, &token, &f), &f, FAULT_TOKEN);
	expect(strstr(f.text, "does not start"));
	/* It comes back: a later try must not find anything half-open. */
	expect_ok(token_open("pkcs11:token=mock", &source, &token, &f), &f);
	token_close(token);
}

static void
module_that_does_not_start_may_come_back(void **state)
{
	(void)state;
	with_faults(no_start, "C_Initialize=GENERAL_ERROR@1", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_pin_is_one_login),
		cmocka_unit_test(a_tpm_may_refuse_once_what_it_took),
		cmocka_unit_test(half_read_store_is_read_again),
		cmocka_unit_test(last_try_and_locked_are_no_login),
		cmocka_unit_test(a_low_count_still_lets_the_right_pin_in),
		cmocka_unit_test(locked_says_so),
		cmocka_unit_test(missing_mechanism_is_refused_before_use),
		cmocka_unit_test(key_without_mechanism_is_not_lent),
		cmocka_unit_test(failed_keygen_leaves_nothing),
		cmocka_unit_test(keygen_recovers_by_a_new_login),
		cmocka_unit_test(sign_recovers_by_a_new_login),
		cmocka_unit_test(failed_import_keeps_the_old_certificate),
		cmocka_unit_test(tokens_of_one_label_are_ambiguous),
		cmocka_unit_test(module_that_does_not_start_may_come_back),
	};
	int fd, status;

	source.module = getenv("MOCK_MODULE");
	if (!source.module)
		return 77;
	fd = mkstemp(log_path);
	if (fd < 0)
		return 1;
	close(fd);
	setenv("MOCK_PKCS11_LOG", log_path, 1);
	status = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(log_path);
	return status;
}
