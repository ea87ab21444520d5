#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

/* What may be in a file's place. */
enum thing { THING_NONE, THING_FILE, THING_DIRECTORY, THING_FIFO, THING_LINK, THING_DANGLING };

/* Puts it at `path`. A link leads to the file `victim` beside it, which is written here. */
static void
put_thing(enum thing thing, char victim[112])
{
	struct fault f = FAULT_INIT;

	snprintf(victim, 112, "%s.victim", path);
	assert_ok(file_write(victim, 0600, "victim", 6, &f), &f);
	switch (thing) {
	case THING_NONE:
		break;
	case THING_FILE:
		put("old", 3);
		break;
	case THING_DIRECTORY:
		assert_int_equal(mkdir(path, 0700), 0);
		break;
	case THING_FIFO:
		assert_int_equal(mkfifo(path, 0600), 0);
		break;
	case THING_LINK:
		assert_int_equal(symlink("f.victim", path), 0);
		break;
	case THING_DANGLING:
		assert_int_equal(symlink("f.none", path), 0);
		break;
	}
}

/* The file that a link led to is as it was, and none was made where one led nowhere. */
static void
remove_thing(const char *victim)
{
	AUTO(auto_free) char *data = NULL;
	struct fault f = FAULT_INIT;
	char none[112];
	size_t len;

	assert_ok(file_read(victim, 100, &data, &len, &f), &f);
	assert_string_equal(data, "victim");
	assert_int_equal(unlink(victim), 0);
	snprintf(none, sizeof(none), "%s.none", path);
	assert_int_equal(access(none, F_OK), -1);
	remove(path);
}

static void
opens_nothing_but_a_regular_file(void **state)
{
	static const struct {
		enum thing thing;
		int flags, error;
	} rows[] = {
		{THING_NONE, O_RDONLY, ENOENT},
		{THING_NONE, O_RDWR | O_CREAT, 0},
		{THING_FILE, O_RDONLY, 0},
		{THING_FILE, O_WRONLY | O_CREAT, 0},
		{THING_DIRECTORY, O_RDONLY, EISDIR},
		{THING_DIRECTORY, O_RDWR | O_CREAT, EISDIR},
		{THING_FIFO, O_RDONLY, ENXIO},
		{THING_FIFO, O_WRONLY | O_CREAT, ENXIO},
		{THING_FIFO, O_RDWR, ENXIO},
		{THING_LINK, O_RDONLY, ELOOP},
		{THING_LINK, O_RDWR | O_CREAT | O_TRUNC, ELOOP},
		{THING_DANGLING, O_RDONLY, ELOOP},
		{THING_DANGLING, O_RDWR | O_CREAT, ELOOP},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char victim[112];
		int fd;

		put_thing(rows[i].thing, victim);
		errno = 0;
		fd = file_open_at(AT_FDCWD, path, rows[i].flags, 0600);
		if (rows[i].error)
			assert_int_equal(errno, rows[i].error);
		assert_int_equal(fd < 0, rows[i].error != 0);
		if (fd >= 0)
			close(fd);
		remove_thing(victim);
	}
}

static void
makes_a_new_file_in_place_of_anything(void **state)
{
	static const enum thing things[] = {
		THING_NONE, THING_FILE, THING_FIFO, THING_LINK, THING_DANGLING};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(things); i++) {
		char victim[112];
		struct stat about;
		int fd;

		put_thing(things[i], victim);
		fd = file_create_at(AT_FDCWD, path, 0600);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, "new", 3), 3);
		close(fd);
		assert_int_equal(lstat(path, &about), 0);
		assert_true(S_ISREG(about.st_mode));
		assert_int_equal(about.st_size, 3);
		remove_thing(victim);
	}
}

static void
opens_a_directory_but_through_no_link(void **state)
{
	char link[112];
	int fd;

	(void)state;
	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(symlink("f", link), 0);
	fd = file_open_dir_at(AT_FDCWD, path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(file_open_dir_at(AT_FDCWD, link), -1);
	unlink(link);
	rmdir(path);
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
		cmocka_unit_test_setup_teardown(
			opens_nothing_but_a_regular_file, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			makes_a_new_file_in_place_of_anything, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(
			opens_a_directory_but_through_no_link, make_folder, remove_folder),
	};

	alarm(60); /* a call that waits for a FIFO never returns */

	return cmocka_run_group_tests(tests, NULL, NULL);
}
