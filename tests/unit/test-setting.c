#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "base/auto.h"
#include "base/setting.h"

struct values {
	bool flag;
	char *text;
	char *choice;
	long number;
	long duration_s;
	long size;
	struct setting_list list;
	int on_off;
};

static const struct setting table[] = {
	{"flag", 'f', SETTING_FLAG, offsetof(struct values, flag), .help = "a flag"},
	{"text", 't', SETTING_TEXT, offsetof(struct values, text), .preset = "preset",
		.env = "TEST_SETTING_TEXT", .value = "TEXT", .help = "a text"},
	{"choice", 0, SETTING_CHOICE, offsetof(struct values, choice), .words = "red green blue",
		.value = "COLOUR", .help = "a colour"},
	{"number", 'n', SETTING_NUMBER, offsetof(struct values, number), .preset = "7", .min = -5,
		.max = 100, .value = "N", .help = "a number"},
	{"duration", 0, SETTING_DURATION, offsetof(struct values, duration_s), .min = 1,
		.max = 86400, .value = "TIME", .help = "a time"},
	{"size", 0, SETTING_SIZE, offsetof(struct values, size), .min = 10, .max = 1L << 40,
		.value = "BYTES", .help = "a size"},
	{"list", 'l', SETTING_LIST, offsetof(struct values, list), .value = "ITEM",
		.help = "items"},
	{"switch", 0, SETTING_SWITCH, offsetof(struct values, on_off), .help = "on or off"},
	{NULL},
};

static void
values_clear(struct values *v)
{
	setting_clear(table, v);
}

#define PARSE(v, ret_first, f, ...) \
	parse((const char *[]){"program", __VA_ARGS__, NULL}, v, ret_first, f)
static int
parse(const char **argv, struct values *v, int *ret_first, struct fault *f)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	if (setting_preset(table, v, NULL, f))
		return -1;
	return setting_parse(table, v, NULL, argc, (char **)argv, ret_first, f);
}

static void
every_form_of_an_option_is_read(void **state)
{
	AUTO(values_clear) struct values v = {0};
	struct fault f = FAULT_INIT;
	int first;

	(void)state;
	assert_ok(
		PARSE(&v, &first, &f, "operand", "--text=a", "-n", "42", "--choice", "green", "-lx",
			"--list=y", "--flag", "--duration", "15m", "--size=3M", "--", "--text"),
		&f);
	assert_true(v.flag);
	assert_string_equal(v.text, "a");
	assert_string_equal(v.choice, "green");
	assert_int_equal(v.number, 42);
	assert_int_equal(v.duration_s, 900);
	assert_int_equal(v.size, 3 * 1024 * 1024);
	assert_int_equal(v.list.n, 2);
	assert_string_equal(v.list.items[1], "y");
	assert_int_equal(first, 13); /* two operands, moved last */
}

static void
preset_then_environment_then_option(void **state)
{
	struct fault f = FAULT_INIT;
	int first;

	(void)state;
	for (int i = 0; i < 3; i++) {
		AUTO(values_clear) struct values v = {0};

		if (i > 0)
			setenv("TEST_SETTING_TEXT", "environment", 1);
		if (i == 2)
			assert_ok(PARSE(&v, &first, &f, "--text", "option", "--no-flag"), &f);
		else
			assert_ok(PARSE(&v, &first, &f, "--no-flag"), &f);
		assert_string_equal(v.text, i == 0 ? "preset" : i == 1 ? "environment" : "option");
		assert_int_equal(v.number, 7);
		assert_false(v.flag);
	}
	unsetenv("TEST_SETTING_TEXT");
}

static void
switch_knows_whether_it_was_given(void **state)
{
	static const struct {
		const char *argument;
		int value;
	} rows[] = {{"--flag", 0}, {"--switch", 1}, {"--no-switch", -1}};
	struct fault f = FAULT_INIT;
	int first;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(values_clear) struct values v = {0};

		assert_ok(PARSE(&v, &first, &f, rows[i].argument), &f);
		assert_int_equal(v.on_off, rows[i].value);
	}
}

static void
bad_values_are_refused_by_name(void **state)
{
	static const struct {
		const char *argument;
		const char *named;
	} rows[] = {
		{"--number=x", "--number"},
		{"--number=", "--number"},
		{"--number=101", "--number"},
		{"--number=-6", "--number"},
		{"--number=5s", "--number"},
		{"--number= 5", "--number"},
		{"--size=9", "--size"},
		{"--size=2T", "--size"},
		{"--size=1m", "--size"},
		{"--duration=0", "--duration"},
		{"--duration=2d", "--duration"},
		{"--duration=1w", "--duration"},
		{"--duration=99999999999999999d", "--duration"},
		{"--number=99999999999999999999", "--number"},
		{"--choice=gre", "--choice"},
		{"--choice=red green", "--choice"},
		{"--choice=", "--choice"},
		{"--nothing=secret", "'--nothing'"},
		{"--text", "'--text'"},
		{"-x", "'-x'"},
		{"--flag=maybe", "--flag"},
	};
	struct fault f = FAULT_INIT;
	int first;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(values_clear) struct values v = {0};

		assert_fault(PARSE(&v, &first, &f, rows[i].argument), &f, FAULT_USAGE);
		if (!strstr(f.text, rows[i].named))
			fail_msg("%s: %s", rows[i].argument, f.text);
	}
}

static void
list_is_bounded(void **state)
{
	AUTO(values_clear) struct values v = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	for (int i = 0; i < SETTING_LIST_MAX; i++)
		assert_ok(setting_set(&table[6], &v, "x", &f), &f);
	assert_fault(setting_set(&table[6], &v, "x", &f), &f, FAULT_USAGE);
	assert_int_equal(v.list.n, SETTING_LIST_MAX);
}

static void
a_stronger_source_replaces_a_weaker_one(void **state)
{
	AUTO(values_clear) struct values v = {0};
	struct setting_origin text = {0}, list = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(setting_give(&table[1], &v, &text, SETTING_ENVIRONMENT, 0, "a", &f), &f);
	assert_ok(setting_give(&table[1], &v, &text, SETTING_FILE, 3, "b", &f), &f);
	assert_string_equal(v.text, "b");
	assert_fault(setting_give(&table[1], &v, &text, SETTING_FILE, 9, "c", &f), &f, FAULT_USAGE);
	assert_non_null(strstr(f.text, "line 3"));
	assert_string_equal(v.text, "b");
	assert_ok(setting_give(&table[1], &v, &text, SETTING_COMMAND_LINE, 0, "d", &f), &f);
	assert_ok(setting_give(&table[1], &v, &text, SETTING_COMMAND_LINE, 0, "e", &f), &f);
	assert_string_equal(v.text, "e");
	assert_int_equal(text.line, 0);

	assert_ok(setting_give(&table[6], &v, &list, SETTING_FILE, 4, "a", &f), &f);
	assert_ok(setting_give(&table[6], &v, &list, SETTING_FILE, 7, "b", &f), &f);
	assert_int_equal(v.list.n, 2);
	assert_int_equal(v.list.lines[0], 4);
	assert_int_equal(v.list.lines[1], 7);
	assert_ok(setting_give(&table[6], &v, &list, SETTING_COMMAND_LINE, 0, "c", &f), &f);
	assert_int_equal(v.list.n, 1);
	assert_int_equal(v.list.lines[0], 0);
	assert_string_equal(v.list.items[0], "c");
}

static void
an_environment_variable_is_named(void **state)
{
	AUTO(values_clear) struct values v = {0};
	struct setting rows[] = {table[3], {NULL}};
	struct setting_origin origins[1] = {{0}};
	struct fault f = FAULT_INIT;

	(void)state;
	rows[0].env = "TEST_SETTING_NUMBER";
	setenv("TEST_SETTING_NUMBER", "many", 1);
	assert_fault(setting_preset(rows, &v, origins, &f), &f, FAULT_USAGE);
	assert_string_equal(
		f.text, "environment variable TEST_SETTING_NUMBER: 'many' is not a number");
	setenv("TEST_SETTING_NUMBER", "8", 1);
	assert_ok(setting_preset(rows, &v, origins, &f), &f);
	assert_int_equal(origins[0].source, SETTING_ENVIRONMENT);
	unsetenv("TEST_SETTING_NUMBER");
}

static void
help_shows_every_row(void **state)
{
	AUTO(auto_free) char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	setting_help(table, to);
	fclose(to);
	for (const struct setting *row = table; row->name; row++)
		assert_non_null(strstr(text, row->name));
	assert_non_null(strstr(text, "(default preset) [$TEST_SETTING_TEXT]"));
	assert_non_null(strstr(text, "red green blue"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_option_is_read),
		cmocka_unit_test(preset_then_environment_then_option),
		cmocka_unit_test(switch_knows_whether_it_was_given),
		cmocka_unit_test(bad_values_are_refused_by_name),
		cmocka_unit_test(list_is_bounded),
		cmocka_unit_test(a_stronger_source_replaces_a_weaker_one),
		cmocka_unit_test(an_environment_variable_is_named),
		cmocka_unit_test(help_shows_every_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
