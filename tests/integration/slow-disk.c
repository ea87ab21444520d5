/*
 * A disk that is slow, or hangs: preloaded into a program, it holds up what goes to the files in
 * $SLOW_DISK_DIR as long as the file $SLOW_DISK is there; when that holds a number, for so many
 * milliseconds at most.
 */
#include "config.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_MS 5

/* Whether the disk holds things up; how long at most, or 0 for as long as it does. */
static bool
is_slow(long *ret_ms)
{
	const char *path = getenv("SLOW_DISK");
	char text[32] = "";
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		*text = '\0';
	close(fd);
	*ret_ms = strtol(text, NULL, 10);
	return true;
}

static bool
is_on_disk(int fd)
{
	const char *dir = getenv("SLOW_DISK_DIR");
	char link[64], path[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = dir ? readlink(link, path, sizeof(path) - 1) : -1;
	return n >= (ssize_t)strlen(dir ? dir : "") && !strncmp(path, dir, strlen(dir));
}

static void
hold_up(int fd)
{
	const struct timespec moment = {0, LOOK_EVERY_MS * 1000000L};
	long most_ms = 0;

	if (!is_on_disk(fd))
		return;
	for (long ms = 0; is_slow(&most_ms) && (!most_ms || ms < most_ms); ms += LOOK_EVERY_MS)
		nanosleep(&moment, NULL);
}

int
fdatasync(int fd)
{
	hold_up(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	hold_up(fd);
	return (int)syscall(SYS_fsync, fd);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	hold_up(fd);
	return syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	hold_up(fd);
	return syscall(SYS_pwrite64, fd, bytes, len, at);
}

int
unlinkat(int dir, const char *path, int flags)
{
	hold_up(dir);
	return (int)syscall(SYS_unlinkat, dir, path, flags);
}
