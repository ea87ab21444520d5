#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/spool.h"

#include "soft-spool.h"

static const struct spool_options defaults = {.max_bytes = SPOOL_SIZE_MIN};

/* As for who is not the segments' user; in place of the C library's. */
static bool may_not_link;

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	errno = EPERM;
	return may_not_link ? -1 : (int)syscall(SYS_linkat, from, old, to, new, flags);
}

static int
begin(void **state)
{
	(void)state;
	may_not_link = false;
	return make_dir();
}

/* assert_lost(READER, TEXT): messages were lost, and it is said how */
static void
assert_lost(struct spool_reader *reader, const char *text)
{
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	assert_int_equal(spool_next(reader, &message, &any, &f), -1);
	assert_int_equal(f.code, FAULT_INVALID);
	if (!strstr(f.text, text))
		fail_msg("'%s' is not in '%s'", text, f.text);
}

static void
acknowledge(struct spool_reader *reader, uint64_t seq)
{
	struct fault f = FAULT_INIT;

	assert_ok(spool_acknowledge(reader, seq, &f), &f);
}

static void
acknowledge_all(struct spool_reader *reader)
{
	struct spool_extent extent;
	struct fault f = FAULT_INIT;

	assert_ok(spool_extent(dir, &extent, &f), &f);
	acknowledge(reader, extent.next);
}

static void
path_of(uint64_t first, char *path, size_t size)
{
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(first, name);
	snprintf(path, size, "%s/%s", dir, name);
}

static off_t
size_of(uint64_t first)
{
	char path[128];
	struct stat about;

	path_of(first, path, sizeof(path));
	return stat(path, &about) ? -1 : about.st_size;
}

static void
cut(uint64_t first, off_t size)
{
	char path[128];

	path_of(first, path, sizeof(path));
	assert_int_equal(truncate(path, size), 0);
}

static void
damage(uint64_t first, off_t at, unsigned char byte)
{
	char path[128];
	int fd;

	path_of(first, path, sizeof(path));
	fd = open(path, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

static void
messages_are_read_as_they_were_written(void **state)
{
	static char large[SPOOL_PAYLOAD_MAX], topic[SPOOL_TOPIC_MAX + 1];
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message in[] = {
		{.device = "a", .topic = "t", .qos = 0, .payload = "p", .len = 1},
		{.device = "", .topic = "", .qos = 2, .payload = NULL, .len = 0},
		{.device = "b", .topic = topic, .qos = 1, .payload = large, .len = sizeof(large)},
		{.device = "c", .topic = "t", .qos = 1, .payload = "\0\n", .len = 2},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	memset(topic, 't', SPOOL_TOPIC_MAX);
	memset(large, 'x', sizeof(large));
	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		assert_ok(spool_append(writer, &in[i], &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(in); i++) {
		struct spool_message out;
		bool any;

		assert_ok(spool_next(reader, &out, &any, &f), &f);
		assert_true(any);
		assert_int_equal(out.seq, i + 1);
		assert_true(out.time_ms > 1500000000000);
		assert_int_equal(out.qos, in[i].qos);
		assert_string_equal(out.device, in[i].device);
		assert_string_equal(out.topic, in[i].topic);
		assert_int_equal(out.len, in[i].len);
		if (out.len)
			assert_memory_equal(out.payload, in[i].payload, out.len);
	}
	assert_none(reader);
	in[2].len++;
	assert_int_equal(spool_append(writer, &in[2], &f), -1);
	assert_int_equal(f.code, FAULT_INVALID);
}

static void
a_reader_goes_on_where_it_acknowledged(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	struct spool_reader *reader = reader_of("cloud");

	(void)state;
	append(writer, "one");
	append(writer, "two");
	append(writer, "three");
	assert_next(reader, "one");
	assert_next(reader, "two");
	assert_next(reader, "three");
	acknowledge(reader, 2);
	spool_rewind(reader);
	assert_next(reader, "two");
	spool_reader_close(reader);
	reader = reader_of("cloud");
	assert_next(reader, "two");
	acknowledge(reader, 3);
	acknowledge(reader, 2);
	spool_reader_close(reader);
	reader = reader_of("cloud");
	assert_next(reader, "three");
	assert_none(reader);
	spool_reader_close(reader);
	reader = reader_of(NULL);
	assert_next(reader, "one");
	spool_reader_close(reader);
}

static void
a_waiting_reader_is_told(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct pollfd wait = {.fd = spool_reader_fd(reader), .events = POLLIN};

	(void)state;
	assert_none(reader);
	assert_int_equal(poll(&wait, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		append(writer, "news");
		assert_int_equal(poll(&wait, 1, 10000), 1);
		assert_next(reader, "news");
		assert_none(reader);
		acknowledge(reader, (uint64_t)i + 2);
		assert_int_equal(poll(&wait, 1, 0), 0);
	}
}

static void
what_was_read_ahead_is_told(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");

	(void)state;
	assert_false(spool_has_read_ahead(reader));
	append(writer, "one");
	append(writer, "two");
	assert_next(reader, "one");
	assert_true(spool_has_read_ahead(reader));
	assert_next(reader, "two");
	assert_false(spool_has_read_ahead(reader));
	assert_none(reader);
}

/* The end is where it was when it was read; what came since is told, and not looked for. */
static void
what_came_behind_the_end_is_told(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct pollfd wait = {.fd = spool_reader_fd(reader), .events = POLLIN};

	(void)state;
	append(writer, "one");
	assert_next(reader, "one");
	append(writer, "two");
	assert_none(reader);
	assert_int_equal(poll(&wait, 1, 0), 1);
	assert_next(reader, "two");
	assert_none(reader);
	assert_int_equal(poll(&wait, 1, 0), 0);
}

/* What a killed writer left behind the last whole message was never said to have arrived. */
static void
a_torn_tail_costs_nothing_else(void **state)
{
	struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	append(writer, "one");
	append(writer, "two");
	spool_writer_close(writer);
	cut(1, size_of(1) - 1);
	assert_next(reader, "one");
	assert_none(reader);
	writer = writer_at(dir, &defaults);
	append(writer, "three");
	assert_lost(reader, "kept as damaged/0000000000000001.log");
	assert_lost(reader, "messages 2 to 2 are not in the spool any more");
	assert_ok(spool_next(reader, &message, &any, &f), &f);
	assert_int_equal(message.seq, 3);
	assert_none(reader);
	spool_writer_close(writer);
}

static void
damage_costs_what_it_hit(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	struct spool_reader *reader = reader_of("cloud");
	char aside[128];
	off_t two;

	(void)state;
	append(writer, "one");
	two = size_of(1);
	append(writer, "two");
	append(writer, "three");
	damage(1, two + 40, 0xff);
	assert_next(reader, "one");
	assert_lost(reader, "are no messages");
	assert_lost(reader, "messages 2 to 2");
	assert_next(reader, "three");
	assert_none(reader);
	snprintf(aside, sizeof(aside), "%s/damaged/0000000000000001.log", dir);
	assert_int_equal(access(aside, R_OK), 0);
	/* Its length says that the rest of the file is its own. */
	damage(1, two + 26, 1);
	spool_reader_close(reader);
	reader = reader_of("other");
	assert_next(reader, "one");
	assert_lost(reader, "are no messages");
	assert_lost(reader, "messages 2 to 2");
	assert_next(reader, "three");
	append(writer, "four");
	assert_none(reader);
	assert_next(reader, "four");
	spool_reader_close(reader);
}

/* tear(FIRST): a segment from this number on, whose third message is torn */
static void
tear(uint64_t first)
{
	struct spool_writer *writer = writer_at(dir, &defaults);

	append(writer, "one");
	append(writer, "two");
	append(writer, "three");
	spool_writer_close(writer);
	cut(first, size_of(first) - 1);
}

static void
read_past_damage(void)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	for (;;) {
		if (spool_next(reader, &message, &any, &f))
			assert_int_equal(f.code, FAULT_INVALID);
		else if (!any)
			return;
	}
}

static bool
is_in(const char *folder, uint64_t first)
{
	char name[SEGMENT_NAME_LEN + 1], path[128];

	segment_name(first, name);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, folder, name);
	return access(path, F_OK) == 0;
}

static void
the_newest_damaged_segments_are_kept(void **state)
{
	struct spool_writer *writer;
	char path[128];

	(void)state;
	for (uint64_t first = 1; first <= 37; first += 3)
		tear(first);
	writer = writer_at(dir, &defaults);
	append(writer, "last");
	read_past_damage();
	for (uint64_t first = 1; first <= 37; first += 3)
		assert_int_equal(is_in("damaged", first), first >= 16);
	spool_writer_close(writer);
	/* A spool that was emptied counts from 1 again: what comes last is not what has to go. */
	for (uint64_t first = 1; first <= 40; first += 3) {
		path_of(first, path, sizeof(path));
		assert_int_equal(unlink(path), 0);
	}
	assert_ok(spool_forget(dir, "cloud", NULL), &(struct fault)FAULT_INIT);
	tear(1);
	writer = writer_at(dir, &defaults);
	append(writer, "last");
	read_past_damage();
	assert_true(is_in("damaged", 1));
	assert_false(is_in("damaged", 16));
	assert_true(is_in("damaged", 19));
	spool_writer_close(writer);
}

/* A reader that begins anew is not told again of what it was told. */
static void
damage_is_said_once(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	off_t two;

	(void)state;
	append(writer, "one");
	two = size_of(1);
	append(writer, "two");
	append(writer, "three");
	damage(1, two + 40, 0xff);
	assert_next(reader, "one");
	assert_lost(reader, "are no messages");
	assert_lost(reader, "messages 2 to 2");
	assert_next(reader, "three");
	spool_rewind(reader);
	assert_next(reader, "one");
	assert_next(reader, "three");
	assert_none(reader);
}

/* What a device sends may look like records, and a torn one have it looked at. */
static void
a_payload_is_no_record(void **state)
{
	struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	const struct spool_message forged = {.seq = 1000,
		.qos = 1,
		.device = "other",
		.topic = "forged",
		.payload = "x",
		.len = 1};
	unsigned char payload[1024] = {0}, again[256];
	struct fault f = FAULT_INIT;

	(void)state;
	append(writer, "one");
	record_write(&forged, 0, payload + 100);
	assert_ok(append_bytes(writer, "dev", (const char *)payload, sizeof(payload), &f), &f);
	spool_writer_close(writer);
	cut(1, size_of(1) - 100);
	writer = writer_at(dir, &defaults);
	append(writer, "three");
	assert_next(reader, "one");
	assert_lost(reader, "are no messages");
	assert_lost(reader, "are not in the spool any more");
	assert_next(reader, "three");
	assert_none(reader);
	/* It would have been one where there is no salt. */
	record_write(&forged, 0, again);
	assert_memory_equal(again, payload + 100, record_len(&forged));
	spool_writer_close(writer);
}

static void
a_spool_that_was_removed_is_noticed(void **state)
{
	struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	char command[256];

	(void)state;
	append(writer, "one");
	spool_writer_close(writer);
	assert_int_equal(spool_reader_place(reader), SPOOL_KEPT);
	snprintf(command, sizeof(command), "rm -r '%s'", dir);
	assert_int_equal(system(command), 0);
	assert_int_equal(spool_reader_place(reader), SPOOL_REMOVED);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(spool_reader_place(reader), SPOOL_REMOVED);
}

static void
a_newer_version_s_segment_is_left_alone(void **state)
{
	struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	append(writer, "one");
	spool_writer_close(writer);
	damage(1, 8, SEGMENT_VERSION + 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(spool_next(reader, &message, &any, &f), -1);
		assert_int_equal(f.code, FAULT_CONFIG);
	}
	writer = writer_at(dir, &defaults);
	append(writer, "two");
	spool_writer_close(writer);
	damage(1, 8, SEGMENT_VERSION);
	assert_next(reader, "one");
	assert_lost(reader, "messages 2 to ");
	assert_next(reader, "two");
}

static void
a_damaged_segment_is_kept_whole_where_it_cannot_be_linked(void **state)
{
	struct spool_writer *writer;
	char path[128], aside[128];
	AUTO(auto_free) char *here = NULL, *there = NULL;
	size_t here_len, there_len;
	struct fault f = FAULT_INIT;

	(void)state;
	tear(1);
	writer = writer_at(dir, &defaults);
	append(writer, "last");
	may_not_link = true;
	read_past_damage();
	path_of(1, path, sizeof(path));
	snprintf(aside, sizeof(aside), "%s/damaged/0000000000000001.log", dir);
	assert_ok(file_read(path, 65536, &here, &here_len, &f), &f);
	assert_ok(file_read(aside, 65536, &there, &there_len, &f), &f);
	assert_int_equal(there_len, here_len);
	assert_memory_equal(there, here, here_len);
	spool_writer_close(writer);
}

/* An older version's records have another checksum; however many there are, all are kept. */
static void
an_older_version_s_segments_are_set_aside(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct spool_writer *writer;
	char text[64];
	uint64_t first = 1;

	(void)state;
	for (int i = 0; i < 10; i++, first += 2) {
		off_t size;

		writer = writer_at(dir, &defaults);
		append(writer, "one");
		spool_writer_close(writer);
		size = size_of(first);
		damage(first, 8, SEGMENT_VERSION - 1);
		damage(first, size - 1, 'x');
	}
	writer = writer_at(dir, &defaults);
	append(writer, "ours");
	spool_writer_close(writer);
	reader = reader_of("cloud");
	first = 1;
	for (int i = 0; i < 10; i++, first += 2) {
		snprintf(text, sizeof(text), "it is kept as older/%016x.log", (unsigned)first);
		assert_lost(reader, text);
	}
	assert_lost(reader, "messages 1 to 20 are not in the spool any more");
	assert_next(reader, "ours");
	for (first = 1; first < 20; first += 2)
		assert_true(is_in("older", first));
	assert_false(is_in("damaged", 1));
}

/* fill(WRITER, DEVICE, N): appends N messages of 64 KiB, or as many as there is room for */
static int
fill(struct spool_writer *writer, const char *device, int n, struct fault *f)
{
	static char block[65536];

	for (int i = 0; i < n; i++) {
		if (append_bytes(writer, device, block, sizeof(block), f))
			return i;
	}
	return n;
}

/* How many there are in a segment is not the tests' affair: from ten on it is "many". */
static int
list_drop(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	char *text = with, many[8] = "many";

	(void)f;
	if (n < 10)
		snprintf(many, sizeof(many), "%d", (int)n);
	snprintf(text + strlen(text), 256 - strlen(text), "%s %s %s\n", device, reason, many);
	return 0;
}

static void
assert_drops(const char *expected)
{
	char text[256] = "";
	struct fault f = FAULT_INIT;

	assert_ok(spool_drops(dir, list_drop, text, &f), &f);
	assert_string_equal(text, expected);
}

static void
a_full_spool_refuses_until_a_reader_is_done(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *slow = reader_of("slow");
	AUTO(auto_spool_reader) struct spool_reader *fast = reader_of("fast");
	struct fault f = FAULT_INIT;
	int n = fill(writer, "dev", 1000, &f);

	(void)state;
	assert_in_range(n, 50, 64);
	assert_int_equal(f.code, FAULT_PRECONDITION);
	assert_true(spool_writer_bytes(writer) <= SPOOL_SIZE_MIN);
	acknowledge_all(fast);
	assert_int_equal(fill(writer, "dev", 1, &f), 0);
	acknowledge(slow, 30);
	assert_in_range(fill(writer, "dev", 1000, &f), 20, 30);
	acknowledge_all(slow);
	acknowledge_all(fast);
	assert_in_range(fill(writer, "dev", 1000, &f), 50, 64);
	assert_ok(spool_tick(writer, now_ms(), &f), &f);
	assert_drops("");
}

static void
only_the_reader_that_holds_counts(void **state)
{
	struct spool_options options = {.max_bytes = SPOOL_SIZE_MIN, .hold = "main"};
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &options);
	AUTO(auto_spool_reader) struct spool_reader *other = reader_of("other");
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	fill(writer, "dev", 1000, &f);
	acknowledge_all(other);
	assert_int_equal(fill(writer, "dev", 1, &f), 0);
	reader = reader_of("main");
	acknowledge(reader, 30);
	assert_in_range(fill(writer, "dev", 1000, &f), 20, 30);
}

static void
the_oldest_are_dropped_and_counted(void **state)
{
	struct spool_options options = {
		.max_bytes = SPOOL_SIZE_MIN, .when_full = SPOOL_DROP_OLDEST};
	struct spool_writer *writer = writer_at(dir, &options);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	acknowledge(reader, 1);
	spool_rewind(reader);
	assert_int_equal(fill(writer, "first", 20, &f), 20);
	assert_int_equal(fill(writer, "second", 60, &f), 60);
	spool_writer_close(writer);
	assert_drops("first full many\n");
	assert_lost(reader, "messages 1 to ");
	assert_ok(spool_next(reader, &message, &any, &f), &f);
	assert_in_range(message.seq, 16, 32);
	writer = writer_at(dir, &options);
	assert_int_equal(fill(writer, "third", 60, &f), 60);
	assert_ok(spool_tick(writer, now_ms(), &f), &f);
	assert_drops("first full many\nsecond full many\n");
	spool_writer_close(writer);
}

/* The first segment has three: one of them was not done with. */
static void
what_was_delivered_is_not_counted_as_dropped(void **state)
{
	struct spool_options options = {
		.max_bytes = SPOOL_SIZE_MIN, .when_full = SPOOL_DROP_OLDEST};
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &options);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(fill(writer, "first", 3, &f), 3);
	acknowledge(reader, 3);
	assert_int_equal(fill(writer, "second", 62, &f), 62);
	assert_ok(spool_tick(writer, now_ms(), &f), &f);
	assert_drops("first full 1\n");
}

static void
the_newest_are_dropped_and_counted(void **state)
{
	struct spool_options options = {
		.max_bytes = SPOOL_SIZE_MIN, .when_full = SPOOL_DROP_NEWEST};
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &options);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(fill(writer, "first", 50, &f), 50);
	assert_int_equal(fill(writer, "two\nlines", 50, &f), 50);
	assert_ok(spool_tick(writer, now_ms(), &f), &f);
	assert_drops("two?lines full many\n");
}

static void
what_is_too_old_is_dropped(void **state)
{
	struct spool_options options = {.max_bytes = SPOOL_SIZE_MIN, .max_age_s = 160};
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &options);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(fill(writer, "dev", 20, &f), 20);
	assert_ok(spool_tick(writer, now_ms() + 100000, &f), &f);
	assert_int_equal(fill(writer, "later", 1, &f), 1);
	assert_ok(spool_tick(writer, now_ms() + 165000, &f), &f);
	assert_drops("dev age many\nlater age 1\n");
	assert_int_equal(spool_writer_bytes(writer), 0);
}

static void
a_cursor_ahead_of_the_log_loses_nothing(void **state)
{
	struct spool_writer *writer = writer_at(dir, &defaults);
	struct spool_reader *reader;

	(void)state;
	append(writer, "one");
	reader = reader_of("cloud");
	acknowledge(reader, 100);
	spool_reader_close(reader);
	reader = reader_of("cloud");
	assert_lost(reader, "the cursor stands at message 100");
	assert_next(reader, "one");
	spool_rewind(reader);
	assert_next(reader, "one");
	assert_none(reader);
	spool_reader_close(reader);
	/* A log that begins again counts on from the cursor. */
	spool_writer_close(writer);
	writer = writer_at(dir, &defaults);
	append(writer, "two");
	reader = reader_of("cloud");
	assert_next(reader, "two");
	spool_reader_close(reader);
	spool_writer_close(writer);
	assert_true(size_of(100) > 0);
}

static void
a_torn_cursor_is_the_last_good_one(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	struct spool_reader *reader = reader_of("cloud");
	char path[128];
	int fd;

	(void)state;
	append(writer, "one");
	append(writer, "two");
	append(writer, "three");
	acknowledge(reader, 2);
	acknowledge(reader, 3);
	spool_reader_close(reader);
	snprintf(path, sizeof(path), "%s/cursors/cloud", dir);
	fd = open(path, O_WRONLY);
	/* The second write went to the first slot. */
	assert_int_equal(pwrite(fd, "torn", 4, 16), 4);
	close(fd);
	reader = reader_of("cloud");
	assert_next(reader, "two");
	spool_reader_close(reader);
}

static void
a_disk_that_is_full_loses_nothing(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY}, limit;
	struct fault f = FAULT_INIT;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	append(writer, "one");
	limit = (struct rlimit){(rlim_t)size_of(1) + 40, RLIM_INFINITY};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(append_bytes(writer, "dev", "longer than the disk", 20, &f), -1);
	assert_int_equal(f.code, FAULT_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	append(writer, "two");
	assert_next(reader, "one");
	assert_next(reader, "two");
	assert_none(reader);
}

static void
there_is_one_writer_and_one_reader_of_a_name(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	AUTO(auto_spool_reader) struct spool_reader *reader = reader_of("cloud");
	struct spool_writer *second = NULL;
	struct spool_reader *other = NULL;
	struct fault f = FAULT_INIT;

	(void)state, (void)writer;
	assert_int_equal(spool_writer_open(dir, &defaults, &second, &f), -1);
	assert_int_equal(f.code, FAULT_CONFIG);
	assert_int_equal(spool_reader_open(dir, "cloud", &other, &f), -1);
	assert_int_equal(f.code, FAULT_PRECONDITION);
	assert_int_equal(spool_forget(dir, "cloud", &f), -1);
	assert_int_equal(f.code, FAULT_PRECONDITION);
	assert_int_equal(spool_reader_open(dir, "../x", &other, &f), -1);
	assert_int_equal(f.code, FAULT_USAGE);
	spool_reader_close(reader);
	reader = NULL;
	assert_ok(spool_forget(dir, "cloud", &f), &f);
	assert_int_equal(spool_forget(dir, "cloud", &f), -1);
	assert_int_equal(f.code, FAULT_NOTFOUND);
}

/* Appends until it is killed, telling of each message that was taken. */
static void
write_until_killed(int tell)
{
	struct spool_options options = {
		.max_bytes = SPOOL_SIZE_MIN * 64, .when_full = SPOOL_REFUSE};
	struct spool_writer *writer = NULL;
	uint32_t n = 0;

	if (spool_writer_open(dir, &options, &writer, NULL))
		_exit(1);
	for (;; n++) {
		char payload[700];

		memset(payload, 'x', sizeof(payload));
		memcpy(payload, &n, sizeof(n));
		if (append_bytes(writer, "dev", payload, 4 + n % 600, NULL) ||
			write(tell, &n, sizeof(n)) != sizeof(n))
			_exit(1);
	}
}

/* Kills a writer once it told of so many messages; returns how many it told of in all. */
static uint32_t
kill_writer_after(uint32_t n)
{
	uint32_t told = 0, number;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_until_killed(ends[1]);
	close(ends[1]);
	while (told < n && read(ends[0], &number, sizeof(number)) == sizeof(number))
		told++;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	while (read(ends[0], &number, sizeof(number)) == sizeof(number))
		told++;
	close(ends[0]);
	return told;
}

static void
nothing_is_lost_when_the_writer_is_killed(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	for (uint32_t round = 0; round < 30; round++) {
		uint32_t told = kill_writer_after(1 + round * 97), seen = 0;

		if (!reader)
			reader = reader_of("cloud");
		for (;;) {
			struct spool_message message;
			uint32_t number;
			bool any;
			int rc = spool_next(reader, &message, &any, &f);

			if (rc) {
				/* A torn tail, or the numbers left out for it. */
				assert_int_equal(f.code, FAULT_INVALID);
				continue;
			}
			if (!any)
				break;
			memcpy(&number, message.payload, sizeof(number));
			assert_int_equal(number, seen);
			seen++;
			acknowledge(reader, message.seq + 1);
		}
		assert_in_range(seen, told, told + 1);
	}
}

#define MESSAGES 30000

/* Each message comes, in turn, to one who reads at the very end while more is written. */
static void
nothing_is_missed_behind_a_writer_at_work(void **state)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	uint32_t seen = 0, number;
	int ends[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(ends[0]);
		write_until_killed(ends[1]);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &number, sizeof(number)), sizeof(number));
	reader = reader_of("cloud");
	while (seen < MESSAGES) {
		struct spool_message message;
		struct fault f = FAULT_INIT;
		bool any;

		if (spool_next(reader, &message, &any, &f)) {
			kill(child, SIGKILL);
			fail_msg("behind message %u: %s", seen, f.text);
		}
		if (!any) /* lets it write some more */
			assert_int_equal(read(ends[0], &number, sizeof(number)), sizeof(number));
		if (!any)
			continue;
		memcpy(&number, message.payload, sizeof(number));
		assert_int_equal(number, seen);
		seen++;
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(ends[0]);
}

/* As long as messages wait, how long the oldest has; not how old the file is that it stands in. */
static void
age_is_that_of_a_message(void **state)
{
	AUTO(auto_spool_writer) struct spool_writer *writer = writer_at(dir, &defaults);
	struct spool_reader *reader = reader_of(NULL);
	struct spool_message message;
	struct fault f = FAULT_INIT;
	int64_t times_ms[4] = {0}, ms = -1;
	bool any;

	(void)state;
	assert_ok(spool_taken(dir, 1, &ms, &f), &f);
	assert_int_equal(ms, 0);
	for (size_t i = 1; i < N_ELEMENTS(times_ms); i++) {
		append(writer, "x");
		poll(NULL, 0, 2);
	}
	for (size_t i = 1; i < N_ELEMENTS(times_ms); i++) {
		assert_ok(spool_next(reader, &message, &any, &f), &f);
		times_ms[i] = message.time_ms;
	}
	spool_reader_close(reader);
	assert_true(times_ms[1] < times_ms[2] && times_ms[2] < times_ms[3]);
	for (size_t i = 1; i < N_ELEMENTS(times_ms); i++) {
		assert_ok(spool_taken(dir, i, &ms, &f), &f);
		assert_int_equal(ms, times_ms[i]);
	}
	assert_ok(spool_taken(dir, 4, &ms, &f), &f);
	assert_int_equal(ms, 0);
	assert_fault(spool_taken("no-such-spool", 1, &ms, &f), &f, FAULT_NOTFOUND);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(messages_are_read_as_they_were_written),
		TEST(a_reader_goes_on_where_it_acknowledged),
		TEST(a_waiting_reader_is_told),
		TEST(what_was_read_ahead_is_told),
		TEST(what_came_behind_the_end_is_told),
		TEST(a_torn_tail_costs_nothing_else),
		TEST(damage_costs_what_it_hit),
		TEST(damage_is_said_once),
		TEST(a_payload_is_no_record),
		TEST(a_spool_that_was_removed_is_noticed),
		TEST(the_newest_damaged_segments_are_kept),
		TEST(a_damaged_segment_is_kept_whole_where_it_cannot_be_linked),
		TEST(a_newer_version_s_segment_is_left_alone),
		TEST(an_older_version_s_segments_are_set_aside),
		TEST(a_full_spool_refuses_until_a_reader_is_done),
		TEST(only_the_reader_that_holds_counts),
		TEST(the_oldest_are_dropped_and_counted),
		TEST(what_was_delivered_is_not_counted_as_dropped),
		TEST(the_newest_are_dropped_and_counted),
		TEST(what_is_too_old_is_dropped),
		TEST(age_is_that_of_a_message),
		TEST(a_cursor_ahead_of_the_log_loses_nothing),
		TEST(a_torn_cursor_is_the_last_good_one),
		TEST(a_disk_that_is_full_loses_nothing),
		TEST(there_is_one_writer_and_one_reader_of_a_name),
		TEST(nothing_is_lost_when_the_writer_is_killed),
		TEST(nothing_is_missed_behind_a_writer_at_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
