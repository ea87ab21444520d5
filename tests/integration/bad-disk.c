/*
 * A disk that fails: preloaded into a program. As long as the file $BAD_DISK is there, each of its
 * lines is a fault of the files in $BAD_DISK_DIR:
 *
 *   read NAME FROM TO   the bytes from FROM to before TO of the file NAME cannot be read
 *   gone                nothing can be read, nothing written
 *   write ERRNO         nothing can be written, for that reason
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH_SIZE 4096

/* Whether a descriptor is one of a file on the disk; its name there. */
static bool
is_on_disk(int fd, char path[PATH_SIZE])
{
	const char *dir = getenv("BAD_DISK_DIR");
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = dir ? readlink(link, path, PATH_SIZE - 1) : -1;
	if (n < 0)
		return false;
	path[n] = '\0';
	return strncmp(path, dir, strlen(dir)) == 0;
}

/* The faults that there are now. */
static void
read_faults(char text[1024])
{
	const char *path = getenv("BAD_DISK");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd < 0 ? -1 : read(fd, text, 1023);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
}

/*
 * As the kernel does: what is before the bad part can be read, the error comes with the next call.
 *
 * Returns how many bytes can be read; -1 with errno.
 */
static ssize_t
readable(int fd, size_t len, off_t at)
{
	char path[PATH_SIZE], text[1024], name[256], *rest = text, *line;
	long from, to;

	if (!is_on_disk(fd, path))
		return (ssize_t)len;
	read_faults(text);
	while ((line = strsep(&rest, "\n"))) {
		if (!strcmp(line, "gone")) {
			errno = EIO;
			return -1;
		}
		if (sscanf(line, "read %255s %ld %ld", name, &from, &to) != 3 ||
			!strstr(path, name) || at >= to || at + (off_t)len <= from)
			continue;
		if (at >= from) {
			errno = EIO;
			return -1;
		}
		len = (size_t)(from - at);
	}
	return (ssize_t)len;
}

static int
check_write(int fd)
{
	char path[PATH_SIZE], text[1024], *rest = text, *line;
	int error;

	if (!is_on_disk(fd, path))
		return 0;
	read_faults(text);
	while ((line = strsep(&rest, "\n"))) {
		if (!strcmp(line, "gone"))
			errno = EIO;
		else if (sscanf(line, "write %d", &error) == 1)
			errno = error;
		else
			continue;
		return -1;
	}
	return 0;
}

ssize_t
pread(int fd, void *bytes, size_t len, off_t at)
{
	ssize_t most = readable(fd, len, at);

	return most < 0 ? -1 : syscall(SYS_pread64, fd, bytes, (size_t)most, at);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	return check_write(fd) < 0 ? -1 : syscall(SYS_write, fd, bytes, len);
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return check_write(fd) < 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, len, at);
}

int
fdatasync(int fd)
{
	return check_write(fd) < 0 ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return check_write(fd) < 0 ? -1 : (int)syscall(SYS_fsync, fd);
}
