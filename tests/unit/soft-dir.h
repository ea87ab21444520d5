/* soft-dir: removes a test's directory. */
#ifndef TESTS_UNIT_SOFT_DIR_H
#define TESTS_UNIT_SOFT_DIR_H

#include <ftw.h>
#include <stdio.h>

static inline int
remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
	(void)about, (void)kind, (void)place;
	return remove(path);
}

/* Removes a directory and everything in it. Returns 0, or -1 with errno set. */
static inline int
remove_dir(const char *path)
{
	return nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
