#include "config.h"

#include "unit.h"

#include "base/text.h"

static void
assert_shown(const char *text, const char *want)
{
	char shown[32];

	text_show(text, shown, sizeof(shown));
	assert_string_equal(shown, want);
}

static void
what_commands_a_terminal_is_spelled_out(void **state)
{
	(void)state;
	assert_shown("", "");
	assert_shown("thermo/\xc3\xa4", "thermo/\xc3\xa4");
	assert_shown("a\x1b[2Jb\nc\x7f", "a\\x1b[2Jb\\x0ac\\x7f");
	assert_shown("\xc2\x9b"
		     "2J",
		"\\x9b2J");
	assert_shown("\xc2\xa0", "\xc2\xa0");
	assert_shown("\xc2", "\xc2");
}

static void
what_is_too_long_ends_in_dots(void **state)
{
	char shown[32];

	(void)state;
	text_show("0123456789012345678901234567890123456789", shown, sizeof(shown));
	assert_string_equal(shown + strlen(shown) - 3, "...");
	text_show("\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01", shown, sizeof(shown));
	assert_true(strlen(shown) < sizeof(shown));
	assert_string_equal(shown + strlen(shown) - 3, "...");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_commands_a_terminal_is_spelled_out),
		cmocka_unit_test(what_is_too_long_ends_in_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
