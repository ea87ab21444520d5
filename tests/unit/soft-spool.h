/* soft-spool: a directory for a test's spool, and who writes and reads there. */
#ifndef UNIT_SOFT_SPOOL_H
#define UNIT_SOFT_SPOOL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "soft-dir.h"
#include "spool/spool.h"

static char dir[] = "spool-test.XXXXXX";

static inline int
make_dir(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

/* A test's teardown. */
static inline int
end(void **state)
{
	(void)state;
	return remove_dir(dir);
}

/* Replaces the spool by a new one between two cases of a test; begin is the test's setup. */
static inline void
start_over(void **state, CMFixtureFunction begin)
{
	assert_int_equal(end(state), 0);
	assert_int_equal(begin(state), 0);
}

/* The time in which a spool counts ages. */
static inline int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline struct spool_writer *
writer_at(const char *where, const struct spool_options *options)
{
	struct spool_writer *writer = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(spool_writer_open(where, options, &writer, &f), &f);
	return writer;
}

static inline struct spool_reader *
reader_of(const char *name)
{
	struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(spool_reader_open(dir, name, &reader, &f), &f);
	return reader;
}

static inline int
append_bytes(struct spool_writer *writer, const char *device, const void *payload, size_t len,
	struct fault *f)
{
	const struct spool_message message = {.device = device,
		.topic = "/devices/dev/events",
		.qos = 1,
		.payload = payload,
		.len = len};

	return spool_append(writer, &message, f);
}

static inline int
try_append(struct spool_writer *writer, const char *payload, struct fault *f)
{
	return append_bytes(writer, "dev", payload, strlen(payload), f);
}

static inline void
append(struct spool_writer *writer, const char *payload)
{
	struct fault f = FAULT_INIT;

	assert_ok(try_append(writer, payload, &f), &f);
}

static inline void
assert_none(struct spool_reader *reader)
{
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	assert_ok(spool_next(reader, &message, &any, &f), &f);
	assert_false(any);
}

static inline void
assert_next(struct spool_reader *reader, const char *payload)
{
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;

	assert_ok(spool_next(reader, &message, &any, &f), &f);
	assert_true(any);
	assert_int_equal(message.len, strlen(payload));
	assert_memory_equal(message.payload, payload, message.len);
}

#endif
