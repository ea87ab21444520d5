/* cursor: how far a reader is: a small file that a crash leaves old or new. */
#ifndef SPOOL_CURSOR_H
#define SPOOL_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/* Where the cursors are, below a spool's directory. */
#define CURSOR_DIR "cursors"

/*
 * Two slots are written in turn, the newer good one counts: no moment leaves none.
 *
 * fd          -1 when it is not open
 * seq         the first message not done with; 0 before any
 * generation  of the newer slot
 * lost        how many messages before `seq` this reader could not read, UINT32_MAX at most
 */
struct cursor {
	int fd;
	uint64_t seq;
	uint64_t generation;
	uint32_t lost;
};

/* Returns 0; else FAULT_USAGE. */
int cursor_check_name(const char *name, struct fault *f);

/*
 * Opens a reader's cursor, made when it is not there, and keeps others from it.
 *
 * dir  the spool's directory
 *
 * Returns 0; else FAULT_PRECONDITION while another process has it, FAULT_IO with errno's value in
 * `native`.
 */
int cursor_open(int dir, const char *name, struct cursor *ret, struct fault *f);

/* Whether the file of a cursor, not the system, is the reason for a fault of cursor_open(). */
bool cursor_is_unreadable(const struct fault *f);

/*
 * Puts a new cursor, at the beginning, in the place of one that cannot be read. The old file stays
 * beside it, with a '.' before its name.
 *
 * Returns as cursor_open(); with FAULT_IO, too, when the disk does not take the new one.
 */
int cursor_renew(int dir, const char *name, struct cursor *ret, struct fault *f);

/* Moves it to a message, and counts `lost` more as lost before that. Returns 0; else FAULT_IO. */
int cursor_move(struct cursor *cursor, uint64_t seq, uint64_t lost, struct fault *f);

/* One that was never opened has -1 for its fd. */
void cursor_close(struct cursor *cursor);

/*
 * Reads a cursor that may be another's.
 *
 * ret  its `fd` is not to be used
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_IO.
 */
int cursor_read(int dir, const char *name, struct cursor *ret, struct fault *f);

/* Deletes one, whether it can be read or not. Returns as cursor_open(); else FAULT_NOTFOUND. */
int cursor_forget(int dir, const char *name, struct fault *f);

/*
 * Called with each cursor's name and place. One that cannot be read is at the beginning, so that
 * everything is kept for its reader. Returns 0, or what `each` did; else FAULT_IO.
 */
typedef int cursor_fn(void *with, const char *name, const struct cursor *cursor, struct fault *f);
int cursor_each(int dir, cursor_fn *each, void *with, struct fault *f);

#endif
