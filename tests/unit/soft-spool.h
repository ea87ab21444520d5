/* soft-spool: a directory for a test's spool, and who writes and reads there. */
#ifndef UNIT_SOFT_SPOOL_H
#define UNIT_SOFT_SPOOL_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool/spool.h"

static char dir[] = "spool-test.XXXXXX";

static inline int
make_dir(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	(void)about, (void)kind, (void)place;
	return remove(path);
}

/* A test's teardown. */
static inline int
end(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
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
