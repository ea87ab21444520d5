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
 * seq         the first message not done with; 0 before any
 * generation  of the newer slot
 */
struct cursor {
	int fd;
	uint64_t seq;
	uint64_t generation;
};

/* Returns 0; else FAULT_USAGE. */
int cursor_check_name(const char *name, struct fault *f);

/*
 * Opens a reader's cursor, made when it is not there, and keeps others from it.
 *
 * dir  the spool's directory
 *
 * Returns 0; else FAULT_PRECONDITION while another process has it, FAULT_IO.
 */
int cursor_open(int dir, const char *name, struct cursor *ret, struct fault *f);

/* Returns 0; else FAULT_IO. */
int cursor_move(struct cursor *cursor, uint64_t seq, struct fault *f);

/* One that was never opened has -1 for its fd. */
void cursor_close(struct cursor *cursor);

/*
 * Reads a cursor that may be another's.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_IO.
 */
int cursor_read(int dir, const char *name, uint64_t *ret_seq, struct fault *f);

/* Deletes one; as cursor_open(), and FAULT_NOTFOUND. */
int cursor_forget(int dir, const char *name, struct fault *f);

/* Called with each cursor's name and place. Returns 0, or what `each` did; else FAULT_IO. */
typedef int cursor_fn(void *with, const char *name, uint64_t seq, struct fault *f);
int cursor_each(int dir, cursor_fn *each, void *with, struct fault *f);

#endif
