#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/text.h"

/* A text, and how it is printed; NULL: as it is. */
static const struct {
	const char *text, *shown;
} rows[] = {
	{"", NULL},
	{"thermo/\xc3\xa4", NULL},
	{"\xe6\xb8\xa9\xe5\xba\xa6 \xf0\x9f\x98\x80", NULL},
	{"\xc2\xa0", NULL},
	/* What commands a terminal. */
	{"a\x1b[2Jb\nc\x7f", "a\\x1b[2Jb\\x0ac\\x7f"},
	{"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
	{"\r\t\b", "\\x0d\\x09\\x08"},
	{"\xc2\x9b"
	 "2J",
		"\\x9b2J"},
	{"\xc2\x80\xc2\x9f", "\\x80\\x9f"},
	/* What turns the order of writing, and what nobody sees. */
	{"\xe2\x80\xae"
	 "gpj.exe",
		"\\u202egpj.exe"},
	{"\xe2\x81\xa6x\xe2\x81\xa9", "\\u2066x\\u2069"},
	{"\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "\\u200e\\u200f\\u061c"},
	{"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"},
	{"\xe2\x80\x8b\xef\xbb\xbf", "\\u200b\\ufeff"},
	{"\xf3\xa0\x81\x81", "\\U000e0041"},
	/* U+200D joins letters. */
	{"\xe0\xa4\x95\xe0\xa5\x8d\xe2\x80\x8d", NULL},
	/* What is not UTF-8: a byte alone, too short, made longer, a surrogate, too large. */
	{"\xff", "\\xff"},
	{"\x9b"
	 "2J",
		"\\x9b2J"},
	{"a\xc2", "a\\xc2"},
	{"\xe2\x80", "\\xe2\\x80"},
	{"\xe2\x80z", "\\xe2\\x80z"},
	{"\xc0\x9b", "\\xc0\\x9b"},
	{"\xe0\x80\x9b", "\\xe0\\x80\\x9b"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	/* What was made fit stays so. */
	{"\\x1b\\u202e", NULL},
};

static void
what_is_not_fit_to_print_is_spelled_out(void **state)
{
	char shown[64];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *want = rows[i].shown ? rows[i].shown : rows[i].text;
		AUTO(auto_free) char *fit = text_fit(rows[i].text, strlen(rows[i].text));

		text_show(rows[i].text, shown, sizeof(shown));
		assert_string_equal(shown, want);
		assert_string_equal(fit, want);
	}
}

static void
a_nul_is_spelled_out(void **state)
{
	AUTO(auto_free) char *fit = text_fit("a\0b", 3);

	(void)state;
	assert_string_equal(fit, "a\\x00b");
}

static void
what_is_too_long_ends_in_dots(void **state)
{
	static const struct {
		const char *text, *shown;
	} long_rows[] = {
		{"1234567", "1234567"},
		{"12345678", "1234..."},
		{"\x01\x01", "\\x01..."},
		{"\x01"
		 "123",
			"\\x01123"},
		{"123\xc3\xa4\xc3\xa4", "123\xc3\xa4\xc3\xa4"},
		{"123\xc3\xa4\xc3\xa4z", "123..."},
		{"12\xc3\xa4\xc3\xa4zz", "12\xc3\xa4..."},
		{"\xf0\x9f\x98\x80"
		 "1234",
			"\xf0\x9f\x98\x80..."},
	};
	char shown[8], least[4];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(long_rows); i++) {
		text_show(long_rows[i].text, shown, sizeof(shown));
		assert_string_equal(shown, long_rows[i].shown);
	}
	text_show("\x01\x01", least, sizeof(least));
	assert_string_equal(least, "...");
}

static void
json_means_the_same(void **state)
{
	static const struct {
		const char *json, *shown;
	} json_rows[] = {
		{"{\n  \"a\": \"\xc3\xa4\\n\"\n}", NULL},
		{"\"\x7f\"", "\"\\u007f\""},
		{"\"\xc2\x9b"
		 "2J\"",
			"\"\\u009b2J\""},
		{"\"\xe2\x80\xae\"", "\"\\u202e\""},
		{"\"\xf3\xa0\x81\x81\"", "\"\\udb40\\udc41\""},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(json_rows); i++) {
		AUTO(auto_free) char *fit = text_fit_json(json_rows[i].json);

		assert_string_equal(
			fit, json_rows[i].shown ? json_rows[i].shown : json_rows[i].json);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_fit_to_print_is_spelled_out),
		cmocka_unit_test(a_nul_is_spelled_out),
		cmocka_unit_test(what_is_too_long_ends_in_dots),
		cmocka_unit_test(json_means_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
