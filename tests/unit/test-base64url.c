#include "config.h"

#include "unit.h"

#include "base/base64url.h"

/* RFC 4648 section 10, without the padding; the last rows from RFC 7515 appendix C. */
static const struct {
	const char *text;
	const char *data;
	size_t len;
} good[] = {
	{"", "", 0},
	{"Zg", "f", 1},
	{"Zm8", "fo", 2},
	{"Zm9v", "foo", 3},
	{"Zm9vYg", "foob", 4},
	{"Zm9vYmE", "fooba", 5},
	{"Zm9vYmFy", "foobar", 6},
	{"A-z_4ME", "\x03\xec\xff\xe0\xc1", 5},
	{"_-8", "\xff\xef", 2},
};

static const char *const bad[] = {
	"Z",
	"Zm9vY",
	"Zg==",
	"Zg=",
	"Zh",
	"Zm9",
	"Zm 9v",
	"Zm9v\n",
	"+/8",
	"Zm9v.",
	"Z\xc3\xa4g",
};

static void
encodes_without_padding(void **state)
{
	char text[16];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		size_t n = base64url_encode(text, good[i].data, good[i].len);

		assert_string_equal(text, good[i].text);
		assert_int_equal(n, strlen(good[i].text));
		assert_int_equal(n, BASE64URL_LEN(good[i].len));
	}
}

static void
decodes_in_place_what_it_encodes(void **state)
{
	char data[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		strcpy(data, good[i].text);
		assert_int_equal(base64url_decode(data, data, strlen(data), &len), 0);
		assert_int_equal(len, good[i].len);
		assert_memory_equal(data, good[i].data, len);
	}
}

static void
refuses_what_is_not_canonical(void **state)
{
	char data[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (base64url_decode(data, bad[i], strlen(bad[i]), &len) == 0)
			fail_msg("accepted '%s'", bad[i]);
	}
	assert_int_equal(base64url_decode(data, "Z\0m9v", 5, &len), -1);
}

static void
right_padding_can_be_cut_off(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} rows[] = {
		{"", 0},
		{"Zg==", 2},
		{"Zm8=", 3},
		{"Zm9v", 4},
		{"Zm9vYg==", 6},
		{"Zm9vYmE=", 7},
		{"A-z_4ME=", 7},
		{"Zg", 2},
		{"Zm9vY", 5},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(
			base64url_unpadded_len(rows[i].text, strlen(rows[i].text)), rows[i].len);
}

static void
wrong_padding_stays_refused(void **state)
{
	static const char *const rows[] = {
		"=",
		"==",
		"===",
		"====",
		"Z=",
		"Z==",
		"Z===",
		"Zg=",
		"Zg===",
		"Zg======",
		"Zm8==",
		"Zm8=====",
		"Zm9v=",
		"Zm9v==",
		"Zm9v===",
		"Zm9v====",
		"=Zm8",
		"Zg==Zg==",
		"Zm9vZg=A",
		"Zg= ",
		"Zg=\n",
		"Zh==",
		"Zm9=",
		"+/8=",
	};
	char data[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (base64url_decode(data, rows[i],
			    base64url_unpadded_len(rows[i], strlen(rows[i])), &len) == 0)
			fail_msg("accepted '%s'", rows[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_without_padding),
		cmocka_unit_test(decodes_in_place_what_it_encodes),
		cmocka_unit_test(refuses_what_is_not_canonical),
		cmocka_unit_test(right_padding_can_be_cut_off),
		cmocka_unit_test(wrong_padding_stays_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
