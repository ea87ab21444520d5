/*
 * front: a directory in memory, which outlives processes and waits for no disk. A spool's newest
 * segments are there until they are on the disk, and readers read them there.
 *
 * The spool's directory has a link to it. What is on the disk of a segment is what the front has of
 * it, but for the end; it leaves the front when it is whole there. Memory that is gone takes no
 * more with it than a loss of power does.
 */
#ifndef SPOOL_FRONT_H
#define SPOOL_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

/*
 * Whether fronts can be made in a directory.
 *
 * ret_most  bytes that one may have: others need the memory too
 *
 * Returns 0; else FAULT_CONFIG when it is not in memory, or that is too small; FAULT_NOTFOUND,
 * FAULT_IO.
 */
int front_check(const char *parent, int64_t *ret_most, struct fault *f);

/*
 * Opens the front that a spool has.
 *
 * dir     the spool's
 * ret_fd  -1 when there is none
 *
 * Returns 0; else FAULT_CONFIG when it is another user's, FAULT_IO.
 */
int front_find(int dir, int *ret_fd, struct fault *f);

/*
 * Makes one, and the link to it; who may read the spool may read it.
 *
 * Returns a descriptor; else -1 with FAULT_NOTFOUND or FAULT_IO.
 */
int front_make(int dir, const char *parent, struct fault *f);

/*
 * Makes the link of a spool lead to its open front, and lets those read that who may read the
 * spool.
 *
 * Returns 0; else FAULT_IO, FAULT_NOTFOUND when the front was removed.
 */
int front_link(int dir, int front, struct fault *f);

/* Whether the link of a spool leads to its front.  Blocks: on the disk. */
bool front_is_linked(int dir, int front);

/* Removes the open directory `front` if it is empty, and then the link to it. */
void front_remove(int dir, int front);

/*
 * A part of a segment that is not on the disk yet.
 *
 * dir, front  the spool's directory and its front, borrowed
 * first       the segment's number
 * from, to    its bytes
 * last        whether no other segment comes behind it
 */
struct front_part {
	int dir, front;
	uint64_t first;
	int64_t from, to;
	bool last;
};

/*
 * Copies it to the disk.
 *
 * Returns 0; else FAULT_NOTFOUND when it is in the front no more, FAULT_IO.  Blocks: on the disk.
 */
int front_copy(const struct front_part *part, struct fault *f);

#endif
