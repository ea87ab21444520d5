#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/chores.h"
#include "spool/segment.h"

#include "soft-spool.h"

#define MEMORY "/dev/shm/p11-front-test."
#define MIB    (1024 * 1024)

#define NOBODY 65534

static char parent[] = MEMORY "XXXXXX";
static const struct spool_options in_front = {.max_bytes = 512 * 1024 * 1024, .front = parent};
static const struct spool_options on_disk = {.max_bytes = 512 * 1024 * 1024};

/*
 * In place of the C library's:
 *
 * room          writes that there is room for in memory; -1: any
 * disk_is_full  whether there is none on the disk
 * memory_size   of the file system that is memory; 0: as it is
 */
static int room;
static bool disk_is_full;
static long memory_size;

int
statfs(const char *path, struct statfs *ret)
{
	long rc = syscall(SYS_statfs, path, ret);

	if (rc == 0 && memory_size)
		ret->f_blocks = (fsblkcnt_t)(memory_size / ret->f_bsize);
	return (int)rc;
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	errno = ENOSPC;
	if (room == 0)
		return -1;
	if (room > 0)
		room--;
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	errno = ENOSPC;
	return disk_is_full ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

static int
begin(void **state)
{
	(void)state;
	room = -1;
	disk_is_full = false;
	memory_size = 0;
	strcpy(parent + sizeof(MEMORY) - 1, "XXXXXX");
	return make_dir() || !mkdtemp(parent) ? -1 : 0;
}

static int
end_both(void **state)
{
	return end(state) || remove_dir(parent) ? -1 : 0;
}

/* Whether the next message would be taken without the disk. */
static bool
is_quick(const struct spool_writer *writer)
{
	const struct spool_message message = {
		.device = "dev", .topic = "/devices/dev/events", .payload = "", .len = 0};

	return spool_is_quick(writer, &message);
}

/* settle(WRITER, PARTS): as many parts are there to be brought to the disk */
static void
settle(struct spool_writer *writer, int parts)
{
	struct front_part part;
	struct fault f = FAULT_INIT;

	while (spool_unsettled(writer, &part)) {
		assert_true(parts-- > 0);
		assert_ok(front_copy(&part, &f), &f);
		assert_ok(spool_settled(writer, &part, &f), &f);
	}
	assert_int_equal(parts, 0);
	assert_int_equal(spool_unsettled_bytes(writer), 0);
}

/* What is at a path in the spool's directory; length -1 when nothing is. */
static struct bytes {
	char *at;
	ssize_t len;
} look_at(const char *folder, uint64_t first)
{
	char path[128], name[SEGMENT_NAME_LEN + 1];
	struct bytes got = {NULL, -1};
	struct stat about;
	int fd;

	segment_name(first, name);
	snprintf(path, sizeof(path), "%s/%s%s", dir, folder, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return got;
	assert_int_equal(fstat(fd, &about), 0);
	got.at = malloc((size_t)about.st_size + 1);
	assert_non_null(got.at);
	got.len = read(fd, got.at, (size_t)about.st_size);
	assert_int_equal(got.len, about.st_size);
	close(fd);
	return got;
}

/* assert_places(FIRST, MEMORY, DISK): whether a segment is in memory, and on the disk, alike */
static void
assert_places(uint64_t first, bool memory, bool disk)
{
	struct bytes a = look_at(SEGMENT_FRONT "/", first), b = look_at("", first);

	assert_int_equal(a.len >= 0, memory);
	assert_int_equal(b.len >= 0, disk);
	if (memory && disk) {
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.at, b.at, (size_t)a.len);
	}
	free(a.at);
	free(b.at);
}

/* As assert_places(1, ...), of a segment whose end is not on the disk yet. */
static void
assert_places_of_first(bool memory, bool disk)
{
	struct bytes a = look_at(SEGMENT_FRONT "/", 1), b = look_at("", 1);

	assert_int_equal(a.len >= 0, memory);
	assert_int_equal(b.len >= 0, disk);
	free(a.at);
	free(b.at);
}

static int
n_in_memory(void)
{
	struct segment_list list;
	struct fault f = FAULT_INIT;
	char path[64];
	int fd, n;

	snprintf(path, sizeof(path), "%s/" SEGMENT_FRONT, dir);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return -1;
	assert_ok(segment_list(fd, &list, &f), &f);
	n = (int)list.n;
	segment_list_clear(&list);
	close(fd);
	return n;
}

/* As many bytes as there are files: what is counted is what is there. */
static void
assert_bytes(const struct spool_writer *writer)
{
	struct spool_extent extent;
	struct fault f = FAULT_INIT;

	assert_ok(spool_extent(dir, &extent, &f), &f);
	assert_int_equal(spool_writer_bytes(writer), extent.bytes);
}

/* A writer that is killed: it took these. */
static void
was_killed(const char *const *payloads, int settled)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct spool_writer *writer = writer_at(dir, &in_front);

		for (int i = 0; payloads[i]; i++) {
			if (i == settled)
				settle(writer, 1);
			append(writer, payloads[i]);
		}
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
messages_are_read_in_memory(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct stat spool, front;
	char path[64];

	(void)state;
	assert_false(is_quick(writer));
	append(writer, "one");
	assert_true(is_quick(writer));
	append(writer, "two");
	assert_places(1, true, false);
	assert_next(reader, "one");
	assert_next(reader, "two");
	assert_none(reader);
	assert_bytes(writer);
	snprintf(path, sizeof(path), "%s/" SEGMENT_FRONT, dir);
	assert_int_equal(stat(path, &front), 0);
	assert_int_equal(stat(dir, &spool), 0);
	assert_int_equal(front.st_mode & 07777, S_ISGID | 0750);
	assert_int_equal(front.st_gid, spool.st_gid);
}

static void
they_get_to_the_disk_and_then_leave_memory(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	static char large[200 * 1024];
	int n = 0;

	(void)state;
	memset(large, 'l', sizeof(large) - 1);
	append(writer, "one");
	settle(writer, 1);
	assert_places(1, true, true);
	settle(writer, 0);
	append(writer, "two");
	settle(writer, 1);
	assert_places(1, true, true);
	while (n_in_memory() < 2) {
		append(writer, large);
		n++;
	}
	settle(writer, 2);
	assert_places(1, false, true);
	assert_int_equal(n_in_memory(), 1);
	assert_bytes(writer);
	assert_next(reader, "one");
	assert_next(reader, "two");
	for (int i = 0; i < n; i++)
		assert_next(reader, large);
	assert_none(reader);
}

static void
at_the_end_nothing_stays_in_memory(void **state)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	append(writer, "one");
	append(writer, "two");
	spool_writer_close(writer);
	assert_places(1, false, true);
	assert_int_equal(n_in_memory(), -1);
	assert_int_equal(rmdir(parent), 0);
	assert_int_equal(mkdir(parent, 0700), 0);
	reader = reader_of("cloud");
	assert_next(reader, "one");
	assert_next(reader, "two");
	assert_none(reader);
}

/* take_over(OPTIONS, SETTLED): after a writer that was killed, and had so many on the disk */
static void
take_over(const struct spool_options *options, int settled)
{
	static const char *const payloads[] = {"one", "two", "three", NULL};
	struct spool_writer *writer;
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	was_killed(payloads, settled);
	writer = writer_at(dir, options);
	append(writer, "four");
	assert_bytes(writer);
	spool_writer_close(writer);
	assert_int_equal(n_in_memory(), -1);
	reader = reader_of("cloud");
	for (int i = 0; payloads[i]; i++)
		assert_next(reader, payloads[i]);
	assert_next(reader, "four");
	assert_none(reader);
}

static void
what_a_killed_writer_took_is_there(void **state)
{
	(void)state;
	take_over(&in_front, 2);
}

static void
it_is_there_for_a_writer_without_a_front(void **state)
{
	(void)state;
	take_over(&on_disk, 1);
}

static void
what_is_done_with_is_deleted_in_both_places(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct fault f = FAULT_INIT;
	static char large[200 * 1024];
	uint64_t n = 0;

	(void)state;
	memset(large, 'l', sizeof(large) - 1);
	append(writer, "one");
	settle(writer, 1);
	for (n = 1; n_in_memory() < 2; n++)
		append(writer, large);
	assert_places_of_first(true, true);
	assert_ok(spool_acknowledge(reader, n, &f), &f);
	assert_ok(spool_tick(writer, 10000, &f), &f);
	assert_places_of_first(false, false);
	assert_int_equal(n_in_memory(), 1);
	assert_bytes(writer);
	settle(writer, 1);
}

/* It was killed between a write to the disk and what it was written from. */
static void
what_is_on_the_disk_beyond_it_was_never_taken(void **state)
{
	static const char *const payloads[] = {"one", "two", NULL};
	struct spool_writer *writer;
	struct bytes wanted, got;
	char path[64];
	int fd;

	(void)state;
	was_killed(payloads, 1);
	wanted = look_at(SEGMENT_FRONT "/", 1);
	snprintf(path, sizeof(path), "%s/%016x.log", dir, 1);
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	for (off_t at = 0; at < wanted.len + 100; at++)
		assert_int_equal(pwrite(fd, "?", 1, at), 1);
	close(fd);
	writer = writer_at(dir, &in_front);
	spool_writer_close(writer);
	got = look_at("", 1);
	assert_int_equal(got.len, wanted.len);
	assert_memory_equal(got.at, wanted.at, (size_t)wanted.len);
	free(got.at);
	free(wanted.at);
}

/* remove_memory(): as somebody does who cleans up */
static void
remove_memory(void)
{
	assert_int_equal(remove_dir(parent), 0);
	assert_int_equal(mkdir(parent, 0700), 0);
}

static void
memory_that_is_gone_takes_what_was_not_on_the_disk(void **state)
{
	static const char *const payloads[] = {"one", "two", "three", NULL};
	AUTO(auto_spool_writer) struct spool_writer *writer = NULL;
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	was_killed(payloads, 2);
	remove_memory();
	reader = reader_of("cloud");
	assert_next(reader, "one");
	assert_next(reader, "two");
	assert_none(reader);
	writer = writer_at(dir, &in_front);
	append(writer, "new");
	assert_next(reader, "new");
	assert_none(reader);
	assert_int_equal(n_in_memory(), 1);
}

/* assert_woken(READER, PAYLOAD): its descriptor says that this one came */
static void
assert_woken(struct spool_reader *reader, const char *payload)
{
	struct pollfd fd = {.fd = spool_reader_fd(reader), .events = POLLIN};
	bool any = false;

	while (!any) {
		struct spool_message message;
		struct fault f = FAULT_INIT;

		assert_int_equal(poll(&fd, 1, 10000), 1);
		assert_ok(spool_next(reader, &message, &any, &f), &f);
		if (any) {
			assert_int_equal(message.len, strlen(payload));
			assert_memory_equal(message.payload, payload, message.len);
		}
	}
	assert_none(reader);
}

static void
a_reader_follows_from_place_to_place(void **state)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");

	(void)state;
	assert_none(reader);
	append(writer, "first");
	assert_woken(reader, "first");
	append(writer, "second");
	assert_woken(reader, "second");
	settle(writer, 1);
	append(writer, "third");
	assert_woken(reader, "third");
	spool_writer_close(writer);
	assert_none(reader);
	/* Another front, of another name. */
	writer = writer_at(dir, &in_front);
	append(writer, "fourth");
	assert_woken(reader, "fourth");
	append(writer, "fifth");
	assert_woken(reader, "fifth");
	spool_writer_close(writer);
	writer = writer_at(dir, &on_disk);
	append(writer, "sixth");
	assert_woken(reader, "sixth");
	spool_writer_close(writer);
	writer = writer_at(dir, &in_front);
	append(writer, "seventh");
	assert_woken(reader, "seventh");
	append(writer, "eighth");
	assert_woken(reader, "eighth");
	spool_writer_close(writer);
}

/* fill(): messages of 200 KiB, until the disk is needed, and as many again */
static void
fill(int64_t most)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	static char large[200 * 1024];
	int n = 1;

	memset(large, 'l', sizeof(large) - 1);
	append(writer, large);
	for (; is_quick(writer); n++) {
		append(writer, large);
		assert_true(n < 1000);
	}
	assert_in_range(spool_unsettled_bytes(writer), most - 2 * (int64_t)sizeof(large),
		most + (int64_t)sizeof(large));
	for (int more = n; more > 0; more--, n++)
		append(writer, large);
	assert_in_range(spool_unsettled_bytes(writer), most / 2, most * 3 / 2);
	assert_bytes(writer);
	for (int i = 0; i < n; i++)
		assert_next(reader, large);
	assert_none(reader);
	settle(writer, n_in_memory());
	append(writer, large);
	assert_next(reader, large);
}

static void
a_front_that_is_full_needs_the_disk(void **state)
{
	(void)state;
	fill(16 * MIB);
}

static void
a_front_has_a_quarter_of_the_memory_at_most(void **state)
{
	(void)state;
	memory_size = 8 * MIB;
	fill(2 * MIB);
}

/*
 * use_disk(N, WRITES): when as many messages were taken, and there is room in memory for as many
 * writes: of a segment's head, and of the message
 */
static void
use_disk(int n, int writes)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct fault f = FAULT_INIT;

	for (int i = 0; i < n; i++) {
		append(writer, "before");
		assert_next(reader, "before");
	}
	room = writes;
	assert_fault(try_append(writer, "refused", &f), &f, FAULT_IO);
	assert_none(reader);
	room = -1;
	assert_false(is_quick(writer));
	append(writer, "on-disk");
	assert_woken(reader, "on-disk");
	assert_bytes(writer);
	assert_places((uint64_t)n + 1, false, true);
	/* It is told once when it is looked at, and memory is tried again when nothing is in it. */
	settle(writer, n);
	f = (struct fault)FAULT_INIT;
	assert_int_equal(spool_tick(writer, 10000, &f), -1);
	assert_non_null(strstr(f.text, "No space left"));
	assert_ok(spool_tick(writer, 20000, &f), &f);
	spool_writer_close(writer);
	assert_int_equal(n_in_memory(), -1);
}

static void
without_room_for_a_head_the_disk_is_used(void **state)
{
	(void)state;
	use_disk(0, 0);
}

static void
without_room_for_a_first_message_the_disk_is_used(void **state)
{
	(void)state;
	use_disk(0, 1);
}

static void
without_room_for_another_message_the_disk_is_used(void **state)
{
	(void)state;
	use_disk(1, 0);
}

static void
a_segment_that_nothing_came_into_is_begun_again(void **state)
{
	static const struct spool_options *const next[] = {&in_front, &on_disk};
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(next); i++) {
		struct spool_writer *writer = writer_at(dir, &in_front);

		if (!reader)
			reader = reader_of("cloud");
		room = 1;
		assert_int_equal(try_append(writer, "refused", NULL), -1);
		room = -1;
		assert_none(reader);
		assert_places(i + 1, true, false);
		spool_writer_close(writer);
		assert_places(i + 1, true, false);
		writer = writer_at(dir, next[i]);
		append(writer, "message");
		assert_places(i + 1, next[i] == &in_front, next[i] == &on_disk);
		assert_woken(reader, "message");
		assert_bytes(writer);
		spool_writer_close(writer);
		assert_int_equal(n_in_memory(), -1);
	}
}

static void
a_full_disk_keeps_it_in_memory(void **state)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	struct front_part part;
	struct fault f = FAULT_INIT;

	(void)state;
	append(writer, "one");
	disk_is_full = true;
	assert_true(spool_unsettled(writer, &part));
	assert_fault(front_copy(&part, &f), &f, FAULT_IO);
	assert_non_null(strstr(f.text, "No space left"));
	spool_writer_close(writer);
	assert_int_equal(n_in_memory(), 1);
	disk_is_full = false;
	writer = writer_at(dir, &in_front);
	append(writer, "two");
	spool_writer_close(writer);
	assert_int_equal(n_in_memory(), -1);
	{
		AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");

		assert_next(reader, "one");
		assert_next(reader, "two");
		assert_none(reader);
	}
}

static void
a_front_that_was_removed_is_made_again(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &in_front);
	AUTO(auto_spool_reader) struct spool_reader *follows = reader_of("follows");
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_message message;
	struct front_part part;
	struct fault f = FAULT_INIT;
	int64_t bytes;
	bool any;

	(void)state;
	append(writer, "one");
	settle(writer, 1);
	append(writer, "two");
	assert_next(follows, "one");
	assert_next(follows, "two");
	remove_memory();
	bytes = spool_unsettled_bytes(writer);
	assert_true(bytes > 0 && spool_unsettled(writer, &part));
	assert_fault(front_copy(&part, &f), &f, FAULT_NOTFOUND);
	assert_int_equal(spool_lose_front(writer), bytes);
	assert_bytes(writer);
	append(writer, "three");
	assert_woken(follows, "three");
	append(writer, "four");
	assert_woken(follows, "four");
	assert_true(is_quick(writer));
	assert_bytes(writer);
	reader = reader_of("cloud");
	assert_next(reader, "one");
	assert_fault(spool_next(reader, &message, &any, &f), &f, FAULT_INVALID);
	assert_non_null(strstr(f.text, "messages 2 to 2 are not in the spool any more"));
	assert_next(reader, "three");
	assert_next(reader, "four");
	assert_none(reader);
}

/* It was never on the disk: there is nothing to count, and nothing to delete. */
static void
what_was_lost_with_it_grows_too_old_as_well(void **state)
{
	struct spool_options aged = in_front;
	AUTO(auto_spool_writer) struct spool_writer *writer = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	aged.max_age_s = 1;
	writer = writer_at(dir, &aged);
	append(writer, "lost");
	remove_memory();
	assert_true(spool_lose_front(writer) > 0);
	append(writer, "kept");
	assert_ok(spool_tick(writer, INT64_MAX / 2, &f), &f);
	append(writer, "more");
	assert_bytes(writer);
}

static void
a_front_is_in_memory_and_our_own(void **state)
{
	struct spool_options options = on_disk;
	struct spool_writer *writer = NULL;
	struct fault f = FAULT_INIT;
	bool is_root = geteuid() == 0;
	char path[64];

	(void)state;
	options.front = "/proc";
	assert_fault(spool_writer_open(dir, &options, &writer, &f), &f, FAULT_CONFIG);
	memory_size = 3 * MIB;
	assert_fault(spool_writer_open(dir, &in_front, &writer, &f), &f, FAULT_CONFIG);
	assert_non_null(strstr(f.text, "less than 4 MiB"));
	memory_size = 0;
	options.front = "/dev/shm/there/is/none";
	assert_fault(spool_writer_open(dir, &options, &writer, &f), &f, FAULT_NOTFOUND);
	snprintf(path, sizeof(path), "%s/" SEGMENT_FRONT, dir);
	assert_int_equal(symlink("/", path), 0);
	/* Root takes every one, for it starts brokers. */
	if (is_root) {
		assert_int_equal(chown(dir, NOBODY, (gid_t)-1), 0);
		assert_int_equal(seteuid(NOBODY), 0);
	}
	assert_fault(spool_writer_open(dir, &in_front, &writer, &f), &f, FAULT_CONFIG);
	assert_true(!is_root || seteuid(0) == 0);
	assert_non_null(strstr(f.text, "another user's"));
}

/* A gateway may write to the spool's directory and put anything in the place of a segment. */
static void
a_pipe_in_a_segments_place_is_not_waited_for(void **state)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	struct front_part part;
	struct fault f = FAULT_INIT;
	char path[64];

	(void)state;
	append(writer, "one");
	snprintf(path, sizeof(path), "%s/0000000000000001.log", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_true(spool_unsettled(writer, &part));
	alarm(20);
	assert_fault(front_copy(&part, &f), &f, FAULT_IO);
	alarm(0);
	assert_int_equal(unlink(path), 0);
	spool_writer_close(writer);
	assert_int_equal(n_in_memory(), -1);
}

static void
a_directory_that_the_link_was_made_to_lead_to_stays(void **state)
{
	struct spool_writer *writer = writer_at(dir, &in_front);
	char link[64], other[64];

	(void)state;
	append(writer, "one");
	snprintf(link, sizeof(link), "%s/" SEGMENT_FRONT, dir);
	snprintf(other, sizeof(other), "%s/other", parent);
	assert_int_equal(mkdir(other, 0700), 0);
	assert_int_equal(unlink(link), 0);
	assert_int_equal(symlink(other, link), 0);
	spool_writer_close(writer);
	assert_int_equal(access(other, F_OK), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_both)
	const struct CMUnitTest tests[] = {
		TEST(messages_are_read_in_memory),
		TEST(they_get_to_the_disk_and_then_leave_memory),
		TEST(at_the_end_nothing_stays_in_memory),
		TEST(what_a_killed_writer_took_is_there),
		TEST(it_is_there_for_a_writer_without_a_front),
		TEST(what_is_done_with_is_deleted_in_both_places),
		TEST(what_is_on_the_disk_beyond_it_was_never_taken),
		TEST(memory_that_is_gone_takes_what_was_not_on_the_disk),
		TEST(a_reader_follows_from_place_to_place),
		TEST(a_front_that_is_full_needs_the_disk),
		TEST(a_front_has_a_quarter_of_the_memory_at_most),
		TEST(without_room_for_a_head_the_disk_is_used),
		TEST(without_room_for_a_first_message_the_disk_is_used),
		TEST(without_room_for_another_message_the_disk_is_used),
		TEST(a_segment_that_nothing_came_into_is_begun_again),
		TEST(a_full_disk_keeps_it_in_memory),
		TEST(a_front_that_was_removed_is_made_again),
		TEST(what_was_lost_with_it_grows_too_old_as_well),
		TEST(a_front_is_in_memory_and_our_own),
		TEST(a_pipe_in_a_segments_place_is_not_waited_for),
		TEST(a_directory_that_the_link_was_made_to_lead_to_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
