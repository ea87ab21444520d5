/*
 * Runs against the token that the environment names:
 *   TEST_TOKEN_URI             pkcs11:token=...
 *   P11_GATEWAY_MODULE         its module
 *   P11_GATEWAY_PIN_SOURCE     its PIN
 *   TEST_TOKEN_TYPES           key types it can make, separated by spaces
 */
#include "config.h"

#include "unit.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "base/auto.h"
#include "one-cert.h"
#include "token/token.h"

static struct token_source source;

/* A URI of our token with more behind it. */
#define URI(...) uri_with((char[512]){0}, __VA_ARGS__)
static const char *uri_with(char *into, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static const char *
uri_with(char *into, const char *format, ...)
{
	va_list ap;
	int n = snprintf(into, 512, "%s", getenv("TEST_TOKEN_URI"));

	va_start(ap, format);
	vsnprintf(into + n, 512 - (size_t)n, format, ap);
	va_end(ap);
	return into;
}

static bool
can_make(const char *type)
{
	return strstr(getenv("TEST_TOKEN_TYPES"), type) != NULL;
}

static struct token *
open_token(const char *uri)
{
	struct fault f = FAULT_INIT;
	struct token *token;

	assert_ok(token_open(uri, &source, &token, &f), &f);
	return token;
}

static void
make_key(const char *label, const char *type)
{
	AUTO(auto_token) struct token *token = open_token(URI(";object=%s", label));
	AUTO(auto_free) char *uri = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(token_keygen(token, type, &uri, &f), &f);
	assert_non_null(strstr(uri, label));
	assert_non_null(strstr(uri, "id=%"));
}

static EVP_PKEY *
get_key(const char *uri)
{
	AUTO(auto_token) struct token *token = open_token(uri);
	struct fault f = FAULT_INIT;
	EVP_PKEY *key;

	assert_ok(token_private_key(token, &key, &f), &f);
	return key; /* outlives the token's close */
}

/* Verified by a key that knows nothing of the token. */
static bool
signs(EVP_PKEY *key)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *sign = EVP_MD_CTX_new(), *verify = EVP_MD_CTX_new();
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	AUTO(auto_pkey) EVP_PKEY *public = NULL;
	unsigned char signature[1024];
	size_t len = sizeof(signature);

	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	assert_non_null(public);
	return EVP_DigestSignInit(sign, NULL, EVP_sha256(), NULL, key) == 1 &&
	       EVP_DigestSign(sign, signature, &len, (const unsigned char *)"text", 4) == 1 &&
	       EVP_DigestVerifyInit(verify, NULL, EVP_sha256(), NULL, public) == 1 &&
	       EVP_DigestVerify(verify, signature, len, (const unsigned char *)"text", 4) == 1;
}

static X509 *
certify(EVP_PKEY *subject, const char *name, EVP_PKEY *signer)
{
	X509 *cert = X509_new();
	X509_NAME *dn = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(dn, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, dn);
	assert_int_equal(X509_set_pubkey(cert, subject), 1);
	assert_true(X509_sign(cert, signer, EVP_sha256()) > 0);
	return cert;
}

static void
key_made_in_token_signs_after_close(void **state)
{
	static const char *const types[] = {"ec:p256", "ec:p384", "rsa:2048", "rsa:3072"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		char label[32];
		EVP_PKEY *key;

		if (!can_make(types[i]))
			continue;
		snprintf(label, sizeof(label), "sign-%.2s%zu", types[i], i);
		make_key(label, types[i]);
		key = get_key(URI(";object=%s", label));
		assert_true(signs(key));
		assert_true(signs(key));
		EVP_PKEY_free(key);
	}
}

static void
two_keys_of_two_opens_sign_in_turn(void **state)
{
	EVP_PKEY *a = get_key(URI(";object=sign-ec0"));
	EVP_PKEY *b = get_key(URI(";object=sign-rs2"));

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(signs(a));
		assert_true(signs(b));
	}
	EVP_PKEY_free(a);
	assert_true(signs(b));
	EVP_PKEY_free(b);
}

static void
curve_is_named(void **state)
{
	AUTO(auto_pkey) EVP_PKEY *key = get_key(URI(";object=sign-ec0"));
	AUTO(auto_openssl) unsigned char *der = NULL;

	(void)state;
	/* The named curve's SubjectPublicKeyInfo has this very length; explicit ones are longer. */
	assert_int_equal(i2d_PUBKEY(key, &der), 91);
}

static void
key_is_not_made_twice(void **state)
{
	AUTO(auto_token) struct token *same_label = open_token(URI(";object=sign-ec0"));
	AUTO(auto_token) struct token *same_id = NULL;
	struct fault f = FAULT_INIT;
	char *uri = NULL;

	(void)state;
	assert_fault(token_keygen(same_label, "ec:p256", &uri, &f), &f, FAULT_EXISTS);
	{
		AUTO(auto_token)
		struct token *first = open_token(URI(";object=with-id;id=%%01%%02"));
		AUTO(auto_free) char *made = NULL;

		assert_ok(token_keygen(first, "ec:p256", &made, &f), &f);
	}
	same_id = open_token(URI(";object=other;id=%%01%%02"));
	assert_fault(token_keygen(same_id, "ec:p256", &uri, &f), &f, FAULT_EXISTS);
	assert_null(uri);
}

static void
bad_requests_are_refused(void **state)
{
	static const struct {
		const char *behind;
		const char *type;
		enum fault_code code;
	} rows[] = {
		{";object=x", "rsa:1024", FAULT_USAGE},
		{";object=x", "", FAULT_USAGE},
		{"", "ec:p256", FAULT_USAGE},
	};
	struct fault f = FAULT_INIT;
	struct token *none = NULL;
	EVP_PKEY *key = NULL;
	X509 *cert = NULL;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_token) struct token *token = open_token(URI("%s", rows[i].behind));
		char *uri = NULL;

		assert_fault(token_keygen(token, rows[i].type, &uri, &f), &f, rows[i].code);
		assert_null(uri);
	}
	{
		AUTO(auto_token) struct token *token = open_token(URI(";object=nobody"));

		assert_fault(token_private_key(token, &key, &f), &f, FAULT_NOTFOUND);
		assert_non_null(strstr(f.text, "nobody"));
		assert_fault(token_certificate(token, &cert, &f), &f, FAULT_NOTFOUND);
		assert_fault(token_certificate_delete(token, &f), &f, FAULT_NOTFOUND);
	}
	assert_fault(token_open("pkcs11:token=nowhere", &source, &none, &f), &f, FAULT_NOTFOUND);
	assert_non_null(strstr(f.text, "nowhere"));
	assert_fault(token_open("pkcs11:token=x?module-path=/nowhere.so", NULL, &none, &f), &f,
		FAULT_NOTFOUND);
	assert_fault(token_open("pkcs11:token=x?module-name=nowhere", NULL, &none, &f), &f,
		FAULT_NOTFOUND);
	assert_null(none);
}

static void
several_keys_are_ambiguous(void **state)
{
	AUTO(auto_token) struct token *token = open_token(getenv("TEST_TOKEN_URI"));
	struct fault f = FAULT_INIT;
	EVP_PKEY *key = NULL;

	(void)state;
	assert_fault(token_private_key(token, &key, &f), &f, FAULT_AMBIGUOUS);
	assert_non_null(strstr(f.text, "object="));
}

static int
count_certificates(const struct token_item *item, void *with, struct fault *f)
{
	(void)f;
	if (item->kind == TOKEN_ITEM_CERTIFICATE && strcmp(item->label, "sign-ec0") == 0)
		(*(int *)with)++;
	return 0;
}

static int
certificates_in_token(void)
{
	struct fault f = FAULT_INIT;
	int n = 0;

	assert_ok(token_list(getenv("TEST_TOKEN_URI"), &source, false, count_certificates, &n, &f),
		&f);
	return n;
}

static void
certificate_is_imported_replaced_and_deleted(void **state)
{
	AUTO(auto_pkey) EVP_PKEY *key = get_key(URI(";object=sign-ec0"));
	AUTO(auto_pkey) EVP_PKEY *other = EVP_EC_gen("P-256");
	AUTO(auto_x509) X509 *first = certify(key, "first", other);
	AUTO(auto_x509) X509 *second = certify(key, "second", key);
	AUTO(auto_x509) X509 *foreign = certify(other, "foreign", other);
	AUTO(auto_token) struct token *token = open_token(URI(";object=sign-ec0"));
	X509 *const order[] = {first, first, second, first};
	struct fault f = FAULT_INIT;
	char *none = NULL;
	X509 *beside = NULL;

	(void)state;
	assert_fault(token_key_certificate(other, &beside, &f), &f, FAULT_USAGE);
	assert_fault(token_key_certificate(key, &beside, &f), &f, FAULT_NOTFOUND);
	assert_fault(import_one(token, foreign, &none, &f), &f, FAULT_INVALID);
	assert_int_equal(certificates_in_token(), 0);
	for (size_t i = 0; i < N_ELEMENTS(order); i++) {
		AUTO(auto_free) char *uri = NULL;
		AUTO(auto_x509) X509 *there = NULL;

		assert_ok(import_one(token, order[i], &uri, &f), &f);
		assert_non_null(strstr(uri, "type=cert"));
		assert_ok(token_certificate(token, &there, &f), &f);
		assert_int_equal(X509_cmp(there, order[i]), 0);
		assert_ok(token_key_certificate(key, &beside, &f), &f);
		assert_int_equal(X509_cmp(beside, order[i]), 0);
		X509_free(TAKE(beside));
		assert_int_equal(certificates_in_token(), 1);
	}
	assert_fault(import_one(token, foreign, &none, &f), &f, FAULT_INVALID);
	assert_int_equal(certificates_in_token(), 1);
	assert_ok(token_certificate_delete(token, &f), &f);
	assert_int_equal(certificates_in_token(), 0);
	assert_true(signs(key));
}

static int
check_item(const struct token_item *item, void *with, struct fault *f)
{
	unsigned *seen = with;
	struct token *token;

	seen[item->kind]++;
	/* Every URI that is shown is one that is taken. */
	assert_ok(token_open(item->uri, &source, &token, f), f);
	token_close(token);
	if (item->kind == TOKEN_ITEM_PRIVATE_KEY) {
		assert_false(item->extractable);
		assert_true(item->sensitive);
		assert_true(item->local);
		assert_non_null(strstr(item->about, "not extractable"));
	}
	if (item->kind == TOKEN_ITEM_PRIVATE_KEY && strcmp(item->label, "sign-ec0") == 0)
		assert_non_null(strstr(item->about, "EC P-256"));
	return 0;
}

static int
stop(const struct token_item *item, void *with, struct fault *f)
{
	(void)item, (void)with;
	return fault_set(f, FAULT_CANCELLED, "enough");
}

static void
list_shows_what_login_allows(void **state)
{
	struct fault f = FAULT_INIT;
	unsigned seen[4] = {0};

	(void)state;
	assert_ok(token_list(getenv("TEST_TOKEN_URI"), &source, true, check_item, seen, &f), &f);
	assert_int_equal(seen[TOKEN_ITEM_TOKEN], 1);
	assert_true(seen[TOKEN_ITEM_PRIVATE_KEY] >= 3);
	assert_true(seen[TOKEN_ITEM_PUBLIC_KEY] >= 3);
	assert_fault(token_list(getenv("TEST_TOKEN_URI"), &source, false, stop, NULL, &f), &f,
		FAULT_CANCELLED);
}

static void
new_login_keeps_the_token_usable(void **state)
{
	AUTO(auto_token) struct token *token = open_token(URI(";object=sign-ec0"));
	struct fault f = FAULT_INIT;

	(void)state;
	for (int i = 0; i < 5; i++) {
		EVP_PKEY *key;

		assert_ok(token_relogin(token, &f), &f);
		assert_ok(token_private_key(token, &key, &f), &f);
		assert_true(signs(key));
		EVP_PKEY_free(key);
	}
}

/* Last: the token is not offered a PIN in this process again. */
static void
wrong_pin_is_offered_once(void **state)
{
	struct token_source wrong = {.module = source.module, .pin_source = "env:TEST_WRONG_PIN"};
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_token) struct token *right = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	setenv("TEST_WRONG_PIN", "987654321", 1);
	assert_ok(token_open(getenv("TEST_TOKEN_URI"), &wrong, &token, &f), &f);
	assert_fault(token_login(token, &f), &f, FAULT_PIN);
	assert_null(strstr(f.text, "987654321"));
	assert_fault(token_login(token, &f), &f, FAULT_PIN);
	assert_non_null(strstr(f.text, "will not be offered again"));
	right = open_token(getenv("TEST_TOKEN_URI"));
	assert_fault(token_login(right, &f), &f, FAULT_PIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(key_made_in_token_signs_after_close),
		cmocka_unit_test(two_keys_of_two_opens_sign_in_turn),
		cmocka_unit_test(curve_is_named),
		cmocka_unit_test(key_is_not_made_twice),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(several_keys_are_ambiguous),
		cmocka_unit_test(certificate_is_imported_replaced_and_deleted),
		cmocka_unit_test(list_shows_what_login_allows),
		cmocka_unit_test(new_login_keeps_the_token_usable),
		cmocka_unit_test(wrong_pin_is_offered_once),
	};

	if (!getenv("TEST_TOKEN_URI") || !getenv("TEST_TOKEN_TYPES"))
		return 77;
	source.module = getenv("P11_GATEWAY_MODULE");
	source.pin_source = getenv("P11_GATEWAY_PIN_SOURCE");
	/* It stays, so that what leaks in it can be told from what leaks here. */
	if (source.module)
		dlopen(source.module, RTLD_LAZY | RTLD_NODELETE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
