/* A spool on a disk that cannot read some of it, or all of it for a while. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/segment.h"
#include "spool/spool.h"

#include "soft-spool.h"

static const struct spool_options options = {.max_bytes = SPOOL_SIZE_MIN};

#define BLOCK 4096
#define ALL   ((ino_t)-1)

/* As long as a reader tries, and a little more. */
#define PATIENCE_MS 30000

/*
 * The disk and the clock; the functions below are called in place of the C library's.
 *
 * bad                the inode of the file that has a bad part; 0: none has, ALL: every segment
 * bad_from, bad_to   the part: to the disk, whole blocks
 * all_or_nothing     a read that touches the part fails as a whole
 * closed, open_fails  a file that cannot be opened, and errno's value then
 * write_fails        errno's value for writing anywhere; 0: it can be written
 * ahead_ms           how far CLOCK_BOOTTIME is ahead of the system's
 */
static struct {
	ino_t bad;
	const char *closed;
	off_t bad_from, bad_to;
	bool all_or_nothing;
	int open_fails, write_fails;
	bool may_not_link;
	int64_t ahead_ms;
} disk;

static bool
is_bad_file(int fd)
{
	struct stat about;

	return disk.bad && fstat(fd, &about) == 0 &&
	       (about.st_ino == disk.bad || (disk.bad == ALL && about.st_size > BLOCK));
}

/* As the kernel does: what is before the bad part first, and the error with the next call. */
ssize_t
pread(int fd, void *bytes, size_t len, off_t at)
{
	off_t end = at + (off_t)len;

	if (is_bad_file(fd) && at < disk.bad_to && end > disk.bad_from) {
		if (at >= disk.bad_from || disk.all_or_nothing) {
			errno = EIO;
			return -1;
		}
		len = (size_t)(disk.bad_from - at);
	}
	return syscall(SYS_pread64, fd, bytes, len, at);
}

int
openat(int dir_fd, const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, int) : 0;
	va_end(ap);
	if (disk.closed && strstr(path, disk.closed)) {
		errno = disk.open_fails;
		return -1;
	}
	return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	if (disk.write_fails) {
		errno = disk.write_fails;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	if (disk.write_fails && fd > STDERR_FILENO) {
		errno = disk.write_fails;
		return -1;
	}
	return syscall(SYS_write, fd, bytes, len);
}

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	errno = EPERM;
	return disk.may_not_link ? -1 : (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_BOOTTIME)
		ret->tv_sec += disk.ahead_ms / 1000;
	return rc;
}

static int
begin(void **state)
{
	(void)state;
	memset(&disk, 0, sizeof(disk));
	return make_dir();
}

/* A message whose payload begins with a name and fills most of a block. */
static void
append_block(struct spool_writer *writer, const char *name)
{
	static char payload[3000];
	struct fault f = FAULT_INIT;

	snprintf(payload, sizeof(payload), "%s", name);
	assert_ok(append_bytes(writer, "dev", payload, sizeof(payload), &f), &f);
}

/* Two segments: messages 1 to 10 in the first, 11 and 12 in the second. */
static void
write_two_segments(void)
{
	struct spool_writer *writer = writer_at(dir, &options);
	char name[8];

	for (int i = 1; i <= 12; i++) {
		if (i == 11) {
			spool_writer_close(writer);
			writer = writer_at(dir, &options);
		}
		snprintf(name, sizeof(name), "%d", i);
		append_block(writer, name);
	}
	spool_writer_close(writer);
}

/* No part of a file can be read. */
static void
fail_file(const char *name)
{
	char path[128];
	struct stat about;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &about), 0);
	disk.bad = about.st_ino;
	disk.bad_from = 0;
	disk.bad_to = INT64_MAX;
}

static void
fail_open(const char *name, int error)
{
	disk.closed = name;
	disk.open_fails = error;
}

/* Messages 5 and 6 are in this block of the first segment. */
static void
fail_a_block(void)
{
	fail_file("0000000000000001.log");
	disk.bad_from = 3 * BLOCK;
	disk.bad_to = 4 * BLOCK;
}

static void
come_back(void)
{
	disk.bad = 0;
	disk.closed = NULL;
	disk.write_fails = 0;
}

/*
 * Reads to the end, or to a fault that is not a loss. Returns that fault's code; *ret_names has the
 * messages, *ret_told the losses that were told.
 */
static enum fault_code
read_all(struct spool_reader *reader, char ret_names[256], char ret_told[1024])
{
	*ret_names = *ret_told = '\0';
	for (;;) {
		struct spool_message message;
		struct fault f = FAULT_INIT;
		bool any;

		if (spool_next(reader, &message, &any, &f)) {
			if (f.code != FAULT_INVALID)
				return f.code;
			snprintf(ret_told + strlen(ret_told), 1024 - strlen(ret_told), "%s\n",
				f.text);
			continue;
		}
		if (!any)
			return FAULT_NONE;
		snprintf(ret_names + strlen(ret_names), 256 - strlen(ret_names), "%s ",
			(const char *)message.payload);
	}
}

static void
assert_reads(struct spool_reader *reader, enum fault_code code, const char *names)
{
	char got[256], told[1024];

	assert_int_equal(read_all(reader, got, told), code);
	assert_string_equal(got, names);
}

static void
assert_tells(struct spool_reader *reader, const char *names, const char *told)
{
	char got[256], text[1024];

	assert_int_equal(read_all(reader, got, text), FAULT_NONE);
	assert_string_equal(got, names);
	if (!strstr(text, told))
		fail_msg("'%s' is not in '%s'", told, text);
}

static void
only_what_is_in_a_bad_block_is_lost(void **state)
{
	struct fault f = FAULT_INIT;

	for (int whole = 0; whole < 2; whole++) {
		struct spool_reader *reader;

		write_two_segments();
		reader = reader_of("cloud");
		fail_a_block();
		disk.all_or_nothing = whole;
		assert_reads(reader, FAULT_IO, whole ? "" : "1 2 3 4 ");
		assert_reads(reader, FAULT_IO, "");
		assert_int_equal(spool_lost(reader), 0);
		disk.ahead_ms += PATIENCE_MS;
		assert_tells(reader, whole ? "1 2 3 4 7 8 9 10 11 12 " : "7 8 9 10 11 12 ",
			"it is kept as damaged/0000000000000001.log");
		assert_int_equal(spool_lost(reader), 2);
		/* The next pass does not wait again, and tells nothing twice. */
		spool_rewind(reader);
		assert_reads(reader, FAULT_NONE, "1 2 3 4 7 8 9 10 11 12 ");
		assert_int_equal(spool_lost(reader), 2);
		assert_ok(spool_acknowledge(reader, 12, &f), &f);
		spool_reader_close(reader);
		reader = reader_of("cloud");
		assert_int_equal(spool_lost(reader), 2);
		spool_reader_close(reader);
		start_over(state, begin);
	}
}

static void
a_copy_in_quarantine_has_what_can_be_read(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	char path[128], kept[128], names[256], told[1024];
	char good[16 * BLOCK], copy[16 * BLOCK];
	ssize_t len;
	int fd;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_a_block();
	disk.may_not_link = true;
	read_all(reader, names, told);
	disk.ahead_ms += PATIENCE_MS;
	assert_int_equal(read_all(reader, names, told), FAULT_NONE);
	come_back();
	snprintf(path, sizeof(path), "%s/0000000000000001.log", dir);
	snprintf(kept, sizeof(kept), "%s/damaged/0000000000000001.log", dir);
	fd = open(path, O_RDONLY);
	len = pread(fd, good, sizeof(good), 0);
	close(fd);
	fd = open(kept, O_RDONLY);
	assert_int_equal(pread(fd, copy, sizeof(copy), 0), len);
	close(fd);
	memset(good + 3 * BLOCK, 0, BLOCK);
	assert_memory_equal(copy, good, len);
}

static void
a_disk_that_comes_back_costs_nothing(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_a_block();
	assert_reads(reader, FAULT_IO, "1 2 3 4 ");
	disk.ahead_ms += PATIENCE_MS - 2000;
	assert_reads(reader, FAULT_IO, "");
	come_back();
	assert_reads(reader, FAULT_NONE, "5 6 7 8 9 10 11 12 ");
	assert_int_equal(spool_lost(reader), 0);
	/* The next time is waited for anew. */
	disk.ahead_ms += PATIENCE_MS;
	spool_rewind(reader);
	fail_a_block();
	assert_reads(reader, FAULT_IO, "1 2 3 4 ");
}

/* Nothing of it can be read or written: there is nothing to skip, however long it lasts. */
static void
a_disk_that_is_gone_costs_nothing(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	disk.bad = ALL;
	disk.bad_to = INT64_MAX;
	disk.write_fails = EIO;
	for (int i = 0; i < 5; i++) {
		assert_reads(reader, FAULT_IO, "");
		disk.ahead_ms += PATIENCE_MS;
	}
	come_back();
	assert_reads(reader, FAULT_NONE, "1 2 3 4 5 6 7 8 9 10 11 12 ");
	assert_int_equal(spool_lost(reader), 0);
}

static void
a_read_only_disk_is_read_around_its_bad_blocks(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_a_block();
	disk.write_fails = EROFS;
	assert_reads(reader, FAULT_IO, "1 2 3 4 ");
	disk.ahead_ms += PATIENCE_MS;
	assert_reads(reader, FAULT_NONE, "7 8 9 10 11 12 ");
}

/* Its head has what the records' checksums depend on. */
static void
a_segment_whose_head_is_lost_is_lost(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_a_block();
	disk.bad_from = 0;
	assert_reads(reader, FAULT_IO, "");
	disk.ahead_ms += PATIENCE_MS;
	assert_tells(reader, "11 12 ", "messages 1 to 10 are not in the spool any more");
	assert_int_equal(spool_lost(reader), 10);
}

static void
people_are_not_kept_waiting(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_extent extent;
	struct fault f = FAULT_INIT;
	int64_t ms = 0;
	char kept[64];

	(void)state;
	write_two_segments();
	fail_a_block();
	reader = reader_of(NULL);
	assert_reads(reader, FAULT_NONE, "1 2 3 4 7 8 9 10 11 12 ");
	assert_ok(spool_extent(dir, &extent, &f), &f);
	assert_int_equal(extent.first, 1);
	assert_int_equal(extent.next, 13);
	assert_ok(spool_taken(dir, 5, &ms, &f), &f);
	assert_true(ms > 0);
	snprintf(kept, sizeof(kept), "%s/damaged", dir);
	assert_int_equal(access(kept, F_OK), -1);
}

/* Puts something else in the place of the first segment; its messages are gone. */
static void
replace_segment(int kind)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/0000000000000001.log", dir);
	assert_int_equal(unlink(path), 0);
	switch (kind) {
	case 0:
		assert_int_equal(mkdir(path, 0700), 0);
		break;
	case 1:
		assert_int_equal(symlink("/etc/passwd", path), 0);
		break;
	default:
		assert_int_equal(mkfifo(path, 0600), 0);
		break;
	}
}

static void
what_is_not_a_file_is_moved_away(void **state)
{
	for (int kind = 0; kind < 3; kind++) {
		struct spool_reader *reader;
		char kept[128], names[256], told[1024];
		struct stat about;

		write_two_segments();
		replace_segment(kind);
		reader = reader_of(NULL);
		assert_tells(reader, "11 12 ", "messages 1 to 10");
		spool_reader_close(reader);
		reader = reader_of("cloud");
		assert_reads(reader, FAULT_IO, "");
		disk.ahead_ms += PATIENCE_MS;
		assert_int_equal(read_all(reader, names, told), FAULT_NONE);
		assert_string_equal(names, "11 12 ");
		assert_non_null(strstr(told, "kept in damaged"));
		assert_int_equal(spool_lost(reader), 10);
		snprintf(kept, sizeof(kept), "%s/damaged/0000000000000001.log", dir);
		assert_int_equal(lstat(kept, &about), 0);
		assert_false(S_ISREG(about.st_mode));
		spool_reader_close(reader);
		start_over(state, begin);
	}
}

/* As one of mode 000 is for who is not root, and one whose inode cannot be read for anyone. */
static void
a_segment_that_cannot_be_opened_is_skipped(void **state)
{
	static const int reasons[] = {EACCES, EIO, EUCLEAN};

	for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
		struct spool_reader *reader;

		write_two_segments();
		reader = reader_of("cloud");
		fail_open("0000000000000001.log", reasons[i]);
		assert_reads(reader, FAULT_IO, "");
		disk.ahead_ms += PATIENCE_MS;
		assert_reads(reader, FAULT_NONE, "11 12 ");
		assert_int_equal(spool_lost(reader), 10);
		spool_rewind(reader);
		assert_reads(reader, FAULT_NONE, "11 12 ");
		assert_int_equal(spool_lost(reader), 10);
		spool_reader_close(reader);
		start_over(state, begin);
	}
}

/* There is nothing behind it that waits, and it may be opened to us again. */
static void
the_newest_segment_is_never_skipped(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_open("000000000000000b.log", EACCES);
	assert_reads(reader, FAULT_IO, "1 2 3 4 5 6 7 8 9 10 ");
	disk.ahead_ms += 2 * PATIENCE_MS;
	assert_reads(reader, FAULT_IO, "");
	come_back();
	assert_reads(reader, FAULT_NONE, "11 12 ");
	assert_int_equal(spool_lost(reader), 0);
}

/* It is the process that has no descriptor left: the segment is as good as ever. */
static void
a_want_of_descriptors_costs_nothing(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	fail_open("0000000000000001.log", EMFILE);
	for (int i = 0; i < 3; i++) {
		assert_reads(reader, FAULT_IO, "");
		disk.ahead_ms += PATIENCE_MS;
	}
	come_back();
	assert_reads(reader, FAULT_NONE, "1 2 3 4 5 6 7 8 9 10 11 12 ");
}

static void
a_cursor_that_cannot_be_read_is_renewed(void **state)
{
	struct spool_reader *reader;
	struct fault f = FAULT_INIT;

	(void)state;
	write_two_segments();
	reader = reader_of("cloud");
	assert_reads(reader, FAULT_NONE, "1 2 3 4 5 6 7 8 9 10 11 12 ");
	assert_ok(spool_acknowledge(reader, 12, &f), &f);
	spool_reader_close(reader);
	fail_file("cursors/cloud");
	reader = reader_of("cloud");
	assert_reads(reader, FAULT_IO, "");
	disk.ahead_ms += PATIENCE_MS - 2000;
	assert_reads(reader, FAULT_IO, "");
	come_back();
	assert_reads(reader, FAULT_NONE, "12 ");
	spool_reader_close(reader);
	fail_file("cursors/cloud");
	reader = reader_of("cloud");
	assert_reads(reader, FAULT_IO, "");
	disk.ahead_ms += PATIENCE_MS;
	disk.write_fails = EIO;
	assert_reads(reader, FAULT_IO, "");
	disk.write_fails = 0;
	assert_tells(reader, "1 2 3 4 5 6 7 8 9 10 11 12 ", "is kept as cursors/.cloud");
	assert_ok(spool_acknowledge(reader, 13, &f), &f);
	spool_reader_close(reader);
	reader = reader_of("cloud");
	assert_reads(reader, FAULT_NONE, "");
	spool_reader_close(reader);
}

/* Makes the file `drops`. */
static void
drop_one(void)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/drops", dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("1\tfull\tdev\n", file);
	fclose(file);
}

/* A broker starts, and tidies up, whatever of its spool cannot be read. */
static void
the_writer_works_around_what_it_cannot_read(void **state)
{
	static const struct {
		const char *name;
		int open_fails;
	} rows[] = {
		{"0000000000000001.log", 0},
		{"000000000000000b.log", 0},
		{"000000000000000b.log", EIO},
		{"cursors/cloud", 0},
		{"drops", 0},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct spool_writer *writer;
		struct spool_reader *reader;
		struct spool_message message = {0};
		struct fault f = FAULT_INIT;
		uint64_t newest = 0;
		bool any = true;

		write_two_segments();
		spool_reader_close(reader_of("cloud"));
		drop_one();
		if (rows[i].open_fails)
			fail_open(rows[i].name, rows[i].open_fails);
		else
			fail_file(rows[i].name);
		writer = writer_at(dir, &options);
		append_block(writer, "new");
		assert_ok(spool_tick(writer, 10000, &f), &f);
		come_back();
		/* No number was given twice: all of them are read. */
		reader = reader_of(NULL);
		while (any) {
			if (spool_next(reader, &message, &any, &f)) {
				assert_int_equal(f.code, FAULT_INVALID);
				any = true;
			} else if (any) {
				assert_true(message.seq > newest);
				newest = message.seq;
			}
		}
		if (newest < 13)
			fail_msg("%s: %d", rows[i].name, (int)newest);
		spool_reader_close(reader);
		spool_writer_close(writer);
		start_over(state, begin);
	}
}

static int
list_drop(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	char *text = with;

	(void)f;
	snprintf(text + strlen(text), 256 - strlen(text), "%s %s %d\n", device, reason, (int)n);
	return 0;
}

static void
what_is_dropped_unread_is_counted(void **state)
{
	const struct spool_options aging = {.max_bytes = SPOOL_SIZE_MIN, .max_age_s = 3600};
	static const struct {
		int open_fails;
		const char *drops;
	} rows[] = {{0, "(unknown) age 2\ndev age 11\n"}, {EIO, "(unknown) age 10\ndev age 3\n"}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct spool_writer *writer;
		struct fault f = FAULT_INIT;
		char text[256] = "";

		write_two_segments();
		fail_a_block();
		if (rows[i].open_fails)
			fail_open("0000000000000001.log", rows[i].open_fails);
		writer = writer_at(dir, &aging);
		append_block(writer, "new");
		assert_ok(spool_tick(writer, now_ms() + 3700000, &f), &f);
		spool_writer_close(writer);
		come_back();
		assert_ok(spool_drops(dir, list_drop, text, &f), &f);
		assert_string_equal(text, rows[i].drops);
		start_over(state, begin);
	}
}

/* What cannot be written is not taken, and nothing that was is lost. */
static void
what_cannot_be_written_is_refused(void **state)
{
	static const int reasons[] = {EIO, ENOSPC, EROFS, EDQUOT};

	for (size_t i = 0; i < N_ELEMENTS(reasons); i++) {
		struct spool_writer *writer;
		struct spool_reader *reader;
		struct fault f = FAULT_INIT;

		writer = writer_at(dir, &options);
		disk.write_fails = reasons[i];
		assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
		disk.write_fails = 0;
		append_block(writer, "1");
		disk.write_fails = reasons[i];
		assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
		reader = reader_of("cloud");
		assert_reads(reader, FAULT_NONE, "1 ");
		assert_fault(spool_acknowledge(reader, 2, &f), &f, FAULT_IO);
		disk.write_fails = 0;
		append_block(writer, "2");
		assert_reads(reader, FAULT_NONE, "2 ");
		assert_ok(spool_acknowledge(reader, 3, &f), &f);
		assert_int_equal(spool_lost(reader), 0);
		spool_reader_close(reader);
		spool_writer_close(writer);
		start_over(state, begin);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(only_what_is_in_a_bad_block_is_lost),
		TEST(a_copy_in_quarantine_has_what_can_be_read),
		TEST(a_disk_that_comes_back_costs_nothing),
		TEST(a_disk_that_is_gone_costs_nothing),
		TEST(a_read_only_disk_is_read_around_its_bad_blocks),
		TEST(a_segment_whose_head_is_lost_is_lost),
		TEST(people_are_not_kept_waiting),
		TEST(what_is_not_a_file_is_moved_away),
		TEST(a_segment_that_cannot_be_opened_is_skipped),
		TEST(the_newest_segment_is_never_skipped),
		TEST(a_want_of_descriptors_costs_nothing),
		TEST(a_cursor_that_cannot_be_read_is_renewed),
		TEST(the_writer_works_around_what_it_cannot_read),
		TEST(what_is_dropped_unread_is_counted),
		TEST(what_cannot_be_written_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
