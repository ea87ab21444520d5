#include "config.h"

#include "unit.h"

#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/base64url.h"
#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "soft-key.h"

#define NOW 1800000000

static EVP_PKEY *rsa, *p256, *p384, *other;

static int
make_keys(void **state)
{
	(void)state;
	rsa = soft_key("2048");
	p256 = soft_key("P-256");
	p384 = soft_key("P-384");
	other = soft_key("P-256");
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	EVP_PKEY_free(other);
	return 0;
}

static char *
make_token(EVP_PKEY *key)
{
	AUTO(auto_json) json_t *claims = NULL;
	struct fault f = FAULT_INIT;
	char *token;

	assert_ok(jwt_claims("project", 3600, NOW, &claims, &f), &f);
	assert_ok(jwt_sign(NULL, claims, key, &token, &f), &f);
	return token;
}

/* 0 when a text parses and the key signed it. */
static int
accepts(const char *text, size_t len, EVP_PKEY *key)
{
	AUTO(jwt_clear) struct jwt jwt = {0};
	struct fault f = FAULT_INIT;

	if (jwt_parse(text, len, false, &jwt, &f)) {
		assert_int_equal(f.code, FAULT_INVALID);
		assert_null(jwt.claims);
		return -1;
	}
	if (jwt_verify(&jwt, key, &f)) {
		assert_int_equal(f.code, FAULT_AUTH);
		return -1;
	}
	return 0;
}

static void
what_is_signed_verifies_with_that_key_alone(void **state)
{
	EVP_PKEY *keys[] = {rsa, p256, p384, other};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		AUTO(auto_secret) char *token = make_token(keys[i]);

		for (size_t k = 0; k < N_ELEMENTS(keys); k++)
			assert_int_equal(accepts(token, strlen(token), keys[k]), i == k ? 0 : -1);
	}
}

static void
header_and_claims_come_back(void **state)
{
	AUTO(auto_json) json_t *header = json_pack("{s:s}", "kid", "k1");
	AUTO(auto_json) json_t *claims = NULL;
	AUTO(auto_secret) char *token = NULL;
	AUTO(jwt_clear) struct jwt jwt = {0};
	char *items[] = {TEXT("role=gateway"), TEXT("n:=7")};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(jwt_claims("project", 60, NOW, &claims, &f), &f);
	assert_ok(jwt_members_add(claims, items, 2, &f), &f);
	assert_ok(jwt_sign(header, claims, p256, &token, &f), &f);
	assert_ok(jwt_parse(token, strlen(token), false, &jwt, &f), &f);
	assert_int_equal(jwt.alg, JWT_ES256);
	assert_string_equal(json_string_value(json_object_get(jwt.header, "kid")), "k1");
	assert_string_equal(json_string_value(json_object_get(jwt.header, "typ")), "JWT");
	assert_string_equal(json_string_value(json_object_get(jwt.claims, "aud")), "project");
	assert_int_equal(json_integer_value(json_object_get(jwt.claims, "iat")), NOW);
	assert_int_equal(json_integer_value(json_object_get(jwt.claims, "exp")), NOW + 60);
	assert_string_equal(json_string_value(json_object_get(jwt.claims, "role")), "gateway");
	assert_int_equal(json_integer_value(json_object_get(jwt.claims, "n")), 7);
}

/* RFC 7515 appendix A.3: a key, and a token that it signed. */
static void
example_of_the_rfc_verifies(void **state)
{
	static const char token[] =
		"eyJhbGciOiJFUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
		"cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
		"pmWQxfKTUJqPP3-Kg6NU1Q";
	static const char x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
	static const char y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
	unsigned char point[65] = {4};
	AUTO(auto_pkey_ctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	size_t n;
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, TEXT("prime256v1"), 10),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};

	(void)state;
	assert_int_equal(base64url_decode(point + 1, x, strlen(x), &n), 0);
	assert_int_equal(base64url_decode(point + 33, y, strlen(y), &n), 0);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	assert_int_equal(accepts(token, strlen(token), key), 0);
	assert_int_equal(accepts(token, strlen(token), p256), -1);
}

static void
truncated_at_every_byte_is_refused(void **state)
{
	AUTO(auto_secret) char *token = make_token(p256);

	(void)state;
	for (size_t len = 0; len < strlen(token); len++)
		assert_int_equal(accepts(token, len, p256), -1);
}

static void
every_character_counts(void **state)
{
	AUTO(auto_secret) char *token = make_token(p256);
	size_t len = strlen(token);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		char old = token[i];

		token[i] = old == 'A' ? 'B' : 'A';
		assert_int_equal(accepts(token, len, p256), -1);
		token[i] = old;
	}
	assert_int_equal(accepts(token, len, p256), 0);
}

/* Adds '.' and the signature of the first n characters. Returns the new length. */
static size_t
add_signature(char *text, size_t n)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char der[128], raw[64] = {0};
	size_t len = sizeof(der), r, s;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p256), 1);
	assert_int_equal(EVP_DigestSign(ctx, der, &len, (unsigned char *)text, n), 1);
	/* DER of two numbers below 2^255 or not: as r and s of 32 bytes each. */
	r = der[3];
	s = der[5 + r];
	memcpy(raw + (r > 32 ? 0 : 32 - r), der + 4 + (r > 32), r > 32 ? 32 : r);
	memcpy(raw + 32 + (s > 32 ? 0 : 32 - s), der + 6 + r + (s > 32), s > 32 ? 32 : s);
	text[n++] = '.';
	return n + base64url_encode(text + n, raw, sizeof(raw));
}

/* A token of these parts, the last one signed for real unless it is given. */
static size_t
put_together(const char *header, const char *claims, const char *signature, char *text)
{
	size_t n;

	n = base64url_encode(text, header, strlen(header));
	text[n++] = '.';
	n += base64url_encode(text + n, claims, strlen(claims));
	if (!signature)
		return add_signature(text, n);
	strcpy(text + n, signature);
	return n + strlen(signature);
}

/* A token with this text after each part. What is signed has the first two of them. */
static size_t
put_padded(const char *const padding[3], char *text)
{
	static const char header[] = "{\"alg\": \"ES256\"}", claims[] = "{}";
	size_t n = base64url_encode(text, header, strlen(header));

	n = (size_t)(stpcpy(stpcpy(text + n, padding[0]), ".") - text);
	n += base64url_encode(text + n, claims, strlen(claims));
	n = (size_t)(stpcpy(text + n, padding[1]) - text);
	n = add_signature(text, n);
	return (size_t)(stpcpy(text + n, padding[2]) - text);
}

static void
each_part_may_be_padded_unless_strict(void **state)
{
	AUTO(jwt_clear) struct jwt jwt = {0};
	struct fault f = FAULT_INIT;
	char text[1024];

	(void)state;
	for (int i = 0; i < 8; i++) {
		const char *padding[] = {i & 1 ? "==" : "", i & 2 ? "=" : "", i & 4 ? "==" : ""};

		if (accepts(text, put_padded(padding, text), p256))
			fail_msg("refused '%s'", text);
		if ((jwt_parse(text, strlen(text), true, &jwt, &f) == 0) != (i == 0))
			fail_msg("strict: '%s'", text);
		jwt_clear(&jwt);
	}
}

static void
wrong_padding_is_refused(void **state)
{
	static const char *const rows[][3] = {
		{"=", "", ""},
		{"===", "", ""},
		{"====", "", ""},
		{"======", "", ""},
		{"", "==", ""},
		{"", "===", ""},
		{"", "=====", ""},
		{"", "", "="},
		{"", "", "==="},
		{"", "", "===="},
		{"", "", "======"},
		{"==", "=", "= ="},
		{"==\n", "=", "=="},
		{"==", "= ", "=="},
		{"==", "=", "==\n"},
		{"%3D%3D", "", ""},
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (accepts(text, put_padded(rows[i], text), p256) == 0)
			fail_msg("accepted '%s'", text);
	}
}

static void
hostile_forms_are_refused(void **state)
{
	static const struct {
		const char *header, *claims, *signature;
	} rows[] = {
		{"{\"alg\":\"none\"}", "{}", "."},
		{"{\"alg\":\"none\"}", "{}", ".AA"},
		{"{\"alg\":\"HS256\"}", "{}", ".AAAA"},
		{"{\"alg\":\"HS256\"}", "{}", NULL},
		{"{\"alg\":\"PS256\"}", "{}", NULL},
		{"{\"alg\":\"es256\"}", "{}", NULL},
		{"{\"alg\":\"RS256\"}", "{}", NULL},
		{"{\"alg\":256}", "{}", NULL},
		{"{\"alg\":null}", "{}", NULL},
		{"{\"alg\":[\"ES256\"]}", "{}", NULL},
		{"{}", "{}", NULL},
		{"[]", "{}", NULL},
		{"\"ES256\"", "{}", NULL},
		{"", "{}", NULL},
		{"{\"alg\":\"ES256\",\"alg\":\"ES256\"}", "{}", NULL},
		{"{\"alg\":\"ES256\",\"typ\":1}", "{}", NULL},
		{"{\"alg\":\"ES256\",\"crit\":[\"b64\"],\"b64\":false}", "{}", NULL},
		{"{\"alg\":\"ES256\"} ", "{}{}", NULL},
		{"{\"alg\":\"ES256\"}", "[]", NULL},
		{"{\"alg\":\"ES256\"}", "{\"a\":1,\"a\":2}", NULL},
		{"{\"alg\":\"ES256\"}", "{\"a\":1", NULL},
		{"{\"alg\":\"ES256\"}", "{\"a\":\"\\u0000\"}", NULL},
		{"{\"alg\":\"ES256\"}", "{\"a\":\"\xff\"}", NULL},
		{"{\"alg\":\"ES256\"}", "{}", "."},
		{"{\"alg\":\"ES256\"}", "{}", ""},
		{"{\"alg\":\"ES256\"}", "{}", ".AAAA.AAAA"},
		{"{\"alg\":\"ES256\"}", "{}", ".AAA="},
	};
	char text[1024];
	size_t n;

	(void)state;
	n = put_together("{\"alg\":\"ES256\"}", "{}", NULL, text);
	assert_int_equal(accepts(text, n, p256), 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		n = put_together(rows[i].header, rows[i].claims, rows[i].signature, text);
		if (accepts(text, n, p256) == 0)
			fail_msg("accepted row %zu", i);
	}
}

static void
trailing_data_is_refused(void **state)
{
	static const char *const tails[] = {"=", "===", ".", "\n", " ", "A", "AA", "AAAA"};
	char text[1024];
	size_t n = put_together("{\"alg\":\"ES256\"}", "{}", NULL, text);

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(tails); i++) {
		strcpy(text + n, tails[i]);
		assert_int_equal(accepts(text, n + strlen(tails[i]), p256), -1);
	}
	text[n] = '\0';
	assert_int_equal(accepts(text, n + 1, p256), -1);
}

static void
zero_is_no_signature(void **state)
{
	char signature[1 + BASE64URL_LEN(64) + 1] = ".", text[1024];
	unsigned char raw[64] = {0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(raw, 0, sizeof(raw));
		if (i)
			raw[i == 1 ? 31 : 63] = 1; /* only r, only s */
		base64url_encode(signature + 1, raw, sizeof(raw));
		assert_int_equal(
			accepts(text, put_together("{\"alg\":\"ES256\"}", "{}", signature, text),
				p256),
			-1);
	}
}

static void
length_is_bounded_both_ways(void **state)
{
	AUTO(auto_free) char *big = malloc(60001);
	AUTO(auto_json) json_t *claims = NULL;
	struct fault f = FAULT_INIT;
	char *token = NULL;
	AUTO(jwt_clear) struct jwt jwt = {0};

	(void)state;
	memset(big, 'A', 60000);
	big[60000] = '\0';
	assert_fault(jwt_parse(big, 60000, false, &jwt, &f), &f, FAULT_INVALID);
	assert_fault(jwt_parse("", 0, false, &jwt, &f), &f, FAULT_INVALID);
	claims = json_pack("{s:s}", "a", big);
	assert_fault(jwt_sign(NULL, claims, p256, &token, &f), &f, FAULT_INVALID);
	assert_null(token);
}

static void
keys_without_an_algorithm_are_refused(void **state)
{
	AUTO(auto_pkey) EVP_PKEY *weak = soft_key("1024");
	AUTO(auto_pkey) EVP_PKEY *p521 = soft_key("P-521");
	AUTO(auto_pkey) EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_PKEY *keys[] = {weak, p521, ed};
	struct fault f = FAULT_INIT;
	enum jwt_alg alg;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		assert_fault(jwt_alg_of_key(keys[i], &alg, &f), &f, FAULT_INVALID);
	assert_ok(jwt_alg_of_key(rsa, &alg, &f), &f);
	assert_string_equal(jwt_alg_name(alg), "RS256");
	assert_ok(jwt_alg_of_key(p384, &alg, &f), &f);
	assert_string_equal(jwt_alg_name(alg), "ES384");
}

static void
a_clock_before_2024_signs_nothing(void **state)
{
	struct fault f = FAULT_INIT;
	json_t *claims = NULL;

	(void)state;
	assert_fault(jwt_claims("p", 60, 0, &claims, &f), &f, FAULT_CONFIG);
	assert_non_null(strstr(f.text, "1970-01-01"));
	assert_fault(jwt_claims("p", 60, 1704067199, &claims, &f), &f, FAULT_CONFIG);
	assert_null(claims);
	assert_ok(jwt_claims("p", 60, 1704067200, &claims, &f), &f);
	json_decref(claims);
}

static void
bad_members_change_nothing(void **state)
{
	static const char *const bad[] = {
		"", "=x", ":=1", "name", "n:=", "n:={", "n:=1 2", "aud=x", "n=\xff", "\xff=1"};
	AUTO(auto_json) json_t *claims = json_pack("{s:s}", "aud", "p");
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		char *items[] = {TEXT("good=1"), TEXT(bad[i])};

		assert_fault(jwt_members_add(claims, items, 2, &f), &f, FAULT_USAGE);
		assert_int_equal(json_object_size(claims), 1);
	}
}

static void
alg_in_a_header_is_refused(void **state)
{
	AUTO(auto_json) json_t *header = json_pack("{s:s}", "alg", "none");
	AUTO(auto_json) json_t *claims = json_object();
	struct fault f = FAULT_INIT;
	char *token = NULL;

	(void)state;
	assert_fault(jwt_sign(header, claims, p256, &token, &f), &f, FAULT_INVALID);
	assert_fault(
		jwt_sign(NULL, header ? json_object_get(header, "alg") : NULL, p256, &token, &f),
		&f, FAULT_INVALID);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_signed_verifies_with_that_key_alone),
		cmocka_unit_test(header_and_claims_come_back),
		cmocka_unit_test(example_of_the_rfc_verifies),
		cmocka_unit_test(truncated_at_every_byte_is_refused),
		cmocka_unit_test(every_character_counts),
		cmocka_unit_test(hostile_forms_are_refused),
		cmocka_unit_test(each_part_may_be_padded_unless_strict),
		cmocka_unit_test(wrong_padding_is_refused),
		cmocka_unit_test(trailing_data_is_refused),
		cmocka_unit_test(zero_is_no_signature),
		cmocka_unit_test(length_is_bounded_both_ways),
		cmocka_unit_test(keys_without_an_algorithm_are_refused),
		cmocka_unit_test(a_clock_before_2024_signs_nothing),
		cmocka_unit_test(bad_members_change_nothing),
		cmocka_unit_test(alg_in_a_header_is_refused),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
