/* aside: segments that are kept for people when they are deleted where they are. */
#ifndef SPOOL_ASIDE_H
#define SPOOL_ASIDE_H

#include <stdbool.h>
#include <stdint.h>

/* Folders of a spool: for what has damage, and for what an older version wrote. */
#define ASIDE_DAMAGED "damaged"
#define ASIDE_OLDER   "older"

/* Damaged ones that are kept: they count for no bound, and each may be as large as a segment. */
#define ASIDE_DAMAGED_MAX 8

/*
 * Keeps a segment; of damaged ones the newest, older ones all, for there are no more of them than a
 * spool may hold. One that is kept already stays as it is.
 *
 * dir     the spool's directory
 * folder  one of the two; made when it is not there
 * fd      the segment's, for reading
 *
 * Returns whether it is kept.  Blocks: on the disk.
 */
bool aside_keep(int dir, const char *folder, uint64_t first, int fd);

#endif
