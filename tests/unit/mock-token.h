/*
 * mock-token: a token in the mock module with whatever objects a test writes into it, as another
 * program would, and each case in a process of its own.
 */
#ifndef TESTS_UNIT_MOCK_TOKEN_H
#define TESTS_UNIT_MOCK_TOKEN_H

#include "unit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/err.h>
#include <p11-kit/pkcs11.h>

#include "base/auto.h"
#include "soft-cert.h"
#include "soft-key.h"
#include "token/token.h"

static struct token_source source = {.pin_source = "env:TEST_PIN"};
static CK_FUNCTION_LIST *api;
static CK_SESSION_HANDLE session;
static EVP_PKEY *ca_key;
static unsigned n_warnings;
static char last_warning[512];

/* In the child cmocka cannot report: it says what is wrong and ends. */
#define expect(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			_exit(1); \
		} \
	} while (0)

#define expect_ok(call, f) \
	do { \
		if ((call) != 0) { \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (f)->text); \
			_exit(1); \
		} \
	} while (0)

/* The call must fail with this code and say these words. */
#define expect_fault(call, f, wanted, words) \
	do { \
		if ((call) == 0 || (f)->code != (wanted) || !strstr((f)->text, words)) { \
			fprintf(stderr, "%s:%d: %s: not '%s': %s\n", __FILE__, __LINE__, #call, \
				words, (f)->text); \
			_exit(1); \
		} \
	} while (0)

/* The call must fail with this code. */
#define expect_fault_code(call, f, wanted) expect_fault(call, f, wanted, "")

static inline void
warn(const char *text)
{
	n_warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", text);
}

/* Each case in its own process, with a new token and this in its environment. */
static inline void
in_a_process(void (*body)(void), const char *const environment[][2], size_t n)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setenv("TEST_PIN", "1234", 1);
		for (size_t i = 0; i < n; i++)
			setenv(environment[i][0], environment[i][1], 1);
		ca_key = soft_key("P-256");
		body();
		EVP_PKEY_free(ca_key);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define RUN(body, ...) \
	do { \
		static const char *const environment_[][2] = {__VA_ARGS__}; \
		in_a_process(body, environment_, N_ELEMENTS(environment_)); \
	} while (0)

#define PLAIN \
	{ \
		"MOCK_PKCS11_LABEL", "mock" \
	}

/* Bytes with their number, from a literal that may have NULs in it. */
struct bytes {
	const void *at;
	size_t len;
};

#define B(literal) \
	(struct bytes) \
	{ \
		literal, sizeof(literal) - 1 \
	}

/* As another program would write to the token: nothing of ours is open meanwhile. */
static inline void
begin_writing(void)
{
	void *library = dlopen(source.module, RTLD_NOW);
	CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");

	expect(get && get(&api) == CKR_OK && api->C_Initialize(NULL) == CKR_OK);
	expect(api->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ==
		CKR_OK);
	expect(api->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t) "1234", 4) == CKR_OK);
}

static inline void
end_writing(void)
{
	expect(api->C_CloseSession(session) == CKR_OK && api->C_Finalize(NULL) == CKR_OK);
}

/* A P-256 pair; the public half may have another label, or be missing. Returns it. */
static inline EVP_PKEY *
write_pair(struct bytes label, struct bytes id, const struct bytes *public_label, bool lone)
{
	static CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
	const struct bytes *shown = public_label ? public_label : &label;
	CK_BBOOL yes = CK_TRUE;
	CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
	CK_ATTRIBUTE public[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_EC_PARAMS, p256, sizeof(p256)},
		{CKA_LABEL, (void *)(uintptr_t)shown->at, shown->len},
		{CKA_ID, (void *)(uintptr_t)id.at, id.len},
	};
	CK_ATTRIBUTE private[] = {
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &yes, sizeof(yes)},
		{CKA_SIGN, &yes, sizeof(yes)},
		{CKA_LABEL, (void *)(uintptr_t)label.at, label.len},
		{CKA_ID, (void *)(uintptr_t)id.at, id.len},
	};
	unsigned char point[67];
	CK_ATTRIBUTE value = {CKA_EC_POINT, point, sizeof(point)};
	CK_OBJECT_HANDLE a, b;
	EVP_PKEY *key = soft_key("P-256"), *result = EVP_PKEY_new();

	expect(api->C_GenerateKeyPair(session, &mechanism, public, 4, private, 5, &a, &b) ==
		CKR_OK);
	expect(api->C_GetAttributeValue(session, a, &value, 1) == CKR_OK &&
		value.ulValueLen == sizeof(point));
	expect(EVP_PKEY_copy_parameters(result, key) == 1 &&
		EVP_PKEY_set1_encoded_public_key(result, point + 2, sizeof(point) - 2) == 1);
	if (lone)
		expect(api->C_DestroyObject(session, a) == CKR_OK);
	EVP_PKEY_free(key);
	return result;
}

/* days: until it ends; ca: a CA's, which has this key */
static inline X509 *
certify(EVP_PKEY *key, const char *cn, int days, bool ca)
{
	static long serial;

	return soft_cert(&(struct soft_cert){.cn = cn,
		.key = key,
		.ca_key = ca_key,
		.is_ca = ca,
		.serial = ++serial,
		.from = time(NULL) - SOFT_DAY,
		.days = days + 1});
}

static inline void
write_certificate(struct bytes label, struct bytes id, X509 *cert, bool private)
{
	AUTO(auto_openssl) unsigned char *der = NULL;
	CK_OBJECT_CLASS class = CKO_CERTIFICATE;
	CK_CERTIFICATE_TYPE type = CKC_X_509;
	CK_BBOOL yes = CK_TRUE, hidden = private ? CK_TRUE : CK_FALSE;
	int len = i2d_X509(cert, &der);
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_CERTIFICATE_TYPE, &type, sizeof(type)},
		{CKA_TOKEN, &yes, sizeof(yes)},
		{CKA_PRIVATE, &hidden, sizeof(hidden)},
		{CKA_SUBJECT, (void *)(uintptr_t) "", 0},
		{CKA_VALUE, der, (CK_ULONG)len},
		{CKA_LABEL, (void *)(uintptr_t)label.at, label.len},
		{CKA_ID, (void *)(uintptr_t)id.at, id.len},
	};
	CK_OBJECT_HANDLE handle;

	expect(api->C_CreateObject(session, template, 8, &handle) == CKR_OK);
}

static inline struct token *
opened(const char *uri)
{
	struct fault f = FAULT_INIT;
	struct token *token;

	expect_ok(token_open(uri, &source, &token, &f), &f);
	return token;
}

static inline void
not_opened(const char *uri, enum fault_code code, const char *words)
{
	struct fault f = FAULT_INIT;
	struct token *token = NULL;

	expect_fault(token_open(uri, &source, &token, &f), &f, code, words);
}

/* Whether a key of the token's signs for this public key and has it as its own. */
static inline bool
signs_for(EVP_PKEY *key, EVP_PKEY *public)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	AUTO(auto_openssl) unsigned char *a = NULL, *b = NULL;
	unsigned char signature[256];
	size_t len = sizeof(signature);
	int n = i2d_PUBKEY(key, &a), m = i2d_PUBKEY(public, &b);

	return n == m && memcmp(a, b, (size_t)n) == 0 &&
	       EVP_DigestSignInit(sign, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(sign, signature, &len, (const unsigned char *)"text", 4) == 1 &&
	       EVP_DigestVerifyInit(verify, NULL, EVP_sha256(), NULL, public) == 1 &&
	       EVP_DigestVerify(verify, signature, len, (const unsigned char *)"text", 4) == 1;
}

static inline void
key_is(const char *uri, EVP_PKEY *public)
{
	AUTO(auto_token) struct token *token = opened(uri);
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_private_key(token, &key, &f), &f);
	expect(signs_for(key, public));
}

static inline void
certificate_is(const char *uri, X509 *wanted)
{
	AUTO(auto_token) struct token *token = opened(uri);
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_certificate(token, &cert, &f), &f);
	if (X509_cmp(cert, wanted))
		fprintf(stderr, "another certificate for %s\n", uri);
	expect(X509_cmp(cert, wanted) == 0);
}

static inline void
no_certificate(const char *uri, enum fault_code code, const char *words)
{
	AUTO(auto_token) struct token *token = opened(uri);
	struct fault f = FAULT_INIT;
	X509 *cert = NULL;

	expect_fault(token_certificate(token, &cert, &f), &f, code, words);
	expect(cert == NULL);
}

/* What a list has. */
struct seen {
	size_t n[4];
	char uris[64][TOKEN_URI_MAX];
	enum token_item_kind kinds[64];
	size_t n_uris;
};

static inline int
see(const struct token_item *item, void *with, struct fault *f)
{
	struct seen *seen = with;

	(void)f;
	seen->n[item->kind]++;
	/* What people are shown is UTF-8 and one line. */
	for (const unsigned char *p = (const unsigned char *)item->label; *p;) {
		unsigned long value;
		int n = UTF8_getc(p, (int)strlen((const char *)p), &value);

		expect(n > 0 && value >= 0x20);
		p += n;
	}
	if (seen->n_uris < N_ELEMENTS(seen->uris)) {
		expect(snprintf(seen->uris[seen->n_uris], sizeof(seen->uris[0]), "%s", item->uri) <
			(int)sizeof(seen->uris[0]));
		seen->kinds[seen->n_uris++] = item->kind;
	}
	return 0;
}

static inline void
list(const char *uri, bool login, struct seen *seen)
{
	struct fault f = FAULT_INIT;

	memset(seen, 0, sizeof(*seen));
	expect_ok(token_list(uri, &source, login, see, seen, &f), &f);
}

/* Runs the tests of a program; 77 without the mock module. */
#define RUN_MOCK_TESTS(tests) \
	(source.module = getenv("MOCK_MODULE"), source.warn = warn, \
		source.module ? cmocka_run_group_tests(tests, NULL, NULL) : 77)

#endif
