/* file: whole files in and out: bounded when read, never half-written. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/fault.h"

/*
 * Reads a whole file.
 *
 * path      the file; "-" is standard input
 * max       bytes it may have
 * ret_data  receives the bytes and a NUL behind them; free with free()
 * ret_len   receives their number, without the NUL
 *
 * Returns 0; else FAULT_NOTFOUND or FAULT_IO when it cannot be read, FAULT_INVALID when it is
 * larger than max, FAULT_NOMEM.  Blocks: on the file.  Threads: any.
 */
int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct fault *f);

/*
 * The same for a program that may not wait: what is not a regular file, or a link to one, is
 * refused with FAULT_INVALID, and "-" is a file like any other.
 */
int file_read_regular(
	const char *path, size_t max, char **ret_data, size_t *ret_len, struct fault *f);

/*
 * Reads a secret that is the first line of a file, without its line end.
 *
 * path        the file
 * max         characters it may have
 * ret_secret  receives it, a secret; free with secret_free()
 *
 * Returns 0; else FAULT_NOTFOUND or FAULT_IO when it cannot be read, FAULT_CONFIG when the line is
 * empty, too long or holds a NUL, FAULT_NOMEM.  Blocks: on the file.  Threads: any.
 */
int file_read_secret(const char *path, size_t max, char **ret_secret, struct fault *f);

/*
 * Writes a whole file in one step: readers see the old content or the new, and a crash leaves one
 * of the two.
 *
 * path  the file; NULL or "-" is standard output
 * mode  permissions of the new file, narrowed by umask
 *
 * Returns 0; else FAULT_IO or FAULT_NOTFOUND, with the old file untouched.  Blocks: on the disk.
 */
int file_write(const char *path, unsigned mode, const void *data, size_t len, struct fault *f);

/*
 * Opens a regular file in a directory that other users may write to: never through a symbolic
 * link, and without waiting for what somebody put there in its place.
 *
 * dir    the directory, or AT_FDCWD
 * name   the file, relative to `dir`
 * flags  as for open(2); O_NOFOLLOW, O_NONBLOCK, O_NOCTTY and O_CLOEXEC are added
 * mode   of a file that O_CREAT makes, narrowed by umask
 *
 * Returns a descriptor; else -1 with errno set: ELOOP for a symbolic link, EISDIR for a directory,
 * ENXIO for anything else that is not a regular file.  Threads: any.
 */
int file_open_at(int dir, const char *name, int flags, mode_t mode);

/*
 * Makes a new file for writing in place of whatever had its name, which is removed, not written to.
 *
 * Returns a descriptor; else -1 with errno set.  Threads: any.
 */
int file_create_at(int dir, const char *name, mode_t mode);

/*
 * Opens a directory in one that other users may write to, never through a symbolic link.
 *
 * Returns a descriptor; else -1 with errno set: ELOOP or ENOTDIR for anything but a directory.
 * Threads: any.
 */
int file_open_dir_at(int dir, const char *name);

#endif
