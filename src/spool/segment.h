/* segment: the files of a spool: their names and places, their head, their order. */
#ifndef SPOOL_SEGMENT_H
#define SPOOL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/auto.h"
#include "base/fault.h"

#define SEGMENT_VERSION	 2
#define SEGMENT_HEAD_LEN 16

/* Bytes that a segment has at most. */
#define SEGMENT_LEN_MAX (8 * 1024 * 1024)

/* "00000000000000ff.log": the number of the first message that is or will be in it. */
#define SEGMENT_NAME_LEN 20

/*
 * A link to the directory in memory where the newest segments are, when there is one (front.h). A
 * segment that is there may be on the disk too, but for its end.
 */
#define SEGMENT_FRONT "front"

struct segment_list {
	uint64_t *first;
	size_t n;
};

/*
 * Lists the segments of a directory and of its front, oldest first.
 *
 * Returns 0; else FAULT_IO, FAULT_NOTFOUND, FAULT_NOMEM.
 */
int segment_list(int dir, struct segment_list *ret, struct fault *f);

void segment_list_clear(struct segment_list *list);

void segment_name(uint64_t first, char name[SEGMENT_NAME_LEN + 1]);

/* Adds one at the end. Returns 0; else FAULT_NOMEM. */
int segment_list_add(struct segment_list *list, uint64_t first, struct fault *f);

bool segment_list_has(const struct segment_list *list, uint64_t first);

/*
 * Opens a segment to read it, in the front when it is there. Returns a descriptor; else -1 with
 * errno set, as file_open_at() does.
 */
int segment_open(int dir, uint64_t first);

/* Looks at a segment, in the front when it is there. Returns 0; -1, errno. */
int segment_stat(int dir, uint64_t first, struct stat *ret);

/*
 * What a new segment begins with: a magic, the version, and a salt that its records' checksums hang
 * on. A payload may look like records, and a torn one before it have them looked at: who sends it
 * does not know the salt.
 */
void segment_head(uint32_t salt, unsigned char head[SEGMENT_HEAD_LEN]);
uint32_t segment_salt(const unsigned char head[SEGMENT_HEAD_LEN]);

enum segment_state {
	SEGMENT_OURS,
	SEGMENT_PARTIAL, /* its head is not written yet */
	SEGMENT_NEWER,	 /* a newer version's */
	SEGMENT_OLDER,	 /* an older version's */
	SEGMENT_BAD,
};

enum segment_state segment_check(const unsigned char *head, size_t len);

/*
 * A window on a file: the bytes that were last asked for and some behind them.
 *
 * len    how many there are; fewer than asked for where the file ends
 * ended  the file ended behind them when they were read: no more is read before
 *        segment_view_forget()
 * salvage  a block that cannot be read has zeroes, instead of failing segment_view(); set by the
 *          user of the view
 */
struct segment_view {
	unsigned char *bytes;
	size_t len;
	off_t at;
	size_t size;
	bool ended, salvage;
};

/*
 * Brings the bytes from `at` on into view, `need` of them when the file has them.
 *
 * Returns 0 with what there is in *ret_bytes and *ret_len; else FAULT_IO, FAULT_NOMEM.
 */
int segment_view(struct segment_view *view, int fd, off_t at, size_t need,
	const unsigned char **ret_bytes, size_t *ret_len, struct fault *f);

/* Whether the byte at `at` is in view. */
bool segment_view_has(const struct segment_view *view, off_t at);

/* Lets go of what was read, which may have become more since; keeps the memory. */
void segment_view_forget(struct segment_view *view);

void segment_view_clear(struct segment_view *view);

#endif
