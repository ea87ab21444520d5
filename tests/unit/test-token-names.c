/*
 * Names and objects as real tokens have them, made in the mock module: padded, long, empty, not
 * UTF-8, of one name, without their other half, unreadable.
 */
#include "config.h"

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

static void
warn(const char *text)
{
	n_warnings++;
	snprintf(last_warning, sizeof(last_warning), "%s", text);
}

/* Each case in its own process, with a new token and this in its environment. */
static void
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
static void
begin_writing(void)
{
	void *library = dlopen(source.module, RTLD_NOW);
	CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");

	expect(get && get(&api) == CKR_OK && api->C_Initialize(NULL) == CKR_OK);
	expect(api->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session) ==
		CKR_OK);
	expect(api->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(uintptr_t) "1234", 4) == CKR_OK);
}

static void
end_writing(void)
{
	expect(api->C_CloseSession(session) == CKR_OK && api->C_Finalize(NULL) == CKR_OK);
}

/* A P-256 pair; the public half may have another label, or be missing. Returns it. */
static EVP_PKEY *
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
static X509 *
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

static void
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

static struct token *
opened(const char *uri)
{
	struct fault f = FAULT_INIT;
	struct token *token;

	expect_ok(token_open(uri, &source, &token, &f), &f);
	return token;
}

static void
not_opened(const char *uri, enum fault_code code, const char *words)
{
	struct fault f = FAULT_INIT;
	struct token *token = NULL;

	expect_fault(token_open(uri, &source, &token, &f), &f, code, words);
}

/* Whether a key of the token's signs for this public key and has it as its own. */
static bool
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

static void
key_is(const char *uri, EVP_PKEY *public)
{
	AUTO(auto_token) struct token *token = opened(uri);
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_private_key(token, &key, &f), &f);
	expect(signs_for(key, public));
}

static void
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

static void
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
	char uris[64][2048];
	enum token_item_kind kinds[64];
	size_t n_uris;
};

static int
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

static void
list(const char *uri, bool login, struct seen *seen)
{
	struct fault f = FAULT_INIT;

	memset(seen, 0, sizeof(*seen));
	expect_ok(token_list(uri, &source, login, see, seen, &f), &f);
}

static void
padded(void)
{
	static const char *const good[] = {
		"pkcs11:token=mock",
		"pkcs11:token=mock%00",
		"pkcs11:token=mock%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%00%"
		"00%00"
		"%00%00%00%00%00",
		"pkcs11:token=mock%20%20",
		"pkcs11:token=%6d%6F%63k;serial=%30000000%31;model=moc%6b;manufacturer=p11%"
		"2dgateway",
		"pkcs11:model=mock%00%00%00%00%00%00%00%00%00%00%00%00;manufacturer=p11-gateway%00;"
		"serial=00000001%00%00;token=mock%00",
		"pkcs11:library-manufacturer=p11-gateway;library-version=1.0;token=mock",
		"pkcs11:slot-description=mock%20slot%200;slot-manufacturer=p11-gateway;slot-id=0",
	};
	static const struct {
		const char *uri, *words;
	} bad[] = {
		{"pkcs11:token=moc", "token=moc:"},
		{"pkcs11:token=", "token=:"},
		{"pkcs11:token=mock%20x", "token=mock%20x:"},
		{"pkcs11:token=mock;serial=", "serial=:"},
		{"pkcs11:token=mock;serial=7", "no token with serial=7: there is "},
		{"pkcs11:token=mock;model=x", "no token with model=x: there is "},
		{"pkcs11:token=mock;slot-id=3", "slot"},
		{"pkcs11:token=mock;library-version=2.0", "library"},
	};

	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		token_close(opened(good[i]));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		not_opened(bad[i].uri, FAULT_NOTFOUND, bad[i].words);
		not_opened(bad[i].uri, FAULT_NOTFOUND,
			i < 6 ? "there is serial=00000001;token=mock" : "token=mock");
	}
}

/* The list names tokens without their padding, and takes its own names. */
static void
padded_list(void)
{
	static struct seen seen;

	list(NULL, false, &seen);
	expect(seen.n[TOKEN_ITEM_TOKEN] == 1 && !strstr(seen.uris[0], "%00"));
	expect(strstr(seen.uris[0], "token=mock?module-path=") != NULL);
	token_close(opened(seen.uris[0]));
}

static void
padding_does_not_count(void **state)
{
	(void)state;
	RUN(padded, PLAIN);
	RUN(padded, {"MOCK_PKCS11_PADDING", "nul"});
	RUN(padded_list, PLAIN);
	RUN(padded_list, {"MOCK_PKCS11_PADDING", "nul"});
}

/* Several with nothing in their labels, or of one label, each with a name of its own. */
static void
odd_names(void)
{
	static char long_a[300], long_b[300], long_label[400];
	static struct seen seen;
	const struct {
		struct bytes label, id;
	} rows[] = {
		{B("a"), B("\x01")},
		{B("a"), B("")},
		{B(""), B("\x02")},
		{B(""), B("")},
		{B("a"), B("\x80\xff\x00\x01")},
		{B("a\0\0"), B("\x03")},
		{B("a\0b"), B("\x03")},
		{B("a "), B("\x04")},
		{B("\xff\xfe\x1b[31m"), B("\xc3")},
		{B("%41;/?&="), B(" ")},
		{B("long"), {long_a, sizeof(long_a)}},
		{B("long"), {long_b, sizeof(long_b)}},
		{B("long"), {long_a, 255}},
		{{long_label, sizeof(long_label)}, B("\x05")},
	};
	EVP_PKEY *keys[N_ELEMENTS(rows)];
	size_t found = 0;

	memset(long_a, 'a', sizeof(long_a));
	memcpy(long_b, long_a, sizeof(long_b));
	long_b[299] = (char)0x80;
	memset(long_label, 'l', sizeof(long_label));
	begin_writing();
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		keys[i] = write_pair(rows[i].label, rows[i].id, NULL, false);
	end_writing();
	list("pkcs11:token=mock", true, &seen);
	expect(seen.n[TOKEN_ITEM_PRIVATE_KEY] == N_ELEMENTS(rows));
	expect(seen.n[TOKEN_ITEM_PUBLIC_KEY] == N_ELEMENTS(rows));
	/* In the order in which they were made: private ones, then public ones. */
	for (size_t i = 0; i < seen.n_uris; i++) {
		if (seen.kinds[i] == TOKEN_ITEM_TOKEN)
			continue;
		key_is(seen.uris[i], keys[found++ % N_ELEMENTS(rows)]);
	}
	expect(found == 2 * N_ELEMENTS(rows));
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		EVP_PKEY_free(keys[i]);
}

static void
every_uri_of_the_list_is_accepted(void **state)
{
	(void)state;
	RUN(odd_names, PLAIN);
	RUN(odd_names, {"MOCK_PKCS11_PADDING", "nul"});
}

static void
too_many(void)
{
	static struct seen seen;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	char label[16];

	begin_writing();
	key = write_pair(B("first"), B("\x01"), NULL, false);
	cert = certify(key, "x", 1, false);
	for (int i = 0; i < 700; i++) {
		int n = snprintf(label, sizeof(label), "c%03d", i);

		write_certificate((struct bytes){label, (size_t)n}, B("\x07"), cert, false);
	}
	EVP_PKEY_free(TAKE(key));
	key = write_pair(B("last"), B("\x02"), NULL, false);
	end_writing();
	list("pkcs11:token=mock", true, &seen);
	expect(seen.n[TOKEN_ITEM_CERTIFICATE] == 700 && seen.n[TOKEN_ITEM_PRIVATE_KEY] == 2);
	key_is("pkcs11:token=mock;object=last", key);
	certificate_is("pkcs11:token=mock;object=first", cert);
	certificate_is("pkcs11:token=mock;object=c699;type=cert", cert);
}

static void
many_objects_are_all_listed(void **state)
{
	(void)state;
	RUN(too_many, PLAIN);
}

static void
both_listed(void)
{
	static struct seen seen;

	list(NULL, false, &seen);
	expect(seen.n[TOKEN_ITEM_TOKEN] == 2);
	expect(n_warnings == 1 && strstr(last_warning, "token 'mock'"));
	expect(strstr(last_warning, "CKR_DEVICE_ERROR") != NULL);
}

static void
other_listed(void)
{
	static struct seen seen;

	list(NULL, false, &seen);
	expect(seen.n[TOKEN_ITEM_TOKEN] == 1 && strstr(seen.uris[0], "serial=00000002"));
	expect(n_warnings == 1 && strstr(last_warning, "slot 0"));
	/* Nor does it hide the others from who names one. */
	token_close(opened("pkcs11:token=mock;serial=00000002"));
}

/* One key of two cannot be read, or shows no label: the other one is there. */
static void
one_hidden(void)
{
	static struct seen seen;
	AUTO(auto_pkey) EVP_PKEY *a = NULL, *b = NULL;
	bool sensitive = strstr(getenv("MOCK_PKCS11_FAULTS"), "SENSITIVE") != NULL;

	begin_writing();
	/* Its only attribute that is read here is the point. */
	a = write_pair(B("a"), B("\x01"), NULL, false);
	b = write_pair(B("b"), B("\x02"), NULL, false);
	end_writing();
	list(NULL, false, &seen);
	expect(seen.n[TOKEN_ITEM_PUBLIC_KEY] == (sensitive ? 2 : 1));
	expect(n_warnings == (sensitive ? 0 : 1));
	expect(strstr(seen.uris[1], sensitive ? "id=%01;object=;" : "id=%02;object=b;") != NULL);
	if (!sensitive)
		expect(strstr(last_warning, "1 of 2 objects cannot be read") != NULL);
}

static void
what_cannot_be_read_hides_nothing(void **state)
{
	(void)state;
	RUN(both_listed, {"MOCK_PKCS11_TWIN", "1"},
		{"MOCK_PKCS11_FAULTS", "C_OpenSession=DEVICE_ERROR@1"});
	RUN(both_listed, {"MOCK_PKCS11_TWIN", "1"},
		{"MOCK_PKCS11_FAULTS", "C_FindObjectsInit=DEVICE_ERROR@1"});
	RUN(both_listed, {"MOCK_PKCS11_TWIN", "1"},
		{"MOCK_PKCS11_FAULTS", "C_FindObjects=DEVICE_ERROR@1"});
	RUN(other_listed, {"MOCK_PKCS11_TWIN", "1"},
		{"MOCK_PKCS11_FAULTS",
			"C_GetTokenInfo=DEVICE_ERROR@1,C_GetTokenInfo=DEVICE_ERROR@3,"
			"C_GetTokenInfo=DEVICE_ERROR@5"});
	/* The third and fourth: two points are read before, when the keys are made. */
	RUN(one_hidden, {"MOCK_PKCS11_FAULTS", "C_GetAttributeValue=DEVICE_ERROR@3"});
	RUN(one_hidden, {"MOCK_PKCS11_FAULTS", "C_GetAttributeValue=ATTRIBUTE_SENSITIVE@3"});
}

/* Tokens that differ in little, or in nothing but their slot. */
static void
twins(void)
{
	const char *telling = getenv("TEST_TELLING");
	static struct seen seen;

	not_opened("pkcs11:token=mock", FAULT_AMBIGUOUS, "matches 2 tokens");
	not_opened("pkcs11:token=mock", FAULT_AMBIGUOUS, telling);
	list(NULL, false, &seen);
	expect(seen.n[TOKEN_ITEM_TOKEN] == 2 && strstr(seen.uris[1], telling));
	for (size_t i = 0; i < seen.n_uris; i++)
		token_close(opened(seen.uris[i]));
}

static void
what_tells_tokens_apart_is_named(void **state)
{
	(void)state;
	RUN(twins, {"MOCK_PKCS11_TWIN", "1"}, {"TEST_TELLING", "serial=00000002"});
	RUN(twins, {"MOCK_PKCS11_TWIN", "1"}, {"MOCK_PKCS11_SERIAL", "0000"},
		{"MOCK_PKCS11_MODEL", "other"}, {"TEST_TELLING", "model=other"});
	RUN(twins, {"MOCK_PKCS11_TWIN", "1"}, {"MOCK_PKCS11_SERIAL", "7"},
		{"MOCK_PKCS11_MODEL", "other"}, {"TEST_TELLING", "model=other"});
	RUN(twins, {"MOCK_PKCS11_TWIN", "1"}, {"MOCK_PKCS11_SERIAL", "7"},
		{"TEST_TELLING", "slot-id=1"});
}

/* The URI that keygen prints names the token as exactly as its user did. */
static void
printed_by_keygen(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:slot-id=1;token=mock;object=k");
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;

	expect_ok(token_keygen(token, "ec:p256", &uri, &f), &f);
	expect(strstr(uri, "slot-id=1;") && !strstr(uri, "%00"));
	token_close(opened(uri));
}

static void
keygen_names_the_token_exactly(void **state)
{
	(void)state;
	RUN(printed_by_keygen, {"MOCK_PKCS11_TWIN", "1"}, {"MOCK_PKCS11_SERIAL", "7"},
		{"MOCK_PKCS11_PADDING", "nul"});
}

static int
import(const char *uri, X509 *const *certs, size_t n, struct fault *f)
{
	AUTO(auto_token) struct token *token = opened(uri);
	STACK_OF(X509) *offered = sk_X509_new_null();
	AUTO(auto_free) char *printed = NULL;
	int status;

	for (size_t i = 0; i < n; i++)
		expect(sk_X509_push(offered, certs[i]) > 0);
	status = token_certificate_import(token, offered, &printed, f);
	sk_X509_free(offered);
	expect(ERR_peek_error() == 0);
	if (status == 0) {
		AUTO(auto_token) struct token *again = NULL;
		AUTO(auto_x509) X509 *there = NULL;

		token_close(TAKE(token));
		again = opened(printed);
		expect_ok(token_certificate(again, &there, f), f);
	}
	return status;
}

static size_t
certificates(void)
{
	static struct seen seen;

	list("pkcs11:token=mock", true, &seen);
	return seen.n[TOKEN_ITEM_CERTIFICATE];
}

/* As a PIV card has them: one id and a label each; other keys' certificates lie beside them. */
static void
card(void)
{
	static const struct bytes public_label = {"PIV AUTH pubkey", 15};
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL, *third = NULL;
	AUTO(auto_x509) X509 *own = NULL, *older = NULL, *elsewhere = NULL, *foreign = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	static const char private_uri[] = "pkcs11:token=mock;object=PIV%20AUTH%20key";

	begin_writing();
	key = write_pair(B("PIV AUTH key"), B("\x01"), &public_label, false);
	other = write_pair(B("other"), B("\x02"), NULL, false);
	third = write_pair(B("third"), B("\x03"), NULL, false);
	own = certify(key, "own", 30, false);
	older = certify(key, "older", 3, false);
	elsewhere = certify(other, "elsewhere", 30, false);
	foreign = certify(ca_key, "foreign", 30, false);
	/* A CA's certificate with the key's id, one with its label, and the key's two. */
	write_certificate(B("ca"), B("\x01"), ca, false);
	write_certificate(B("PIV AUTH key"), B(""), ca, false);
	write_certificate(B("Certificate for PIV Authentication"), B("\x01"), older, false);
	write_certificate(B("Certificate for PIV Authentication"), B("\x01"), own, false);
	/* Neither id nor label is its key's. */
	write_certificate(B("somewhere"), B("\x99"), elsewhere, false);
	/* Only the names are the key's. */
	write_certificate(B("third"), B("\x03"), foreign, false);
	end_writing();
	certificate_is(private_uri, own);
	certificate_is("pkcs11:token=mock;object=PIV%20AUTH%20pubkey;type=public", own);
	certificate_is("pkcs11:token=mock;id=%01", own);
	certificate_is("pkcs11:token=mock;object=other", elsewhere);
	certificate_is("pkcs11:token=mock;object=third;type=cert", foreign);
	no_certificate(
		"pkcs11:token=mock;object=third", FAULT_INVALID, "'CN = foreign' is for another");
	no_certificate(
		"pkcs11:token=mock;object=x", FAULT_NOTFOUND, "no certificate with object=x");
	/* A public key and a certificate name their private key. */
	key_is("pkcs11:token=mock;object=PIV%20AUTH%20pubkey;type=public", key);
	key_is("pkcs11:token=mock;object=somewhere;type=cert", other);
}

static void
card_written(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	AUTO(auto_x509) X509 *old = NULL, *foreign = NULL, *renewed = NULL, *newest = NULL;
	static const char uri[] = "pkcs11:token=mock;object=k";
	struct fault f = FAULT_INIT;
	struct token *token;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, false);
	old = certify(key, "old", 3, false);
	renewed = certify(key, "renewed", 30, false);
	newest = certify(key, "newest", 60, false);
	foreign = certify(ca_key, "foreign", 30, false);
	write_certificate(B("k"), B("\x01"), ca, false);
	write_certificate(B("a label of its own"), B("\x99"), old, false);
	end_writing();
	X509 *const chain[] = {ca, foreign, renewed, newest, ca};
	X509 *const others[] = {ca, foreign};

	certificate_is(uri, old);
	expect_fault(
		import(uri, &foreign, 1, &f), &f, FAULT_INVALID, "'CN = foreign' is for another");
	expect_fault(import(uri, &foreign, 1, &f), &f, FAULT_INVALID, "id=%01;object=k");
	expect_fault(
		import(uri, others, 2, &f), &f, FAULT_INVALID, "'CN = some ca', 'CN = foreign'");
	expect(certificates() == 2);
	certificate_is(uri, old);
	/* The key's newest of the chain replaces the key's old one and nothing else. */
	expect_ok(import(uri, chain, N_ELEMENTS(chain), &f), &f);
	expect(certificates() == 2);
	certificate_is(uri, newest);
	expect_ok(import(uri, chain, N_ELEMENTS(chain), &f), &f);
	expect(certificates() == 2);
	token = opened(uri);
	expect_ok(token_certificate_delete(token, &f), &f);
	expect_fault(token_certificate_delete(token, &f), &f, FAULT_INVALID, "CN = some ca");
	token_close(token);
	expect(certificates() == 1);
	token = opened("pkcs11:token=mock;object=k;type=cert");
	expect_ok(token_certificate_delete(token, &f), &f);
	token_close(token);
	expect(certificates() == 0);
}

/* A certificate that is seen only after a login. */
static void
shown_after_login(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *cert = NULL;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, true);
	cert = certify(key, "hidden", 3, false);
	write_certificate(B("c"), B("\x01"), cert, true);
	end_writing();
	certificate_is("pkcs11:token=mock;object=k", cert);
	certificate_is("pkcs11:token=mock;object=c;type=cert", cert);
	key_is("pkcs11:token=mock;object=k", key);
	source.pin_source = "env:TEST_NO_PIN";
	no_certificate("pkcs11:token=mock;object=k", FAULT_NOTFOUND, "without a login");
}

static void
certificate_is_found_by_id_then_by_key(void **state)
{
	(void)state;
	RUN(card, PLAIN);
	RUN(card_written, PLAIN);
	RUN(shown_after_login, PLAIN);
}

/* A private EC key does not show its public half: a signature tells whose is whose. */
static void
lone(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL;
	AUTO(auto_x509) X509 *own = NULL, *others = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	static const char uri[] = "pkcs11:token=mock;object=lonely";
	struct fault f = FAULT_INIT;

	begin_writing();
	key = write_pair(B("lonely"), B("\x77"), NULL, true);
	other = write_pair(B("other"), B("\x78"), NULL, false);
	own = certify(key, "own", 30, false);
	others = certify(other, "others", 30, false);
	end_writing();
	X509 *const foreign[] = {ca, others};
	X509 *const chain[] = {ca, others, own};
	{
		AUTO(auto_token) struct token *token = opened(uri);
		EVP_PKEY *none = NULL;

		expect_fault(token_private_key(token, &none, &f), &f, FAULT_NOTFOUND, "none of 1");
	}
	expect_fault(
		import(uri, foreign, 2, &f), &f, FAULT_INVALID, "'CN = some ca', 'CN = others'");
	expect(certificates() == 0);
	expect_ok(import(uri, chain, 3, &f), &f);
	expect(certificates() == 1);
	certificate_is(uri, own);
	key_is(uri, key);
}

/* Its certificate has another id; another key's public half has this id. */
static void
misnamed(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL, *third = NULL;
	AUTO(auto_x509) X509 *own = NULL, *ca = certify(ca_key, "some ca", 900, true);

	begin_writing();
	key = write_pair(B("lonely"), B("\x77"), NULL, true);
	own = certify(key, "own", 30, false);
	write_certificate(B("x"), B("\x55"), own, false);
	write_certificate(B("y"), B("\x56"), ca, false);
	other = write_pair(B("a"), B("\x01"), NULL, false);
	third = write_pair(B("b"), B("\x01"), NULL, false);
	end_writing();
	key_is("pkcs11:token=mock;object=lonely", key);
	certificate_is("pkcs11:token=mock;object=lonely", own);
	/* Two pairs of one id: each signs for its own. */
	key_is("pkcs11:token=mock;object=a", other);
	key_is("pkcs11:token=mock;object=b", third);
	key_is("pkcs11:token=mock;object=b;type=public", third);
	key_is("pkcs11:token=mock;object=x;type=cert", key);
}

static void
signature_tells_whose_public_key_it_is(void **state)
{
	(void)state;
	RUN(lone, PLAIN);
	RUN(misnamed, PLAIN);
}

static void
no_such_key(void)
{
	static const struct {
		const char *uri, *words;
	} rows[] = {
		{"pkcs11:token=mock;object=device;id=%5ac3d4e6",
			"no key with id=%5A%63%33%64%34%65%36: there is "
			"id=%5A%C3%D4%E6;object=device"},
		{"pkcs11:token=mock;object=devise;id=%5a%c3%d4%e6",
			"no key with object=devise: there is id=%5A%C3%D4%E6;object=device"},
		{"pkcs11:token=mock;object=x;id=%01", "no key with id=%01;object=x: there is "},
		{"pkcs11:token=mock;object=x", "no key with object=x: there is id=%5A%C3%D4%E6"},
		{"pkcs11:token=mock;object=", "no key with object=: there is id=%5A%C3%D4%E6"},
	};
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;

	begin_writing();
	key = write_pair(B("device"), B("\x5a\xc3\xd4\xe6"), NULL, false);
	end_writing();
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_token) struct token *token = opened(rows[i].uri);
		EVP_PKEY *none = NULL;

		expect_fault(
			token_private_key(token, &none, &f), &f, FAULT_NOTFOUND, rows[i].words);
	}
}

static void
empty_token(void)
{
	AUTO(auto_token) struct token *token = opened("pkcs11:token=mock;object=x");
	struct fault f = FAULT_INIT;
	EVP_PKEY *none = NULL;

	expect_fault(token_private_key(token, &none, &f), &f, FAULT_NOTFOUND, "shows no key");
}

static void
what_does_not_match_is_named(void **state)
{
	(void)state;
	RUN(no_such_key, PLAIN);
	RUN(empty_token, PLAIN);
}

static void
read_only(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *lent = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	struct token *token;
	char *uri = NULL;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, false);
	cert = certify(key, "c", 3, false);
	write_certificate(B("k"), B("\x01"), cert, false);
	end_writing();
	token = opened("pkcs11:token=mock;object=k");
	expect_ok(token_private_key(token, &lent, &f), &f);
	expect(signs_for(lent, key));
	expect_fault(
		token_keygen(token, "ec:p256", &uri, &f), &f, FAULT_REFUSED, "write-protected");
	expect_fault(token_certificate_delete(token, &f), &f, FAULT_REFUSED, "write-protected");
	EVP_PKEY_free(TAKE(lent));
	token_close(token);
	if (!getenv("MOCK_PKCS11_FAULTS"))
		expect_fault(import("pkcs11:token=mock;object=k", &cert, 1, &f), &f, FAULT_REFUSED,
			"write-protected");
	certificate_is("pkcs11:token=mock;object=k", cert);
}

static void
token_that_cannot_be_written_to_is_read(void **state)
{
	(void)state;
	RUN(read_only, {"MOCK_PKCS11_FLAGS", "WRITE_PROTECTED"});
	/* It says so only when a session for writing is asked for; the first is the test's own. */
	RUN(read_only, {"MOCK_PKCS11_FAULTS", "C_OpenSession=TOKEN_WRITE_PROTECTED@2"});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(padding_does_not_count),
		cmocka_unit_test(every_uri_of_the_list_is_accepted),
		cmocka_unit_test(many_objects_are_all_listed),
		cmocka_unit_test(what_cannot_be_read_hides_nothing),
		cmocka_unit_test(what_tells_tokens_apart_is_named),
		cmocka_unit_test(keygen_names_the_token_exactly),
		cmocka_unit_test(certificate_is_found_by_id_then_by_key),
		cmocka_unit_test(signature_tells_whose_public_key_it_is),
		cmocka_unit_test(what_does_not_match_is_named),
		cmocka_unit_test(token_that_cannot_be_written_to_is_read),
	};

	source.module = getenv("MOCK_MODULE");
	if (!source.module)
		return 77;
	source.warn = warn;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
