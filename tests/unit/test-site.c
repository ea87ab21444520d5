#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "site/channel.h"
#include "site/filter.h"
#include "site/frame.h"

static const struct frame sample = {
	.kind = FRAME_DELIVER,
	.qos = 1,
	.retain = true,
	.device = "thermo",
	.topic = "/devices/thermo/config",
	.payload = "on\0off",
	.len = 6,
};

static void
assert_same(const struct frame *a, const struct frame *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->retain, b->retain);
	assert_string_equal(a->device, b->device);
	assert_string_equal(a->topic, b->topic);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->payload, b->payload, a->len);
}

static void
frame_is_read_as_it_was_written(void **state)
{
	uint8_t bytes[256];
	size_t size = frame_size(&sample), used;
	struct frame read;
	struct fault f = FAULT_INIT;

	(void)state;
	frame_write(&sample, bytes);
	for (size_t len = 0; len < size; len++) {
		assert_ok(frame_read(bytes, len, &read, &used, &f), &f);
		assert_int_equal(used, 0);
	}
	assert_ok(frame_read(bytes, sizeof(bytes), &read, &used, &f), &f);
	assert_int_equal(used, size);
	assert_same(&read, &sample);
}

static void
frame_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} changes[] = {
		{0, 9},	       /* shorter than its parts */
		{3, 1},	       /* larger than a frame may be */
		{4, 0},	       /* no kind */
		{4, 8},	       /* nor this */
		{5, 4},	       /* no flag */
		{7, 1},	       /* a device of 256 bytes and more */
		{10, 1},       /* what must be nothing */
		{12, '\0'},    /* a device with a NUL */
		{12 + 6, 'x'}, /* one without its end */
	};
	uint8_t bytes[256], changed[256];
	struct frame read;
	size_t used;
	struct fault f = FAULT_INIT;

	(void)state;
	frame_write(&sample, bytes);
	for (size_t i = 0; i < N_ELEMENTS(changes); i++) {
		memcpy(changed, bytes, sizeof(bytes));
		changed[changes[i].at] = changes[i].value;
		assert_fault(
			frame_read(changed, sizeof(changed), &read, &used, &f), &f, FAULT_INVALID);
	}
}

static void
frame_has_its_bounds(void **state)
{
	AUTO(auto_free) char *topic = malloc(FRAME_TOPIC_MAX + 2);
	struct frame frame = sample;

	(void)state;
	memset(topic, 't', FRAME_TOPIC_MAX + 1);
	topic[FRAME_TOPIC_MAX + 1] = '\0';
	frame.topic = topic;
	assert_int_equal(frame_size(&frame), 0);
	topic[FRAME_TOPIC_MAX] = '\0';
	frame.len = FRAME_PAYLOAD_MAX;
	assert_true(frame_size(&frame) > 0 && frame_size(&frame) <= FRAME_MAX);
	frame.len++;
	assert_int_equal(frame_size(&frame), 0);
}

static void
filters_match_as_the_standard_says(void **state)
{
	static const struct {
		const char *filter, *topic;
		bool matches;
	} rows[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"a/b", "a/b", true},
		{"a/b", "a", false},
		{"a", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+", "a/b/c", false},
		{"+", "a", true},
		{"+", "/a", false},
		{"/+", "/a", true},
		{"+/+", "/a", true},
		{"+/b", "a/b", true},
		{"+/b", "a/c", false},
		{"a/+/c", "a/b/c", true},
		{"a/+/c", "a//c", true},
		{"a/+/c", "a/b/d", false},
		{"#", "a/b/c", true},
		{"#", "/a", true},
		{"a/#", "a", true},
		{"a/#", "a/", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"a/#", "b", false},
		{"a/+/#", "a/b", true},
		{"a/+/#", "a", false},
		{"#", "$SYS/a", false},
		{"+/a", "$SYS/a", false},
		{"$SYS/#", "$SYS/a", true},
		{"$SYS/+", "$SYS/a", true},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (filter_matches(rows[i].filter, rows[i].topic) != rows[i].matches)
			fail_msg("'%s' and '%s'", rows[i].filter, rows[i].topic);
	}
}

static void
filters_are_told_from_others(void **state)
{
	static const char *const good[] = {"a", "/", "+", "#", "a/+/b", "+/+", "a/#", "/#"};
	static const char *const bad[] = {"", "a+", "+a", "a/b+", "a#", "#/a", "a/#/b", "a/+b"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		assert_true(filter_is_valid(good[i]));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_false(filter_is_valid(bad[i]));
}

static void
topics_are_utf8_that_nobody_closes_for(void **state)
{
	static const char *const good[] = {"a/b", "/", " ", "a", "~", "\xc3\xa9", "\xc2\xa0",
		"\xe2\x82\xac", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x9f\x98\x80",
		"\xf4\x8f\xbf\xbd"};
	static const char *const bad[] = {"", "#", "a/+", "a+", "\x01", "a\x1f", "\x7f", "\xc2\x80",
		"\xc2\x9f", "\x80", "\xff", "\xfe\xfe", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xe2", "\xc3(",
		"\xef\xbf\xbe", "\xef\xb7\x90", "\xf0\x9f\xbf\xbf"};
	static char large[65537];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		if (!filter_is_topic(good[i]))
			fail_msg("good %zu", i);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (filter_is_topic(bad[i]))
			fail_msg("bad %zu", i);
	}
	memset(large, 'x', 65536);
	assert_false(filter_is_topic(large));
	large[65535] = '\0';
	assert_true(filter_is_topic(large));
}

/* Both ends of a channel, in a folder of its own. */
struct ends {
	char dir[32];
	char path[64];
	int listening;
	struct channel *here, *there;
};

static void
ends_open(struct ends *ends)
{
	struct fault f = FAULT_INIT;

	strcpy(ends->dir, "site-test.XXXXXX");
	assert_non_null(mkdtemp(ends->dir));
	snprintf(ends->path, sizeof(ends->path), "%s/socket", ends->dir);
	assert_ok(channel_listen(ends->path, &ends->listening, &f), &f);
	assert_ok(channel_accept(ends->listening, &ends->here, &f), &f);
	assert_null(ends->here);
	assert_ok(channel_connect(ends->path, &ends->there, &f), &f);
	assert_ok(channel_accept(ends->listening, &ends->here, &f), &f);
	assert_non_null(ends->here);
}

static void
ends_close(struct ends *ends)
{
	channel_close(ends->here);
	channel_close(ends->there);
	close(ends->listening);
	unlink(ends->path);
	rmdir(ends->dir);
}

static void
nothing_comes(struct channel *channel)
{
	struct frame frame;
	bool any;
	struct fault f = FAULT_INIT;

	assert_ok(channel_next(channel, &frame, &any, &f), &f);
	assert_false(any);
}

static void
frames_pass_both_ways(void **state)
{
	struct ends ends;
	struct frame frame;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	ends_open(&ends);
	nothing_comes(ends.here);
	nothing_comes(ends.there);
	for (int i = 0; i < 3; i++)
		assert_ok(channel_send(ends.there, &sample, &f), &f);
	assert_ok(channel_send(ends.here, &sample, &f), &f);
	for (int i = 0; i < 3; i++) {
		assert_ok(channel_next(ends.here, &frame, &any, &f), &f);
		assert_true(any);
		assert_same(&frame, &sample);
	}
	nothing_comes(ends.here);
	assert_ok(channel_next(ends.there, &frame, &any, &f), &f);
	assert_true(any);
	ends_close(&ends);
}

/* What the socket does not take waits, up to a bound, and comes in its order and whole. */
static void
slow_end_is_waited_for_within_a_bound(void **state)
{
	AUTO(auto_free) uint8_t *payload = calloc(1, FRAME_PAYLOAD_MAX);
	struct frame frame = sample;
	struct ends ends;
	struct fault f = FAULT_INIT;
	unsigned sent = 0, got = 0;
	bool any = true;

	(void)state;
	ends_open(&ends);
	frame.payload = payload;
	frame.len = FRAME_PAYLOAD_MAX;
	for (; sent < 1000; sent++) {
		payload[0] = (uint8_t)sent;
		if (channel_send(ends.here, &frame, &f))
			break;
	}
	assert_int_equal(f.code, FAULT_PRECONDITION);
	assert_true(sent >= CHANNEL_OUT_MAX / FRAME_MAX - 1 && sent < 200);
	assert_true(channel_is_waiting(ends.here));
	while (got < sent) {
		assert_ok(channel_next(ends.there, &frame, &any, &f), &f);
		if (any)
			assert_int_equal(((const uint8_t *)frame.payload)[0], (uint8_t)got++);
		else
			assert_ok(channel_flush(ends.here, &f), &f);
	}
	assert_false(channel_is_waiting(ends.here));
	nothing_comes(ends.there);
	ends_close(&ends);
}

static void
end_of_the_other_is_told(void **state)
{
	struct ends ends;
	struct frame frame;
	struct fault f = FAULT_INIT;
	bool any;

	(void)state;
	ends_open(&ends);
	nothing_comes(ends.here);
	channel_close(ends.there);
	ends.there = NULL;
	assert_fault(channel_next(ends.here, &frame, &any, &f), &f, FAULT_NET);
	assert_fault(channel_send(ends.here, &sample, &f), &f, FAULT_NET);
	ends_close(&ends);
}

/* Whoever connects without being a gateway, or is another version's. */
static int
say(const char *path, const void *bytes, size_t len)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(write(fd, bytes, len), len);
	return fd;
}

static void
stranger_is_told_from_another_version(void **state)
{
	static const uint8_t newer[] = {11, 0, 0, 0, FRAME_HELLO, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
	uint8_t unasked[256];
	const struct {
		const void *bytes;
		size_t len;
		enum fault_code code;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18, FAULT_INVALID},
		{newer, sizeof(newer), FAULT_CONFIG},
		{unasked, frame_size(&sample), FAULT_INVALID},
	};
	struct ends ends;

	(void)state;
	ends_open(&ends);
	frame_write(&sample, unasked);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_channel) struct channel *channel = NULL;
		int fd = say(ends.path, rows[i].bytes, rows[i].len);
		struct frame frame;
		struct fault f = FAULT_INIT;
		bool any;

		assert_ok(channel_accept(ends.listening, &channel, &f), &f);
		assert_fault(channel_next(channel, &frame, &any, &f), &f, rows[i].code);
		close(fd);
	}
	ends_close(&ends);
}

static void
socket_is_taken_over_from_the_dead_alone(void **state)
{
	char long_path[200];
	struct ends ends;
	struct channel *channel = NULL;
	struct stat st;
	struct fault f = FAULT_INIT;
	mode_t mask;
	int fd = -1;

	(void)state;
	ends_open(&ends);
	assert_fault(channel_listen(ends.path, &fd, &f), &f, FAULT_PRECONDITION);
	close(ends.listening);
	assert_fault(channel_connect(ends.path, &channel, &f), &f, FAULT_NOTFOUND);
	mask = umask(077);
	assert_ok(channel_listen(ends.path, &ends.listening, &f), &f);
	assert_int_equal(umask(mask), 077);
	assert_int_equal(stat(ends.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	unlink(ends.path);
	assert_fault(channel_connect(ends.path, &channel, &f), &f, FAULT_NOTFOUND);
	fclose(fopen(ends.path, "w"));
	assert_fault(channel_listen(ends.path, &fd, &f), &f, FAULT_CONFIG);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_fault(channel_listen(long_path, &fd, &f), &f, FAULT_CONFIG);
	ends_close(&ends);
}

/* In place of the C library's: another user of the directory puts a link where the socket was. */
static const char *swap_path, *swap_for;

int
bind(int fd, const struct sockaddr *address, socklen_t len)
{
	int rc = (int)syscall(SYS_bind, fd, address, len);

	if (rc == 0 && swap_for) {
		assert_int_equal(unlink(swap_path), 0);
		assert_int_equal(symlink(swap_for, swap_path), 0);
	}
	return rc;
}

static void
the_mode_of_no_other_file_is_set(void **state)
{
	char folder[32] = "site-test.XXXXXX", path[64], victim[64];
	struct stat st;
	struct fault f = FAULT_INIT;
	int fd = -1;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	fclose(fopen(victim, "w"));
	assert_int_equal(chmod(victim, 0400), 0);
	swap_path = path;
	swap_for = "victim";
	assert_ok(channel_listen(path, &fd, &f), &f);
	swap_for = NULL;
	close(fd);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	unlink(victim);
	unlink(path);
	rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_is_read_as_it_was_written),
		cmocka_unit_test(frame_that_makes_no_sense_is_refused),
		cmocka_unit_test(frame_has_its_bounds),
		cmocka_unit_test(filters_match_as_the_standard_says),
		cmocka_unit_test(filters_are_told_from_others),
		cmocka_unit_test(topics_are_utf8_that_nobody_closes_for),
		cmocka_unit_test(frames_pass_both_ways),
		cmocka_unit_test(slow_end_is_waited_for_within_a_bound),
		cmocka_unit_test(end_of_the_other_is_told),
		cmocka_unit_test(stranger_is_told_from_another_version),
		cmocka_unit_test(socket_is_taken_over_from_the_dead_alone),
		cmocka_unit_test(the_mode_of_no_other_file_is_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
