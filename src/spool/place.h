/* place: whether an open directory is still the one that its path leads to. */
#ifndef SPOOL_PLACE_H
#define SPOOL_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/fault.h"

/* about: the directory, as it was when it was opened */
struct place {
	char *path;
	struct stat about;
};

/* Returns 0; else FAULT_IO, FAULT_NOMEM. */
int place_init(struct place *place, const char *path, int dir, struct fault *f);

void place_clear(struct place *place);

/*
 * Whether the path leads to the directory: false when that was removed or moved, or another file
 * system was mounted over it. A path that cannot be looked at proves nothing.
 *
 * Blocks: on the disk, when the directory is not the one that it was.
 */
bool place_is_kept(const struct place *place);

#endif
