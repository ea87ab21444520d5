#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/ini.h"

/* What a file said: "section.name=value@line" for each setting, separated by '|'. */
struct seen {
	char *text;
	size_t len;
	FILE *to;
};

static int
see(void *with, const char *section, const char *name, const char *value, int line, struct fault *f)
{
	struct seen *seen = with;

	if (!strcmp(name, "refused"))
		return fault_set(f, FAULT_USAGE, "not %s", value);
	fprintf(seen->to, "%s.%s=%s@%d|", section, name, value, line);
	return 0;
}

static int
parse(const char *text, size_t len, char **ret_seen, struct fault *f)
{
	struct seen seen = {NULL, 0, NULL};
	char *copy = malloc(len + 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	seen.to = open_memstream(&seen.text, &seen.len);
	rc = ini_parse("gw.conf", copy, len, see, &seen, f);
	fclose(seen.to);
	free(copy);
	*ret_seen = seen.text;
	return rc;
}

static void
each_form_of_a_line_is_read(void **state)
{
	static const struct {
		const char *text, *seen;
	} rows[] = {
		{"", ""},
		{"\n\n", ""},
		{"[a]\nb = c\n", "a.b=c@2|"},
		{"[a]\nb=c", "a.b=c@2|"},
		{"\xef\xbb\xbf[a]\nb = c\n", "a.b=c@2|"},
		{"[a]\r\nb = c\r\n\r\nd = e\r\n", "a.b=c@2|a.d=e@4|"},
		{"  [a]  \n\t b \t = \t c d \t \n", "a.b=c d@2|"},
		{"[a]\nb =\n", "a.b=@2|"},
		{"[a]\nb = c = d\n", "a.b=c = d@2|"},
		{"# b = c\n; b = c\n  # b\n[a]\n", ""},
		{"[a]\nb = c ; d\nb = c # d\n", "a.b=c ; d@2|a.b=c # d@3|"},
		{"[a]\nkey = pkcs11:token=gw;object=k\n", "a.key=pkcs11:token=gw;object=k@2|"},
		{"[a]\nb = c\n  d = e\n", "a.b=c@2|a.d=e@3|"},
		{"[a]\nb = c\\\nd = e\n", "a.b=c\\@2|a.d=e@3|"},
		{"[a]\nb = 1\n[c]\nb = 2\n[a]\nb = 3\n", "a.b=1@2|c.b=2@4|a.b=3@6|"},
		{"[a]\nb = \xc3\xa9\n", "a.b=\xc3\xa9@2|"},
		{"[a]\nb = [c]\n", "a.b=[c]@2|"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_free) char *seen = NULL;

		assert_ok(parse(rows[i].text, strlen(rows[i].text), &seen, &f), &f);
		if (strcmp(seen, rows[i].seen))
			fail_msg("row %zu: %s", i, seen);
	}
}

static void
what_is_no_such_line_is_refused_by_its_number(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *words;
	} rows[] = {
#define ROW(text, words) {text, sizeof(text) - 1, words}
		ROW("\n[a]\nb c\n", "gw.conf:3: the line is neither"),
		ROW("[a]\n= c\n", "gw.conf:2: the line is neither"),
		ROW("b = c\n", "gw.conf:1: a [SECTION] must come before"),
		ROW("[a\nb = c\n", "gw.conf:1: a section is written as"),
		ROW("[]\n", "gw.conf:1: a section is written as"),
		ROW("[a] # so\n", "gw.conf:1: a section is written as"),
		ROW("[[a]]\n", "gw.conf:1: a section is written as"),
		ROW("[a]\nb = c\0d = e\n",
			"gw.conf:2: byte 6 of the line is the control character 0x00"),
		ROW("[a]\n# \x1b[31m\n",
			"gw.conf:2: byte 3 of the line is the control character 0x1b"),
		ROW("[a]\nb = c\rd = e\n", "0x0d"),
		ROW("[a]\nb = c\r", "0x0d"),
		ROW("[a]\nb = \x7f\n", "0x7f"),
		ROW("[a]\nb = c\nrefused = by us\n", "gw.conf:3: not by us"),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_free) char *seen = NULL;
		struct fault f = FAULT_INIT;

		assert_int_not_equal(parse(rows[i].text, rows[i].len, &seen, &f), 0);
		if (!strstr(f.text, rows[i].words))
			fail_msg("row %zu: %s", i, f.text);
	}
}

/* A line of `n` bytes in all: `start`, filled up with 'x', and `end`. */
static char *
long_line(size_t n, const char *start, const char *end)
{
	char *line = malloc(n + 1);

	assert_non_null(line);
	memset(line, 'x', n);
	memcpy(line, start, strlen(start));
	memcpy(line + n - strlen(end), end, strlen(end) + 1);
	return line;
}

static void
a_long_line_is_one_line(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t n = 150; n < 2000; n += 7) {
		AUTO(auto_free) char *comment = long_line(n, "# ", "url = mqtts://old\n");
		AUTO(auto_free) char *setting = long_line(n, "[a]\nb = ", "url = c\n");
		AUTO(auto_free) char *seen = NULL, *nothing = NULL;

		assert_ok(parse(comment, n, &nothing, &f), &f);
		assert_string_equal(nothing, "");
		assert_ok(parse(setting, n, &seen, &f), &f);
		assert_int_equal(strlen(seen), n - strlen("[a]\nb = \n") + strlen("a.b=@2|"));
	}
}

static void
a_line_has_its_bound(void **state)
{
	AUTO(auto_free) char *longest = long_line(INI_LINE_MAX + 1, "#", "\n");
	AUTO(auto_free) char *longer = long_line(INI_LINE_MAX + 2, "#", "\n");
	AUTO(auto_free) char *seen = NULL, *nothing = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(parse(longest, INI_LINE_MAX + 1, &seen, &f), &f);
	assert_fault(parse(longer, INI_LINE_MAX + 2, &nothing, &f), &f, FAULT_CONFIG);
	assert_non_null(strstr(f.text, "gw.conf:1: the line is longer than 65536 bytes"));
}

static int
read_file_of(size_t size, struct fault *f)
{
	AUTO(auto_free) char *text = malloc(size);
	char path[] = "ini.XXXXXX";
	int fd = mkstemp(path), rc;

	assert_non_null(text);
	memset(text, '\n', size);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	rc = ini_read(path, see, NULL, f);
	unlink(path);
	return rc;
}

static void
a_file_has_its_bound(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(read_file_of(INI_FILE_MAX, &f), &f);
	assert_fault(read_file_of(INI_FILE_MAX + 1, &f), &f, FAULT_CONFIG);
	assert_fault(ini_read("/nowhere/gw.conf", see, NULL, &f), &f, FAULT_NOTFOUND);
	assert_fault(ini_read("/", see, NULL, &f), &f, FAULT_IO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_of_a_line_is_read),
		cmocka_unit_test(what_is_no_such_line_is_refused_by_its_number),
		cmocka_unit_test(a_long_line_is_one_line),
		cmocka_unit_test(a_line_has_its_bound),
		cmocka_unit_test(a_file_has_its_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
