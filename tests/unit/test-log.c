#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"

/*
 * What a warning looks like whose standard error is a file that JOURNAL_STREAM names, but for so
 * much as is added to its device and inode; without the variable when `set` is not.
 */
static void
assert_line(bool set, uintmax_t dev, uintmax_t inode, const char *want)
{
	AUTO(auto_file) FILE *file = tmpfile();
	char text[64] = "", journal[64];
	struct stat st;
	int kept = dup(STDERR_FILENO);

	assert_true(file && kept >= 0 && fstat(fileno(file), &st) == 0);
	snprintf(journal, sizeof(journal), "%ju:%ju", st.st_dev + dev, st.st_ino + inode);
	if (set)
		setenv("JOURNAL_STREAM", journal, 1);
	else
		unsetenv("JOURNAL_STREAM");
	dup2(fileno(file), STDERR_FILENO);
	log_warn("a\nb");
	dup2(kept, STDERR_FILENO);
	close(kept);
	rewind(file);
	assert_non_null(fgets(text, sizeof(text), file));
	assert_string_equal(text, want);
}

static void
journald_is_told_the_level(void **state)
{
	(void)state;
	assert_line(true, 0, 0, "<4>a\\x0ab\n");
}

static void
another_standard_error_is_told_who_speaks(void **state)
{
	char want[64];

	(void)state;
	snprintf(want, sizeof(want), "%s: warning: a\\x0ab\n", program_invocation_short_name);
	assert_line(true, 0, 1, want);
	assert_line(true, 1, 0, want);
	assert_line(false, 0, 0, want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(journald_is_told_the_level),
		cmocka_unit_test(another_standard_error_is_told_who_speaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
