#include "config.h"

#include "spool/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
place_init(struct place *place, const char *path, int dir, struct fault *f)
{
	if (fstat(dir, &place->about) < 0)
		return fault_errno(f, "cannot look at the spool %s", path);
	place->path = strdup(path);
	return place->path ? 0 : fault_nomem(f);
}

void
place_clear(struct place *place)
{
	free(place->path);
	place->path = NULL;
}

/* An inode's number is not used again as long as the directory is open. */
bool
place_is_kept(const struct place *place)
{
	struct stat now;

	if (stat(place->path, &now) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return now.st_dev == place->about.st_dev && now.st_ino == place->about.st_ino;
}
