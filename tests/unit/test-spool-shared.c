/* A spool's directory is its group's: what a gateway may put there in place of a file. */
#include "config.h"

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/segment.h"
#include "spool/spool.h"

#include "soft-spool.h"

/* A call that waits for what is in a file's place is ended after that. */
#define HANGS_S 20

#define VICTIM_MODE 0600
#define FOLDER_MODE 0700

static char victim[64], folder[64];

static int
begin(void **state)
{
	struct fault f = FAULT_INIT;

	(void)state;
	if (make_dir())
		return -1;
	snprintf(victim, sizeof(victim), "%s/victim", dir);
	snprintf(folder, sizeof(folder), "%s/folder", dir);
	return file_write(victim, VICTIM_MODE, "victim", 6, &f) || mkdir(folder, FOLDER_MODE);
}

/* All that a broker, a gateway and an operator do; each step may fail. */
static void
use_spool(void)
{
	const struct spool_options options = {
		.max_bytes = SPOOL_SIZE_MIN, .when_full = SPOOL_DROP_NEWEST};
	static char payload[256 * 1024];
	const struct spool_message message = {.device = "dev",
		.topic = "/devices/dev/events",
		.qos = 1,
		.payload = payload,
		.len = sizeof(payload)};
	struct spool_message got;
	struct spool_extent extent;
	AUTO(auto_spool_writer) struct spool_writer *writer = NULL;
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	bool any;

	if (!spool_writer_open(dir, &options, &writer, NULL)) {
		for (size_t n = 0; n < SPOOL_SIZE_MIN / sizeof(payload) + 2; n++)
			spool_append(writer, &message, NULL);
		spool_tick(writer, INT64_MAX / 2, NULL);
	}
	if (!spool_reader_open(dir, "cloud", &reader, NULL)) {
		spool_next(reader, &got, &any, NULL);
		spool_acknowledge(reader, 2, NULL);
	}
	spool_extent(dir, &extent, NULL);
	spool_forget(dir, "victim", NULL);
}

static void
assert_does_not_hang(const char *name)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		alarm(HANGS_S);
		use_spool();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status))
		fail_msg("%s: ended by signal %d", name, WTERMSIG(status));
}

static void
assert_untouched(const char *name)
{
	AUTO(auto_free) char *data = NULL;
	struct stat about;
	struct fault f = FAULT_INIT;
	size_t len;

	assert_int_equal(stat(folder, &about), 0);
	if ((about.st_mode & 07777) != FOLDER_MODE || about.st_nlink != 2)
		fail_msg("%s: the directory that a link led to has mode %o", name,
			about.st_mode & 07777);
	assert_int_equal(stat(victim, &about), 0);
	assert_int_equal(about.st_mode & 07777, VICTIM_MODE);
	assert_ok(file_read(victim, 100, &data, &len, &f), &f);
	if (strcmp(data, "victim") != 0)
		fail_msg("%s: the file that a link led to was written to", name);
}

enum thing { LINK_TO_FILE, LINK_TO_FOLDER, PIPE };

static void
put(enum thing thing, const char *path)
{
	switch (thing) {
	case LINK_TO_FILE:
		assert_int_equal(
			symlink(strchr(path + sizeof(dir), '/') ? "../victim" : "victim", path), 0);
		break;
	case LINK_TO_FOLDER:
		assert_int_equal(
			symlink(strchr(path + sizeof(dir), '/') ? "../folder" : "folder", path), 0);
		break;
	case PIPE:
		assert_int_equal(mkfifo(path, 0666), 0);
		break;
	}
}

static void
what_is_in_a_files_place_is_neither_followed_nor_waited_for(void **state)
{
	static const char *const names[] = {"lock", "drops", "drops.new", "cursors",
		"cursors/cloud", "cursors/victim", "0000000000000001.log", "0000000000000010.log"};
	char path[128], cursors[64];

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		for (enum thing thing = LINK_TO_FILE; thing <= PIPE; thing++) {
			snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
			snprintf(cursors, sizeof(cursors), "%s/cursors", dir);
			if (strchr(names[i], '/'))
				mkdir(cursors, 0700);
			put(thing, path);
			assert_does_not_hang(names[i]);
			assert_untouched(names[i]);
			start_over(state, begin);
		}
	}
}

/* A directory of cursors that leads elsewhere: none is deleted there, however often root asks. */
static void
forgetting_an_uplink_deletes_no_other_file(void **state)
{
	char path[64], kept[96];
	struct fault f = FAULT_INIT;

	(void)state;
	snprintf(path, sizeof(path), "%s/cursors", dir);
	snprintf(kept, sizeof(kept), "%s/kept", folder);
	assert_ok(file_write(kept, VICTIM_MODE, "victim", 6, &f), &f);
	assert_int_equal(symlink("folder", path), 0);
	assert_int_equal(spool_forget(dir, "kept", &f), -1);
	assert_int_equal(access(kept, F_OK), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_a_files_place_is_neither_followed_nor_waited_for),
		TEST(forgetting_an_uplink_deletes_no_other_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
