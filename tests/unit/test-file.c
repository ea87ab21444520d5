#include "config.h"

#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/secret.h"

static char folder[64];
static char path[96];

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder, "test-file.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/f", folder);
	return 0;
}

static int
remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder); /* fails when a temporary file was left */
}

static void
put(const char *data, size_t len)
{
	struct fault f = FAULT_INIT;

	assert_ok(file_write(path, 0600, data, len, &f), &f);
}

static void
reads_back_what_it_wrote(void **state)
{
	AUTO(auto_free) char *data = NULL;
	struct fault f = FAULT_INIT;
	char big[10000];
	size_t len;

	(void)state;
	memset(big, 'b', sizeof(big));
	put("old", 3);
	put(big, sizeof(big));
	assert_ok(file_read(path, sizeof(big), &data, &len, &f), &f);
	assert_int_equal(len, sizeof(big));
	assert_memory_equal(data, big, len);
	assert_int_equal(data[len], '\0');
}

static void
refuses_a_file_larger_than_allowed(void **state)
{
	struct fault f = FAULT_INIT;
	char *data = NULL;
	size_t len;

	(void)state;
	put("12345", 5);
	assert_fault(file_read(path, 4, &data, &len, &f), &f, FAULT_INVALID);
	assert_null(data);
}

static void
writes_the_mode_asked_for(void **state)
{
	struct fault f = FAULT_INIT;
	struct stat st;

	(void)state;
	umask(022);
	assert_ok(file_write(path, 0640, "x", 1, &f), &f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

static void
never_replaces_a_device(void **state)
{
	struct fault f = FAULT_INIT;
	struct stat st;

	(void)state;
	assert_ok(file_write("/dev/null", 0600, "x", 1, &f), &f);
	assert_int_equal(stat("/dev/null", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

static void
says_which_file_is_missing(void **state)
{
	struct fault f = FAULT_INIT;
	char *data = NULL;
	size_t len;

	(void)state;
	assert_fault(file_read("nowhere/x", 4, &data, &len, &f), &f, FAULT_NOTFOUND);
	assert_non_null(strstr(f.text, "nowhere/x"));
	assert_fault(file_write("nowhere/x", 0600, "x", 1, &f), &f, FAULT_NOTFOUND);
}

static void
secret_is_the_first_line(void **state)
{
	static const struct {
		const char *content;
		size_t len;
		const char *secret; /* NULL: refused */
	} rows[] = {
		{"1234\n", 5, "1234"},
		{"1234", 4, "1234"},
		{"1234\r\nx", 7, "1234"},
		{"12345678", 8, "12345678"},
		{"123456789", 9, NULL},
		{"", 0, NULL},
		{"\n1234\n", 6, NULL},
		{"12\0"
		 "34",
			5, NULL},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_secret) char *secret = NULL;

		put(rows[i].content, rows[i].len);
		if (rows[i].secret) {
			assert_ok(file_read_secret(path, 8, &secret, &f), &f);
			assert_string_equal(secret, rows[i].secret);
		} else {
			assert_fault(file_read_secret(path, 8, &secret, &f), &f, FAULT_CONFIG);
			assert_null(secret);
			assert_null(strstr(f.text, "1234"));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			reads_back_what_it_wrote, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			refuses_a_file_larger_than_allowed, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			writes_the_mode_asked_for, make_folder, remove_folder),
		cmocka_unit_test(never_replaces_a_device),
		cmocka_unit_test(says_which_file_is_missing),
		cmocka_unit_test_setup_teardown(
			secret_is_the_first_line, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
