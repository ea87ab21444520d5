/* salvage: reads a file around the blocks that its disk cannot read. */
#ifndef SPOOL_SALVAGE_H
#define SPOOL_SALVAGE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Reads up to `len` bytes of a file, fewer only at its end. The bytes of a block that cannot be
 * read are zeroes, so that they are damage like any other.
 *
 * Returns their number; else -1 with errno set, when the size of the file is unknown.  Blocks: on
 * the disk.
 */
ssize_t salvage_read(int fd, void *bytes, size_t len, off_t at);

/*
 * Copies a file so; a block that cannot be read is a hole in the copy.
 *
 * Returns 0; else -1 with errno set, when the copy cannot be written.  Blocks: on the disk.
 */
int salvage_copy(int from, int to);

#endif
