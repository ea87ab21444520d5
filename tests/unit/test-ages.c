/* How old a spool's messages are, whatever the wall clock says, and across restarts. */
#include "config.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/spool.h"

#include "soft-spool.h"

#define MAX_AGE_S 1600

static const struct spool_options options = {.max_bytes = SPOOL_SIZE_MIN, .max_age_s = MAX_AGE_S};

/* How far the clocks are ahead of the system's, in seconds; called in place of the C library's. */
static int64_t wall_s, boot_s;

/* What the kernel says the boot's ID is. */
static char boot_id[] = "a-boot\n";

FILE *
fopen(const char *path, const char *mode)
{
	if (!strcmp(path, "/proc/sys/kernel/random/boot_id"))
		return fmemopen(boot_id, strlen(boot_id), "r");
	return fdopen(open(path, O_RDONLY | O_CLOEXEC), mode);
}

int
clock_gettime(clockid_t clock, struct timespec *ret)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ret);

	if (clock == CLOCK_REALTIME)
		ret->tv_sec += wall_s;
	if (clock == CLOCK_BOOTTIME)
		ret->tv_sec += boot_s;
	return rc;
}

static int
begin(void **state)
{
	(void)state;
	/* Long after the boot, so that it can be before another one. */
	wall_s = 0;
	boot_s = 1000000;
	return make_dir();
}

/* The file system dates files by a clock of its own: as if it were that of the process. */
static void
date_files(void)
{
	struct timespec times[2];
	char path[128];

	clock_gettime(CLOCK_REALTIME, &times[0]);
	times[1] = times[0];
	snprintf(path, sizeof(path), "%s/0000000000000001.log", dir);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
tick(struct spool_writer *writer)
{
	struct fault f = FAULT_INIT;

	assert_ok(spool_tick(writer, now_ms(), &f), &f);
}

/* Whether there is a message that was not dropped. */
static bool
is_there(void)
{
	struct spool_extent extent;
	struct fault f = FAULT_INIT;

	assert_ok(spool_extent(dir, &extent, &f), &f);
	return extent.first != 0;
}

/* Sets the wall clock, as seconds since 1970. */
static void
set_wall(int64_t seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	wall_s += seconds - now.tv_sec;
}

/* No step of the wall clock makes a message old, whether the writer runs or starts with it. */
static void
no_wall_clock_makes_a_message_old(void **state)
{
	static const int64_t days = 86400;
	int64_t true_s = time(NULL);
	const struct {
		const char *what;
		int64_t written, then, at_last;
	} rows[] = {
		{"ahead, then right", true_s + 60 * days, true_s, true_s},
		{"right, then ahead at the start", true_s, true_s + 60 * days, true_s},
		{"ahead all the time", true_s + 60 * days, true_s + 60 * days, true_s + 120 * days},
		{"1970, then right", 0, true_s, true_s},
		{"the time of the build, then right", true_s - 900 * days, true_s, true_s},
		{"the time of the build twice", true_s - 900 * days, true_s - 900 * days, true_s},
		{"right, then 1970", true_s, 0, true_s},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct spool_writer *writer;

		set_wall(rows[i].written);
		writer = writer_at(dir, &options);
		append(writer, "x");
		date_files();
		tick(writer);
		set_wall(rows[i].then);
		boot_s += 2;
		tick(writer);
		spool_writer_close(writer);
		writer = writer_at(dir, &options);
		boot_s += 2;
		tick(writer);
		set_wall(rows[i].at_last);
		boot_s += 2;
		tick(writer);
		spool_writer_close(writer);
		if (!is_there())
			fail_msg("%s: dropped", rows[i].what);
		start_over(state, begin);
	}
}

static void
a_message_ages_while_no_writer_runs(void **state)
{
	struct spool_writer *writer = writer_at(dir, &options);

	(void)state;
	append(writer, "x");
	spool_writer_close(writer);
	boot_s += MAX_AGE_S - 100;
	writer = writer_at(dir, &options);
	tick(writer);
	assert_true(is_there());
	spool_writer_close(writer);
	boot_s += 200;
	writer = writer_at(dir, &options);
	tick(writer);
	assert_false(is_there());
	spool_writer_close(writer);
}

/* The clock begins again with a boot. */
static void
reboot(void)
{
	boot_id[0]++;
	boot_s -= now_ms() / 1000;
}

static void
a_message_ages_across_a_reboot_while_the_system_runs(void **state)
{
	struct spool_writer *writer = writer_at(dir, &options);

	(void)state;
	append(writer, "x");
	boot_s += MAX_AGE_S - 300;
	spool_writer_close(writer);
	reboot();
	boot_s += 100;
	writer = writer_at(dir, &options);
	tick(writer);
	assert_true(is_there());
	boot_s += 100;
	tick(writer);
	assert_true(is_there());
	boot_s += 200;
	tick(writer);
	assert_false(is_there());
	spool_writer_close(writer);
}

/* A file that was damaged, or that nobody wrote, makes nothing old. */
static void
without_ages_everything_is_new(void **state)
{
	static const char *const texts[] = {
		NULL, "", "garbage\n", "00000000\n- 0\n1 -99999999999\n"};
	struct fault f = FAULT_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/ages", dir);
	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		struct spool_writer *writer = writer_at(dir, &options);

		snprintf(path, sizeof(path), "%s/ages", dir);
		append(writer, "x");
		spool_writer_close(writer);
		boot_s += MAX_AGE_S + 1;
		if (texts[i])
			assert_ok(file_write(path, 0600, texts[i], strlen(texts[i]), &f), &f);
		else
			assert_int_equal(unlink(path), 0);
		writer = writer_at(dir, &options);
		tick(writer);
		assert_true(is_there());
		spool_writer_close(writer);
		start_over(state, begin);
	}
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(no_wall_clock_makes_a_message_old),
		TEST(a_message_ages_while_no_writer_runs),
		TEST(a_message_ages_across_a_reboot_while_the_system_runs),
		TEST(without_ages_everything_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
