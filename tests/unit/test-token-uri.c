#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/ckr.h"
#include "token/inside.h"

static void
good_uris_are_taken(void **state)
{
	static const char *const rows[] = {
		"pkcs11:",
		"pkcs11:token=gw",
		"PKCS11:token=gw",
		"pkcs11:token=gw;object=device",
		"pkcs11:object=device;token=gw;id=%01%00%ff;type=private",
		"pkcs11:token=a%20b;serial=01;manufacturer=x;model=SW%20%20%20TPM%00%00",
		"pkcs11:token=gw?module-path=/x.so&pin-source=file:/run/pin",
		"pkcs11:?module-name=softhsm2",
		"pkcs11:token=gw?pin-value=1234",
		"pkcs11:type=cert",
		"pkcs11:type=public",
		"pkcs11:token=gw%00%00%00;serial=%00;manufacturer=%20%00;object=a%00;id=%00",
		"pkcs11:token=%C3%A4;object=%ff;id=%80",
		"pkcs11:token=;serial=;model=;manufacturer=;object=;id=",
		"pkcs11:token=gw;slot-id=1",
		"pkcs11:library-version=1.0;library-manufacturer=x;library-description=y",
		"pkcs11:slot-description=x;slot-manufacturer=y",
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_uri) P11KitUri *uri = NULL;

		assert_ok(uri_parse(rows[i], &uri, &f), &f);
	}
}

static void
bad_uris_are_refused_by_name(void **state)
{
	static const struct {
		const char *uri;
		const char *named;
	} rows[] = {
		{"", "pkcs11:"},
		{"token=gw", "pkcs11:"},
		{"/etc/key.pem", "pkcs11:"},
		{"pkcs11:tokn=gw", "'tokn'"},
		{"pkcs11:token=gw;x-vendor=1", "'x-vendor'"},
		{"pkcs11:token=gw?x-vendor=1", "'x-vendor'"},
		{"pkcs11:token=gw?object=device", "'object'"},
		{"pkcs11:token=gw;pin-source=x", "'pin-source'"},
		{"pkcs11:token=gw;token=gw2", "twice"},
		{"pkcs11:token", "'token'"},
		{"pkcs11:token=gw;", "''"},
		{"pkcs11:token=gw?", "''"},
		{"pkcs11:;", "''"},
		{"pkcs11:token=g w", "space"},
		{"pkcs11:token=g\nw", "space"},
		{"pkcs11:token=gw?pin-source=%00", "NUL"},
		{"pkcs11:token=gw?pin-source=", "'pin-source'"},
		{"pkcs11:slot-id=x", "parse"},
		{"pkcs11:token=g%w", "parse"},
		{"pkcs11:token=%", "parse"},
		{"pkcs11:type=data", "type"},
		{"pkcs11:type=secret-key", "type"},
		{"pkcs11:type=nonsense", "type"},
		{"pkcs11:token=gw?pin-source=a&pin-value=b", "both"},
		{"pkcs11:token=123456789012345678901234567890123", "longer"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		P11KitUri *uri = NULL;

		if (uri_parse(rows[i].uri, &uri, &f) == 0)
			fail_msg("taken: %s", rows[i].uri);
		assert_int_equal(f.code, FAULT_USAGE);
		if (!strstr(f.text, rows[i].named))
			fail_msg("%s: %s", rows[i].uri, f.text);
		assert_null(uri);
	}
}

static void
size_is_bounded(void **state)
{
	char text[TOKEN_URI_MAX + 2];
	struct fault f = FAULT_INIT;
	P11KitUri *uri = NULL;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "pkcs11:?module-path=", 20);
	text[TOKEN_URI_MAX + 1] = '\0';
	assert_fault(uri_parse(text, &uri, &f), &f, FAULT_USAGE);
	text[TOKEN_URI_MAX] = '\0';
	assert_ok(uri_parse(text, &uri, &f), &f);
	p11_kit_uri_free(uri);
	memcpy(text, "pkcs11:id=", 10);
	uri = NULL;
	text[10 + TOKEN_NAME_MAX + 1] = '\0';
	assert_fault(uri_parse(text, &uri, &f), &f, FAULT_USAGE);
	text[10 + TOKEN_NAME_MAX] = '\0';
	assert_ok(uri_parse(text, &uri, &f), &f);
	p11_kit_uri_free(uri);
}

static void
secrets_are_never_quoted(void **state)
{
	static const char *const rows[] = {
		"pkcs11:token=gw?pin-value=SECRET&x=1",
		"pkcs11:token=gw;pin-value=SECRET",
		"pkcs11:token=gw?pin-value=SECRET&pin-source=x",
		"pkcs11:token=gw?pin-value=SECRET%",
		"pin-value=SECRET",
	};
	struct fault f = FAULT_INIT;
	P11KitUri *uri = NULL;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_fault(uri_parse(rows[i], &uri, &f), &f, FAULT_USAGE);
		assert_null(strstr(f.text, "SECRET"));
	}
}

static void
written_uri_is_read_back(void **state)
{
	CK_TOKEN_INFO info;
	unsigned char id_bytes[] = {0, 1, 0xff, '%', ';'};
	CK_ATTRIBUTE label = {CKA_LABEL, (void *)"a b;c/\xc3\xa4", 8};
	CK_ATTRIBUTE id = {CKA_ID, id_bytes, sizeof(id_bytes)};
	struct uri_parts parts = {.token = &info,
		.label = &label,
		.id = &id,
		.class = CKO_PRIVATE_KEY,
		.module_path = "/x y&.so"};
	AUTO(auto_uri) P11KitUri *uri = NULL;
	AUTO(auto_free) char *text = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	memset(&info, ' ', sizeof(info));
	memcpy(info.label, "g;w", 3);
	memset(info.serialNumber, '0', sizeof(info.serialNumber));
	assert_ok(uri_format(&parts, &text, &f), &f);
	assert_null(strstr(text, "serial="));
	assert_ok(uri_parse(text, &uri, &f), &f);
	assert_memory_equal(p11_kit_uri_get_attribute(uri, CKA_LABEL)->pValue, label.pValue, 8);
	assert_int_equal(p11_kit_uri_get_attribute(uri, CKA_ID)->ulValueLen, sizeof(id_bytes));
	assert_memory_equal(
		p11_kit_uri_get_attribute(uri, CKA_ID)->pValue, id_bytes, sizeof(id_bytes));
	assert_true(uri_matches_token(uri, &info));
	assert_string_equal(p11_kit_uri_get_module_path(uri), "/x y&.so");
}

static void
pin_sources(void **state)
{
	static const struct {
		const char *source;
		bool good;
	} rows[] = {
		{"file:/run/pin", true},
		{"file:///run/pin", true},
		{"file:pin", true},
		{"/run/pin", true},
		{"env:PIN", true},
		{"credential:gw-pin", true},
		{"terminal", true},
		{"file:", false},
		{"file://host/pin", false},
		{"|command", false},
		{"env:", false},
		{"credential:../../etc/shadow", false},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int status = pin_source_check(rows[i].source, &f);

		if ((status == 0) != rows[i].good)
			fail_msg("%s", rows[i].source);
		if (status)
			assert_int_equal(f.code, FAULT_CONFIG);
	}
}

static void
pin_is_read_from_where_it_is(void **state)
{
	char folder[] = "/tmp/test-token-uri.XXXXXX", path[64], source[80];
	struct fault f = FAULT_INIT;
	char *pin = NULL;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/pin", folder);
	file = fopen(path, "w");
	fputs("12 34\nnot this\n", file);
	fclose(file);
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	setenv("TEST_PIN", "5678", 1);
	snprintf(source, sizeof(source), "file://%s", path);
	const struct {
		const char *source, *pin;
	} rows[] = {
		{path, "12 34"},
		{source, "12 34"},
		{"credential:pin", "12 34"},
		{NULL, "12 34"},
		{"env:TEST_PIN", "5678"},
	};
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_ok(pin_read(rows[i].source, "gw", &pin, &f), &f);
		assert_string_equal(pin, rows[i].pin);
		secret_free(pin);
		pin = NULL;
	}
	unlink(path);
	assert_fault(pin_read(path, "gw", &pin, &f), &f, FAULT_CONFIG);
	assert_fault(pin_read("credential:pin", "gw", &pin, &f), &f, FAULT_CONFIG);
	unsetenv("TEST_PIN");
	assert_fault(pin_read("env:TEST_PIN", "gw", &pin, &f), &f, FAULT_CONFIG);
	rmdir(folder);
}

static void
return_values_have_words(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	fault_pkcs11(&f, "C_Login", CKR_PIN_LOCKED);
	assert_int_equal(f.code, FAULT_LOCKED);
	assert_int_equal(f.native, CKR_PIN_LOCKED);
	assert_non_null(strstr(f.text, "CKR_PIN_LOCKED in C_Login"));
	fault_pkcs11(&f, "C_Sign", 0x80001234);
	assert_int_equal(f.code, FAULT_TOKEN);
	assert_non_null(strstr(f.text, "0x80001234"));
	fault_pkcs11(NULL, "C_Sign", CKR_GENERAL_ERROR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_uris_are_taken),
		cmocka_unit_test(bad_uris_are_refused_by_name),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(secrets_are_never_quoted),
		cmocka_unit_test(written_uri_is_read_back),
		cmocka_unit_test(pin_sources),
		cmocka_unit_test(pin_is_read_from_where_it_is),
		cmocka_unit_test(return_values_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
