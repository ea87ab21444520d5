#include "config.h"

#include "unit.h"

#include <errno.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/timely.h"

#include "soft-spool.h"

#define BOUND_MS 300

/* Something waits that must not: the test is ended, for it would not end by itself. */
#define TOO_LONG_S 60

#define MEMORY "/dev/shm/p11-timely-test."

static char memory[] = MEMORY "XXXXXX";

static const struct spool_options process = {.max_bytes = SPOOL_SIZE_MIN};
static const struct spool_options power = {.max_bytes = SPOOL_SIZE_MIN, .power = true};
static const struct spool_options in_front = {.max_bytes = 64 * 1024 * 1024, .front = memory};

/*
 * The disk: these are called in place of the C library's. What is written to memory is not held up.
 *
 * hangs   for whatever is written; keeps: when something is deleted
 * looked  whether something waits for it
 */
static atomic_bool hangs, keeps, is_full, looked;
static atomic_int delay_ms;

static void
pause_ms(int ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static void
disk(void)
{
	if (delay_ms)
		pause_ms(delay_ms);
	if (hangs)
		looked = true;
	while (hangs)
		pause_ms(1);
}

static bool
is_in_memory(int fd)
{
	struct statfs about;

	return fstatfs(fd, &about) == 0 && about.f_type == TMPFS_MAGIC;
}

int
fdatasync(int fd)
{
	disk();
	return (int)syscall(SYS_fdatasync, fd);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	if (!is_in_memory(fd))
		disk();
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	disk();
	errno = ENOSPC;
	return is_full ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

static int
begin(void **state)
{
	(void)state;
	hangs = keeps = is_full = looked = false;
	delay_ms = 0;
	alarm(TOO_LONG_S);
	strcpy(memory + sizeof(MEMORY) - 1, "XXXXXX");
	return make_dir() || !mkdtemp(memory) ? -1 : 0;
}

static int
end_both(void **state)
{
	return end(state) || remove_dir(memory) ? -1 : 0;
}

static struct timely *
open_with(const struct spool_options *options)
{
	struct timely *timely = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(timely_open(dir, options, BOUND_MS, &timely, &f), &f);
	return timely;
}

static int
append_timely(struct timely *timely, const char *payload, struct fault *f)
{
	char copy[64];
	struct spool_message message = {.device = "dev",
		.topic = "/devices/dev/events",
		.qos = 1,
		.payload = copy,
		.len = strlen(payload)};
	int rc;

	snprintf(copy, sizeof(copy), "%s", payload);
	rc = timely_append(timely, &message, f);
	/* As the broker does with what it has done with. */
	memset(copy, 'x', sizeof(copy));
	return rc;
}

static void
append_once_it_is_back(struct timely *timely, const char *payload)
{
	while (append_timely(timely, payload, NULL))
		pause_ms(10);
}

/* What the spool has: payloads, each behind a space. */
static void
read_all(char *ret, size_t size)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_message message;
	struct fault f = FAULT_INIT;
	size_t len = 0;
	bool any;

	assert_ok(spool_reader_open(dir, NULL, &reader, &f), &f);
	for (;;) {
		assert_ok(spool_next(reader, &message, &any, &f), &f);
		if (!any)
			return;
		len += (size_t)snprintf(ret + len, size - len, " %.*s", (int)message.len,
			(const char *)message.payload);
		assert_true(len < size);
	}
}

static void
assert_spooled(const char *wanted)
{
	char got[1024] = "";

	read_all(got, sizeof(got));
	assert_string_equal(got, wanted);
}

static void
messages_are_taken_as_by_the_spool(void **state)
{
	static const struct spool_options *const options[] = {&process, &power};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(options); i++) {
		AUTO(auto_timely) struct timely *timely = open_with(options[i]);

		assert_ok(append_timely(timely, "one", &f), &f);
		assert_ok(append_timely(timely, "", &f), &f);
		assert_ok(append_timely(timely, "three", &f), &f);
	}
	assert_spooled(" one  three one  three");
}

static void
faults_are_told_as_by_the_spool(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&power);
	char device[SPOOL_DEVICE_MAX + 2] = "";
	struct spool_message message = {.device = device, .topic = "t", .payload = ""};
	struct fault f = FAULT_INIT;

	(void)state;
	memset(device, 'd', SPOOL_DEVICE_MAX + 1);
	assert_fault(timely_append(timely, &message, &f), &f, FAULT_INVALID);
	assert_ok(append_timely(timely, "next", &f), &f);
}

static void
hangs_with(const struct spool_options *options)
{
	AUTO(auto_timely) struct timely *timely = open_with(options);
	struct fault f = FAULT_INIT;

	assert_ok(append_timely(timely, "before", &f), &f);
	hangs = true;
	assert_fault(append_timely(timely, "late", &f), &f, FAULT_IO);
	assert_non_null(strstr(f.text, "the disk has not answered"));
	/* Each would be refused after BOUND_MS: the alarm comes long before all were. */
	for (int i = 0; i < 1000; i++)
		assert_fault(append_timely(timely, "refused", &f), &f, FAULT_IO);
	hangs = false;
	append_once_it_is_back(timely, "after");
	/* What came late may be there: it was not said to be, so that it comes again. */
	assert_spooled(" before late after");
}

static void
a_disk_that_hangs_is_waited_for_once(void **state)
{
	(void)state;
	hangs_with(&power);
}

static void
without_a_front_it_is_waited_for_once_too(void **state)
{
	(void)state;
	hangs_with(&process);
}

static void
a_disk_that_is_slow_is_not_waited_for_all_the_time(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&power);
	char wanted[1024] = "", got[1024] = "";
	int refused = 0;

	(void)state;
	delay_ms = TIMELY_QUICK_MS + 50;
	for (int i = 0; i < 20; i++) {
		char payload[16];
		struct fault f = FAULT_INIT;

		snprintf(payload, sizeof(payload), "m%02d", i);
		if (!append_timely(timely, payload, &f))
			strcat(strcat(wanted, " "), payload);
		else
			refused++;
	}
	assert_true(refused > 10);
	delay_ms = 0;
	append_once_it_is_back(timely, "after");
	read_all(got, sizeof(got));
	for (char *at = strtok(wanted, " "); at; at = strtok(NULL, " "))
		assert_non_null(strstr(got, at));
}

/* append_some(TIMELY, N): messages of 64 KiB each; whether all were taken */
static bool
append_some(struct timely *timely, int n, struct fault *f)
{
	static char payload[64 * 1024];
	const struct spool_message message = {.device = "dev",
		.topic = "/devices/dev/events",
		.payload = payload,
		.len = sizeof(payload)};

	while (n > 0 && !timely_append(timely, &message, f))
		n--;
	return n == 0;
}

/* begin_in_front(TIMELY): with a first message, for which the disk is needed */
static void
begin_in_front(struct timely *timely)
{
	struct fault f = FAULT_INIT;

	assert_ok(append_timely(timely, "first", &f), &f);
}

/*
 * tick(TIMELY, NOW): a second later; has housekeeping done, and what is in memory brought to the
 * disk; waits until it hangs there when it is to
 */
static void
tick(struct timely *timely, int64_t *now)
{
	struct fault f = FAULT_INIT;

	do {
		*now += 1000;
		assert_ok(timely_tick(timely, *now, &f), &f);
		pause_ms(1);
	} while ((hangs || keeps) && !looked);
}

static void
with_a_front_no_disk_is_waited_for(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&in_front);
	struct fault f = FAULT_INIT;
	int64_t now = 10000;

	(void)state;
	begin_in_front(timely);
	hangs = true;
	tick(timely, &now);
	/* It would be refused if it had waited for the disk. */
	for (int i = 0; i < 10; i++)
		assert_ok(append_timely(timely, "meanwhile", &f), &f);
	assert_spooled(
		" first meanwhile meanwhile meanwhile meanwhile meanwhile meanwhile meanwhile"
		" meanwhile meanwhile meanwhile");
	hangs = false;
}

/* take_all(READER): reads what there is, and says that it is done with; returns how many */
static int
take_all(struct spool_reader *reader)
{
	struct spool_message message = {.seq = 0};
	struct fault f = FAULT_INIT;
	bool any = true;
	int n = 0;

	while (any) {
		uint64_t seq = message.seq;

		assert_ok(spool_next(reader, &message, &any, &f), &f);
		if (any && seq)
			assert_int_equal(message.seq, seq + 1);
		n += any;
		if (any)
			assert_ok(spool_acknowledge(reader, message.seq + 1, &f), &f);
	}
	return n;
}

static int64_t
spool_bytes(void)
{
	struct spool_extent extent;
	struct fault f = FAULT_INIT;

	assert_ok(spool_extent(dir, &extent, &f), &f);
	return extent.bytes;
}

/* Nor while it deletes what was delivered. */
static void
nor_when_it_hangs_in_housekeeping(void **state)
{
	struct spool_options small = {.max_bytes = 8 * 1024 * 1024, .front = memory};
	AUTO(auto_timely) struct timely *timely = open_with(&small);
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;
	struct stat about;
	int64_t now = 10000, bytes;
	char first[64];

	(void)state;
	begin_in_front(timely);
	reader = reader_of("cloud");
	assert_true(append_some(timely, 20, &f));
	bytes = spool_bytes();
	tick(timely, &now);
	/* Before it deletes, all of it is on the disk. */
	snprintf(first, sizeof(first), "%s/front/0000000000000001.log", dir);
	while (!stat(first, &about))
		tick(timely, &now);
	keeps = true;
	assert_int_equal(take_all(reader), 21);
	tick(timely, &now);
	for (int i = 0; i < 10; i++)
		assert_ok(append_timely(timely, "meanwhile", &f), &f);
	assert_int_equal(take_all(reader), 10);
	keeps = false;
	while (spool_bytes() >= bytes)
		tick(timely, &now);
}

/* Both at once, as fast as they can. */
static void
messages_come_in_while_others_are_deleted(void **state)
{
	struct spool_options small = {.max_bytes = 8 * 1024 * 1024, .front = memory};
	AUTO(auto_timely) struct timely *timely = open_with(&small);
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;
	int64_t now = 10000;
	int n = 0, sent = 0;

	(void)state;
	begin_in_front(timely);
	sent++;
	reader = reader_of("cloud");
	for (int i = 0; i < 100; i++) {
		for (int more = 10; more > 0;) {
			if (append_some(timely, 1, &f))
				more--, sent++;
			else
				pause_ms(1);
		}
		tick(timely, &now);
		n += take_all(reader);
	}
	assert_int_equal(n, sent);
	assert_true(spool_bytes() < 8 * 1024 * 1024);
}

static void
when_it_is_full_the_disk_is_waited_for_once(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&in_front);
	struct fault f = FAULT_INIT;

	(void)state;
	begin_in_front(timely);
	hangs = true;
	assert_true(append_some(timely, 200, &f));
	assert_false(append_some(timely, 200, &f));
	assert_int_equal(f.code, FAULT_IO);
	assert_non_null(strstr(f.text, "the disk has not answered"));
	for (int i = 0; i < 1000; i++)
		assert_fault(append_timely(timely, "refused", &f), &f, FAULT_IO);
	hangs = false;
	append_once_it_is_back(timely, "after");
	assert_ok(append_timely(timely, "next", &f), &f);
}

static void
a_disk_that_is_full_is_told_and_nothing_more_taken(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&in_front);
	struct fault f = FAULT_INIT;
	int64_t now = 10000;

	(void)state;
	begin_in_front(timely);
	is_full = true;
	while (!timely_tick(timely, now += 1000, &f))
		pause_ms(1);
	assert_non_null(strstr(f.text, "No space left"));
	assert_fault(append_timely(timely, "refused", &f), &f, FAULT_IO);
	assert_non_null(strstr(f.text, "No space left"));
	is_full = false;
	assert_ok(append_timely(timely, "taken", &f), &f);
	while (timely_tick(timely, now += 1000, &f))
		pause_ms(1);
	assert_spooled(" first taken");
}

static void
a_front_that_was_removed_is_told_and_made_again(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&in_front);
	struct fault f = FAULT_INIT;
	int64_t now = 10000;

	(void)state;
	begin_in_front(timely);
	assert_int_equal(remove_dir(memory), 0);
	assert_int_equal(mkdir(memory, 0700), 0);
	while (!timely_tick(timely, now += 1000, &f))
		pause_ms(1);
	assert_non_null(strstr(f.text, "the spool's front was removed"));
	assert_ok(append_timely(timely, "taken", &f), &f);
	assert_ok(append_timely(timely, "too", &f), &f);
	while (timely_tick(timely, now += 1000, &f))
		pause_ms(1);
	assert_spooled(" taken too");
}

static void
what_is_in_memory_gets_to_the_disk(void **state)
{
	struct timely *timely = open_with(&in_front);
	struct stat about;
	char path[64];
	int64_t now = 10000;

	(void)state;
	begin_in_front(timely);
	snprintf(path, sizeof(path), "%s/0000000000000001.log", dir);
	assert_int_equal(stat(path, &about), -1);
	tick(timely, &now);
	while (stat(path, &about))
		pause_ms(1);
	assert_true(append_some(timely, 64, NULL));
	/* Without a tick: it has become much. */
	while (stat(path, &about) || about.st_size < 1024 * 1024)
		pause_ms(1);
	timely_close(timely);
	assert_int_equal(rmdir(memory), 0);
	assert_int_equal(mkdir(memory, 0700), 0);
}

int
unlinkat(int at, const char *path, int flags)
{
	if (!is_in_memory(at) && keeps)
		looked = true;
	while (!is_in_memory(at) && keeps)
		pause_ms(1);
	return (int)syscall(SYS_unlinkat, at, path, flags);
}

static void *
answers_soon(void *unused)
{
	(void)unused;
	pause_ms(2 * TIMELY_QUICK_MS);
	hangs = false;
	return NULL;
}

static void
what_was_asked_for_is_done_before_the_end(void **state)
{
	struct timely *timely = open_with(&power);
	pthread_t helper;

	(void)state;
	hangs = true;
	assert_int_equal(append_timely(timely, "late", NULL), -1);
	assert_int_equal(pthread_create(&helper, NULL, answers_soon, NULL), 0);
	timely_close(timely);
	pthread_join(helper, NULL);
	assert_spooled(" late");
}

static void
housekeeping_is_done_and_its_faults_are_told(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&process);
	struct fault f = FAULT_INIT;
	char cursors[64], aside[64];
	int64_t now = 10000;

	(void)state;
	snprintf(cursors, sizeof(cursors), "%s/cursors", dir);
	snprintf(aside, sizeof(aside), "%s/aside", dir);
	assert_ok(timely_tick(timely, now, &f), &f);
	assert_int_equal(rename(cursors, aside), 0);
	while (!timely_tick(timely, now += 1000, &f))
		pause_ms(1);
	assert_int_equal(f.code, FAULT_NOTFOUND);
	assert_int_equal(rename(aside, cursors), 0);
	while (timely_tick(timely, now += 1000, NULL))
		pause_ms(1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_both)
	const struct CMUnitTest tests[] = {
		TEST(messages_are_taken_as_by_the_spool),
		TEST(faults_are_told_as_by_the_spool),
		TEST(a_disk_that_hangs_is_waited_for_once),
		TEST(without_a_front_it_is_waited_for_once_too),
		TEST(a_disk_that_is_slow_is_not_waited_for_all_the_time),
		TEST(with_a_front_no_disk_is_waited_for),
		TEST(nor_when_it_hangs_in_housekeeping),
		TEST(messages_come_in_while_others_are_deleted),
		TEST(when_it_is_full_the_disk_is_waited_for_once),
		TEST(a_disk_that_is_full_is_told_and_nothing_more_taken),
		TEST(a_front_that_was_removed_is_told_and_made_again),
		TEST(what_is_in_memory_gets_to_the_disk),
		TEST(what_was_asked_for_is_done_before_the_end),
		TEST(housekeeping_is_done_and_its_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
