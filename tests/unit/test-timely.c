#include "config.h"

#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/timely.h"

#include "soft-spool.h"

#define BOUND_MS 300

/* Something waits that must not: the test is ended, for it would not end by itself. */
#define TOO_LONG_S 60

static const struct spool_options process = {.max_bytes = SPOOL_SIZE_MIN};
static const struct spool_options power = {.max_bytes = SPOOL_SIZE_MIN, .power = true};

/* The disk: these are called in place of the C library's. */
static atomic_bool hangs;
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
	while (hangs)
		pause_ms(1);
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
	disk();
	return syscall(SYS_write, fd, bytes, len);
}

static void *
answers_soon(void *unused)
{
	(void)unused;
	pause_ms(2 * TIMELY_QUICK_MS);
	hangs = false;
	return NULL;
}

static int
begin(void **state)
{
	(void)state;
	hangs = false;
	delay_ms = 0;
	alarm(TOO_LONG_S);
	return make_dir();
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
append(struct timely *timely, const char *payload, struct fault *f)
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
	while (append(timely, payload, NULL))
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

		assert_ok(append(timely, "one", &f), &f);
		assert_ok(append(timely, "", &f), &f);
		assert_ok(append(timely, "three", &f), &f);
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
	assert_ok(append(timely, "next", &f), &f);
}

static void
a_disk_that_hangs_is_waited_for_once(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&power);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(append(timely, "before", &f), &f);
	hangs = true;
	assert_fault(append(timely, "late", &f), &f, FAULT_IO);
	assert_non_null(strstr(f.text, "the disk has not answered"));
	/* Each would be refused after BOUND_MS: the alarm comes long before all were. */
	for (int i = 0; i < 1000; i++)
		assert_fault(append(timely, "refused", &f), &f, FAULT_IO);
	hangs = false;
	append_once_it_is_back(timely, "after");
	/* What came late may be there: it was not said to be, so that it comes again. */
	assert_spooled(" before late after");
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
		if (!append(timely, payload, &f))
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

static void
after_a_late_answer_the_kernel_is_not_trusted(void **state)
{
	AUTO(auto_timely) struct timely *timely = open_with(&process);
	struct fault f = FAULT_INIT;
	pthread_t helper;

	(void)state;
	hangs = true;
	assert_int_equal(pthread_create(&helper, NULL, answers_soon, NULL), 0);
	assert_ok(append(timely, "waited-for", &f), &f);
	pthread_join(helper, NULL);
	pause_ms(BOUND_MS); /* what was waited is to come back */
	hangs = true;
	assert_fault(append(timely, "late", &f), &f, FAULT_IO);
	hangs = false;
	append_once_it_is_back(timely, "after");
	assert_spooled(" waited-for late after");
}

static void
what_was_asked_for_is_done_before_the_end(void **state)
{
	struct timely *timely = open_with(&power);
	pthread_t helper;

	(void)state;
	hangs = true;
	assert_int_equal(append(timely, "late", NULL), -1);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(messages_are_taken_as_by_the_spool),
		TEST(faults_are_told_as_by_the_spool),
		TEST(a_disk_that_hangs_is_waited_for_once),
		TEST(a_disk_that_is_slow_is_not_waited_for_all_the_time),
		TEST(after_a_late_answer_the_kernel_is_not_trusted),
		TEST(what_was_asked_for_is_done_before_the_end),
		TEST(housekeeping_is_done_and_its_faults_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
