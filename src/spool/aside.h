/* aside: the quarantine: segments that are kept for people when they are deleted where they are. */
#ifndef SPOOL_ASIDE_H
#define SPOOL_ASIDE_H

#include <stdint.h>

#include "base/fault.h"

/* Folders of a spool: for what has damage, and for what an older version wrote. */
#define ASIDE_DAMAGED "damaged"
#define ASIDE_OLDER   "older"

/* Damaged ones that are kept: they count for no bound, and each may be as large as a segment. */
#define ASIDE_DAMAGED_MAX 8

/*
 * Keeps a segment; of damaged ones the newest, older ones all, for there are no more of them than a
 * spool may hold. One that is kept already stays as it is. Blocks that cannot be read are holes
 * where a copy is needed.
 *
 * dir     the spool's directory
 * folder  one of the two; made when it is not there
 * fd      the segment's, for reading
 *
 * Returns 0 when it is on the disk; else FAULT_IO or FAULT_NOTFOUND, with errno's value in
 * `native`.  Blocks: on the disk.
 */
int aside_keep(int dir, const char *folder, uint64_t first, int fd, struct fault *f);

/*
 * Moves into the folder for damage what has a segment's name and cannot be one: a directory, a
 * symbolic link, a pipe. What was moved there before by that name is deleted.
 *
 * dir  the directory that it is in
 *
 * Returns and blocks as aside_keep().
 */
int aside_move(int dir, uint64_t first, struct fault *f);

#endif
