/* A spool whose directory, front or segment is deleted or replaced while it is written to. */
#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/chores.h"
#include "spool/spool.h"
#include "spool/timely.h"

#include "soft-spool.h"

/* In `dir`: the spool, its memory, and where a spool is moved to. */
static char spool[64], memory[64], elsewhere[64];

/* A directory is memory for us, wherever it is; called in place of the C library's. */
int
statfs(const char *path, struct statfs *ret)
{
	int rc = (int)syscall(SYS_statfs, path, ret);

	ret->f_type = TMPFS_MAGIC;
	return rc;
}

/* Whether directories cannot be made. */
static bool may_not_make;

int
mkdirat(int at, const char *path, mode_t mode)
{
	errno = EACCES;
	return may_not_make ? -1 : (int)syscall(SYS_mkdirat, at, path, mode);
}

static int
begin(void **state)
{
	(void)state;
	may_not_make = false;
	if (make_dir())
		return -1;
	snprintf(spool, sizeof(spool), "%s/spool", dir);
	snprintf(memory, sizeof(memory), "%s/memory", dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	return mkdir(memory, 0700);
}

static struct spool_options
options(bool front)
{
	return (struct spool_options){.max_bytes = SPOOL_SIZE_MIN, .front = front ? memory : NULL};
}

__attribute__((format(printf, 1, 2))) static void
run(const char *format, ...)
{
	char command[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	assert_int_equal(system(command), 0);
}

/* Payloads of all messages of a directory, with a blank behind each. */
static void
assert_has(const char *where, const char *expected)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_message message;
	struct fault f = FAULT_INIT;
	char text[256] = "";
	bool any = true;

	assert_ok(spool_reader_open(where, NULL, &reader, &f), &f);
	while (any) {
		if (spool_next(reader, &message, &any, &f)) {
			assert_int_equal(f.code, FAULT_INVALID);
			any = true;
		} else if (any) {
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s ",
				(int)message.len, (const char *)message.payload);
		}
	}
	assert_string_equal(text, expected);
}

/* A writer looks once in a tick of this clock. */
static void
wait_for_a_tick(void)
{
	struct timespec began, now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &began);
	do {
		poll(NULL, 0, 1);
		clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	} while (now.tv_sec * 1000 + now.tv_nsec / 1000000 ==
		 began.tv_sec * 1000 + began.tv_nsec / 1000000);
}

enum how { REMOVED, REMOVED_AND_MADE, MOVED, MOVED_AND_MADE };

static void
take_away(enum how how)
{
	if (how >= MOVED)
		run("mv '%s' '%s'", spool, elsewhere);
	else
		run("rm -r '%s'", spool);
	if (how == REMOVED_AND_MADE || how == MOVED_AND_MADE)
		assert_int_equal(mkdir(spool, 0700), 0);
	wait_for_a_tick();
}

/* Each message that was taken is in a file with a name. */
static void
no_message_goes_into_a_deleted_directory(void **state)
{
	struct fault f = FAULT_INIT;

	for (enum how how = REMOVED; how <= MOVED_AND_MADE; how++) {
		struct spool_options process = options(false);
		struct spool_writer *writer = writer_at(spool, &process);
		struct stat about;

		assert_int_equal(chmod(spool, 02770), 0);
		append(writer, "one");
		take_away(how);
		assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
		assert_non_null(strstr(f.text, "removed or replaced"));
		append(writer, "two");
		append(writer, "three");
		assert_has(spool, "two three ");
		assert_int_equal(stat(spool, &about), 0);
		if (how == MOVED)
			assert_int_equal(about.st_mode & 07777, 0750);
		spool_writer_close(writer);
		/* Numbers go on: a reader that knew the old one misses nothing. */
		writer = writer_at(spool, &process);
		append(writer, "four");
		assert_has(spool, "two three four ");
		spool_writer_close(writer);
		start_over(state, begin);
	}
}

/* A writer whose directory went away after its first message. */
static struct spool_writer *
writer_after(enum how how)
{
	struct spool_options process = options(false);
	struct spool_writer *writer = writer_at(spool, &process);

	append(writer, "one");
	take_away(how);
	return writer;
}

static void
what_may_not_be_made_again_is_waited_for(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_after(REMOVED);
	struct fault f = FAULT_INIT;

	(void)state;
	may_not_make = true;
	for (int i = 0; i < 3; i++)
		assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
	assert_fault(spool_tick(writer, 10000, &f), &f, FAULT_IO);
	assert_int_equal(access(spool, F_OK), -1);
	may_not_make = false;
	assert_int_equal(mkdir(spool, 0700), 0);
	append(writer, "two");
	assert_has(spool, "two ");
}

/* Nobody asks: a directory that was removed is there again before a message comes. */
static void
a_tick_is_enough(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_after(REMOVED);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(spool_tick(writer, 10000, &f), &f);
	append(writer, "two");
	assert_has(spool, "two ");
}

static void
a_directory_that_comes_back_has_what_it_had(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_after(MOVED_AND_MADE);
	struct fault f = FAULT_INIT;
	char other[64];

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
	append(writer, "two");
	run("mv '%s' '%s'", spool, other);
	run("mv '%s' '%s'", elsewhere, spool);
	wait_for_a_tick();
	assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
	append(writer, "three");
	/* What was refused may be there: its sender sends it again. */
	assert_has(spool, "one refused three ");
	assert_has(other, "two refused ");
}

static void
no_message_goes_into_a_deleted_segment(void **state)
{
	for (int front = 0; front < 2; front++) {
		struct spool_options begins = options(front);
		struct spool_writer *writer = writer_at(spool, &begins);
		struct fault f = FAULT_INIT;

		append(writer, "one");
		run("rm '%s%s/'*.log", spool, front ? "/front" : "");
		wait_for_a_tick();
		assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
		assert_non_null(strstr(f.text, "0000000000000001.log was deleted"));
		append(writer, "two");
		append(writer, "three");
		assert_has(spool, "two three ");
		spool_writer_close(writer);
		assert_has(spool, "two three ");
		start_over(state, begin);
	}
}

/* What is in memory is brought to the directory that is there. */
static void
a_front_outlives_the_directory(void **state)
{
	struct fault f = FAULT_INIT;

	for (enum how how = REMOVED; how <= MOVED_AND_MADE; how++) {
		struct spool_options begins = options(true);
		struct spool_writer *writer = writer_at(spool, &begins);
		struct front_part part;

		append(writer, "one");
		assert_true(spool_unsettled(writer, &part));
		assert_ok(front_copy(&part, &f), &f);
		assert_ok(spool_settled(writer, &part, &f), &f);
		append(writer, "two");
		take_away(how);
		append(writer, "three");
		assert_ok(spool_tick(writer, 10000, &f), &f);
		append(writer, "four");
		assert_has(spool, "one two three four ");
		spool_writer_close(writer);
		assert_has(spool, "one two three four ");
		/* Nothing stays in memory. */
		assert_int_equal(rmdir(memory), 0);
		assert_int_equal(mkdir(memory, 0700), 0);
		start_over(state, begin);
	}
}

/* Messages that have a number already do not get between others that have it, too. */
static void
another_spool_is_not_written_to(void **state)
{
	struct spool_options begins = options(true), process = options(false);
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(spool, &begins);
	struct spool_writer *other;
	struct fault f = FAULT_INIT;

	(void)state;
	append(writer, "one");
	take_away(MOVED);
	other = writer_at(spool, &process);
	append(other, "x");
	append(other, "y");
	spool_writer_close(other);
	assert_fault(spool_tick(writer, 10000, &f), &f, FAULT_CONFIG);
	assert_has(spool, "x y ");
	run("rm -r '%s'", spool);
}

/* Readers find the front by the link, and so does the writer that comes after a crash. */
static void
a_link_to_the_front_is_made_again(void **state)
{
	struct spool_options begins = options(true);
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(spool, &begins);
	struct fault f = FAULT_INIT;

	(void)state;
	append(writer, "one");
	run("rm '%s/front'; ln -s /nowhere '%s/front'", spool, spool);
	assert_ok(spool_tick(writer, 10000, &f), &f);
	assert_has(spool, "one ");
}

static int
try_timely(struct timely *timely, const char *payload)
{
	const struct spool_message message = {.device = "dev",
		.topic = "t",
		.qos = 1,
		.payload = payload,
		.len = strlen(payload)};

	return timely_append(timely, &message, NULL);
}

/*
 * As the broker does it, with a thread: what was taken is there in the end, whatever was removed.
 */
static void
what_a_thread_took_is_there(void **state)
{
	for (int front = 0; front < 2; front++) {
		for (enum how how = REMOVED; how <= MOVED_AND_MADE; how++) {
			struct spool_options begins = options(front);
			struct timely *timely = NULL;
			struct fault f = FAULT_INIT;
			char expected[256] = "", payload[8];
			int64_t tick_ms = 10000;

			assert_ok(timely_open(spool, &begins, 60000, &timely, &f), &f);
			assert_int_equal(try_timely(timely, "before"), 0);
			take_away(how);
			for (int i = 0; i < 20; i++) {
				snprintf(payload, sizeof(payload), "%d", i);
				if (!try_timely(timely, payload))
					strcat(strcat(expected, payload), " ");
				timely_tick(timely, tick_ms += 1100, NULL);
				wait_for_a_tick();
			}
			timely_close(timely);
			assert_non_null(strstr(expected, "19 "));
			{
				char with[300];

				snprintf(with, sizeof(with), "before %s", expected);
				assert_has(spool, front ? with : expected);
			}
			start_over(state, begin);
		}
	}
}

static void
a_reader_knows_where_its_spool_is(void **state)
{
	struct spool_options process = options(false);

	for (enum how how = REMOVED; how <= MOVED_AND_MADE; how++) {
		struct spool_writer *writer = writer_at(spool, &process);
		struct spool_reader *reader = NULL;
		struct fault f = FAULT_INIT;

		append(writer, "one");
		append(writer, "two");
		assert_ok(spool_reader_open(spool, "cloud", &reader, &f), &f);
		assert_int_equal(spool_reader_place(reader), SPOOL_KEPT);
		assert_next(reader, "one");
		take_away(how);
		assert_int_equal(spool_reader_place(reader),
			how <= REMOVED_AND_MADE ? SPOOL_REMOVED : SPOOL_REPLACED);
		/* What is open of it is still there. */
		assert_next(reader, "two");
		assert_none(reader);
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
		TEST(no_message_goes_into_a_deleted_directory),
		TEST(what_may_not_be_made_again_is_waited_for),
		TEST(a_tick_is_enough),
		TEST(a_directory_that_comes_back_has_what_it_had),
		TEST(no_message_goes_into_a_deleted_segment),
		TEST(a_front_outlives_the_directory),
		TEST(another_spool_is_not_written_to),
		TEST(a_link_to_the_front_is_made_again),
		TEST(what_a_thread_took_is_there),
		TEST(a_reader_knows_where_its_spool_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
