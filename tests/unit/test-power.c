#include "config.h"

#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/spool.h"

#include "soft-spool.h"

static const struct spool_options process = {.max_bytes = SPOOL_SIZE_MIN};
static const struct spool_options power = {.max_bytes = SPOOL_SIZE_MIN, .power = true};

/*
 * The disk: these are called in place of the C library's.
 *
 * done   what was done in turn: 'w'rite, fdatasync as 'd', fsync as 'f'
 * fails  the one of them that fails
 * looks  who reads to the end meanwhile
 * bad    from where on a file cannot be read; 0: all of it can
 */
static char done[64];
static char fails;
static struct spool_reader *looks;
static off_t bad;

static int
note(char what)
{
	size_t n = strlen(done);

	if (n < sizeof(done) - 1)
		done[n] = what;
	if (what != fails)
		return 0;
	if (looks)
		assert_none(looks);
	errno = EIO;
	return -1;
}

int
fdatasync(int fd)
{
	return note('d') ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return note('f') ? -1 : (int)syscall(SYS_fsync, fd);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	return note('w') ? -1 : syscall(SYS_write, fd, bytes, len);
}

/* As a disk does it: what is before the bad place first, and the error with the next call. */
ssize_t
pread(int fd, void *bytes, size_t len, off_t at)
{
	if (bad && at >= bad) {
		errno = EIO;
		return -1;
	}
	if (bad && at + (off_t)len > bad)
		len = (size_t)(bad - at);
	return syscall(SYS_pread64, fd, bytes, len, at);
}

static int
begin(void **state)
{
	(void)state;
	fails = '\0';
	looks = NULL;
	bad = 0;
	return make_dir();
}

/* Records only what this message does to the disk. */
static int
record_append(struct spool_writer *writer, const char *payload, struct fault *f)
{
	memset(done, 0, sizeof(done));
	return try_append(writer, payload, f);
}

/* What came after the end was read is there when it is asked for again. */
static void
assert_numbered(struct spool_reader *reader, uint64_t seq, const char *payload)
{
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	assert_ok(spool_next(reader, &message, &any, &f), &f);
	if (!any)
		assert_ok(spool_next(reader, &message, &any, &f), &f);
	assert_true(any);
	assert_int_equal(message.seq, seq);
	assert_int_equal(message.len, strlen(payload));
	assert_memory_equal(message.payload, payload, message.len);
}

/* A segment's head, and its name in the directory; then each message. */
static void
what_is_told_to_be_taken_is_on_the_disk(void **state)
{
	struct fault f = FAULT_INIT;
	struct spool_writer *writer = writer_at(dir, &power);

	(void)state;
	assert_ok(record_append(writer, "one", &f), &f);
	assert_string_equal(done, "wdfwd");
	assert_ok(record_append(writer, "two", &f), &f);
	assert_string_equal(done, "wd");
	spool_writer_close(writer);
	writer = writer_at(dir, &process);
	assert_ok(record_append(writer, "three", &f), &f);
	assert_string_equal(done, "ww");
	assert_ok(record_append(writer, "four", &f), &f);
	assert_string_equal(done, "w");
	spool_writer_close(writer);
}

static void
a_spool_that_is_made_is_on_the_disk(void **state)
{
	static const struct spool_options *const options[] = {&process, &power};
	struct spool_writer *writer = NULL;
	struct fault f = FAULT_INIT;
	char path[64];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(options); i++) {
		snprintf(path, sizeof(path), "%s/spool-%zu", dir, i);
		fails = 'f';
		if (options[i]->power)
			assert_fault(
				spool_writer_open(path, options[i], &writer, &f), &f, FAULT_IO);
		fails = '\0';
		memset(done, 0, sizeof(done));
		spool_writer_close(writer_at(path, options[i]));
		assert_string_equal(done, options[i]->power ? "f" : "");
		/* One that is there is not waited for. */
		memset(done, 0, sizeof(done));
		spool_writer_close(writer_at(path, options[i]));
		assert_string_equal(done, "");
	}
}

/* A message that a reader had before the disk failed is not taken for the one that comes next. */
static void
no_number_is_given_twice(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &power);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(record_append(writer, "zero", &f), &f);
	assert_numbered(reader, 1, "zero");
	fails = 'd';
	assert_fault(record_append(writer, "one", &f), &f, FAULT_IO);
	assert_numbered(reader, 2, "one");
	/* Nothing more is written to a disk that still fails. */
	assert_fault(record_append(writer, "two", &f), &f, FAULT_IO);
	fails = '\0';
	assert_ok(record_append(writer, "two", &f), &f);
	assert_string_equal(done, "wdfwd");
	assert_numbered(reader, 3, "two");
	assert_none(reader);
}

/* A place that cannot be read is no end, and no damage: it may be read later. */
static void
a_disk_that_cannot_read_is_not_at_the_end(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &process);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	assert_ok(record_append(writer, "zero", &f), &f);
	assert_ok(record_append(writer, "one", &f), &f);
	spool_writer_close(writer);
	writer = writer_at(dir, &process);
	assert_ok(record_append(writer, "two", &f), &f);
	bad = 80;
	assert_numbered(reader, 1, "zero");
	for (int i = 0; i < 2; i++)
		assert_fault(spool_next(reader, &message, &any, &f), &f, FAULT_IO);
	bad = 0;
	assert_numbered(reader, 2, "one");
	assert_numbered(reader, 3, "two");
	assert_none(reader);
}

/* One who has a segment open that was only begun is not left behind with it. */
static void
a_segment_that_was_begun_is_gone_on_with(void **state)
{
	struct spool_writer *writer = writer_at(dir, &power);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct fault f = FAULT_INIT;

	(void)state;
	fails = 'f';
	looks = reader;
	assert_fault(record_append(writer, "one", &f), &f, FAULT_IO);
	spool_writer_close(writer);
	writer = writer_at(dir, &power);
	assert_ok(spool_acknowledge(reader, 1, &f), &f);
	assert_ok(spool_tick(writer, INT64_C(1) << 40, &f), &f);
	fails = '\0';
	assert_ok(record_append(writer, "one", &f), &f);
	assert_numbered(reader, 1, "one");
	assert_none(reader);
	spool_writer_close(writer);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_is_told_to_be_taken_is_on_the_disk),
		TEST(a_spool_that_is_made_is_on_the_disk),
		TEST(no_number_is_given_twice),
		TEST(a_disk_that_cannot_read_is_not_at_the_end),
		TEST(a_segment_that_was_begun_is_gone_on_with),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
