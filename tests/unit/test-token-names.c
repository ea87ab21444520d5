/*
 * Names of tokens and objects as real ones have them: padded, long, empty, not UTF-8, of one name,
 * unreadable.
 */
#include "config.h"

#include "mock-token.h"

static void
padded(void)
{
	static const char *const good[] = {
		"pkcs11:token=mock",
		"pkcs11:token=mock%00",
		"pkcs11:token=mock%00%00%00%00%00%00%00%00%00%00%00%00%00%00"
		"%00%00%00%00%00%00%00%00%00%00%00%00%00%00",
		"pkcs11:token=mock%20%20",
		"pkcs11:token=%6d%6F%63k;serial=%30000000%31;model=moc%6b;"
		"manufacturer=p11%2dgateway",
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
		struct fault f = FAULT_INIT;

		expect_fault(token_list(bad[i].uri, &source, false, see, NULL, &f), &f,
			FAULT_NOTFOUND, bad[i].words);
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
		expect(strstr(last_warning, "1 of 2 objects are left out") != NULL);
}

/* The longest name that a URI may have, and one more. */
static void
longest(void)
{
	static char name[TOKEN_NAME_MAX + 1];
	static struct seen seen;
	AUTO(auto_pkey) EVP_PKEY *a = NULL, *b = NULL;

	memset(name, 0xff, sizeof(name));
	begin_writing();
	a = write_pair((struct bytes){name, TOKEN_NAME_MAX}, (struct bytes){name, TOKEN_NAME_MAX},
		NULL, false);
	b = write_pair(B("b"), (struct bytes){name, TOKEN_NAME_MAX + 1}, NULL, false);
	end_writing();
	list("pkcs11:token=mock", true, &seen);
	expect(seen.n[TOKEN_ITEM_PRIVATE_KEY] == 1 && seen.n[TOKEN_ITEM_PUBLIC_KEY] == 1);
	expect(n_warnings == 2 && strstr(last_warning, "longer than 4096 bytes"));
	for (size_t i = 1; i < seen.n_uris; i++)
		key_is(seen.uris[i], a);
	key_is("pkcs11:token=mock;object=b", b);
}

static void
what_cannot_be_read_hides_nothing(void **state)
{
	(void)state;
	RUN(longest, PLAIN);
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
	RUN(one_hidden, {"MOCK_PKCS11_FAULTS", "C_GetAttributeValue=ATTRIBUTE_SENSITIVE@4"});
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
	expect(strstr(uri, "slot-id=1;") && strstr(uri, "token=mock;"));
	token_close(opened(uri));
}

static void
keygen_names_the_token_exactly(void **state)
{
	(void)state;
	RUN(printed_by_keygen, {"MOCK_PKCS11_TWIN", "1"}, {"MOCK_PKCS11_SERIAL", "7"},
		{"MOCK_PKCS11_PADDING", "nul"});
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

/* Nothing tells them apart, so the message does not pretend it. */
static void
same_names(void)
{
	AUTO(auto_pkey) EVP_PKEY *a = NULL, *b = NULL;
	AUTO(auto_token) struct token *token = NULL;
	struct fault f = FAULT_INIT;
	EVP_PKEY *none = NULL;

	begin_writing();
	a = write_pair(B("k"), B("\x01"), NULL, false);
	b = write_pair(B("k"), B("\x01"), NULL, false);
	end_writing();
	token = opened("pkcs11:token=mock");
	expect_fault(token_private_key(token, &none, &f), &f, FAULT_AMBIGUOUS,
		"2 keys with the same id and label");
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
	RUN(same_names, PLAIN);
	RUN(empty_token, PLAIN);
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
		cmocka_unit_test(what_does_not_match_is_named),
	};

	return RUN_MOCK_TESTS(tests);
}
