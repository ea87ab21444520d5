#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/auto.h"
#include "base/secret.h"

static bool
is_standard(const char *path)
{
	return !path || strcmp(path, "-") == 0;
}

/* read() until the buffer is full or the file ends; -1 with errno set. */
static ssize_t
read_full(int fd, char *buffer, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(fd, buffer + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

static int
write_full(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t put = write(fd, data, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -1;
		data += put;
		len -= (size_t)put;
	}
	return 0;
}

/* Reads all that an open file has; `path` is for messages. */
static int
read_all(int fd, const char *path, size_t max, char **ret_data, size_t *ret_len, struct fault *f)
{
	AUTO(auto_free) char *data = NULL;
	size_t size = 4096, len = 0;

	for (;;) {
		char *grown;
		ssize_t got;

		if (size > max + 2)
			size = max + 2;
		grown = realloc(data, size);
		if (!grown)
			return fault_nomem(f);
		data = grown;
		got = read_full(fd, data + len, size - 1 - len);
		if (got < 0)
			return fault_errno(f, "cannot read '%s'", path);
		len += (size_t)got;
		if (len > max)
			return fault_set(
				f, FAULT_INVALID, "'%s' is larger than %zu bytes", path, max);
		if (len < size - 1)
			break;
		size *= 2;
	}
	data[len] = '\0';
	*ret_data = TAKE(data);
	*ret_len = len;
	return 0;
}

int
file_read(const char *path, size_t max, char **ret_data, size_t *ret_len, struct fault *f)
{
	AUTO(auto_fd) int fd = -1;

	if (is_standard(path))
		return read_all(STDIN_FILENO, path, max, ret_data, ret_len, f);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? fault_errno(f, "cannot open '%s'", path)
		      : read_all(fd, path, max, ret_data, ret_len, f);
}

int
file_read_regular(const char *path, size_t max, char **ret_data, size_t *ret_len, struct fault *f)
{
	AUTO(auto_fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fault_errno(f, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return fault_set(f, FAULT_INVALID, "'%s' is not a regular file", path);
	return read_all(fd, path, max, ret_data, ret_len, f);
}

int
file_read_secret(const char *path, size_t max, char **ret_secret, struct fault *f)
{
	AUTO(auto_fd) int fd = -1;
	AUTO(auto_secret) char *secret = NULL;
	ssize_t got;
	size_t len;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fault_errno(f, "cannot open '%s'", path);
	/* One character for the line end, one to see that it is too long. */
	secret = secret_alloc(max + 3);
	if (!secret)
		return fault_nomem(f);
	got = read_full(fd, secret, max + 2);
	if (got < 0)
		return fault_errno(f, "cannot read '%s'", path);
	len = strcspn(secret, "\r\n");
	if (len < (size_t)got && secret[len] == '\0')
		return fault_set(f, FAULT_CONFIG, "'%s' holds a NUL byte", path);
	if (len == 0)
		return fault_set(f, FAULT_CONFIG, "the first line of '%s' is empty", path);
	if (len > max)
		return fault_set(
			f, FAULT_CONFIG, "the first line of '%s' is longer than %zu", path, max);
	OPENSSL_cleanse(secret + len, max + 3 - len);
	*ret_secret = TAKE(secret);
	return 0;
}

static void
sync_folder_of(const char *path)
{
	AUTO(auto_fd) int fd = -1;
	AUTO(auto_free) char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash)
		slash[slash == folder] = '\0';
	fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

/*
 * A device or a pipe is written to, never replaced. A file that took its place after the caller had
 * looked at it is neither.
 */
static int
write_special(const char *path, const void *data, size_t len, struct fault *f)
{
	AUTO(auto_fd) int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fault_set(
			f, FAULT_IO, "cannot write '%s': another process replaced it", path);
	if (fd < 0 || write_full(fd, data, len) < 0)
		return fault_errno(f, "cannot write '%s'", path);
	return 0;
}

int
file_write(const char *path, unsigned mode, const void *data, size_t len, struct fault *f)
{
	AUTO(auto_free) char *temporary = NULL;
	AUTO(auto_fd) int fd = -1;
	struct stat st;
	mode_t mask;

	if (is_standard(path)) {
		if (write_full(STDOUT_FILENO, data, len) < 0)
			return fault_errno(f, "cannot write to standard output");
		return 0;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return write_special(path, data, len, f);
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return fault_nomem(f);
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return fault_errno(f, "cannot write '%s'", path);
	mask = umask(0);
	umask(mask);
	if (write_full(fd, data, len) < 0 || fchmod(fd, mode & ~mask) < 0 || fsync(fd) < 0 ||
		rename(temporary, path) < 0) {
		fault_errno(f, "cannot write '%s'", path);
		unlink(temporary);
		return -1;
	}
	sync_folder_of(path);
	return 0;
}

int
file_open_at(int dir, const char *name, int flags, mode_t mode)
{
	AUTO(auto_fd)
	int fd = openat(dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
	struct stat st;
	int ret;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : ENXIO;
		return -1;
	}
	ret = fd;
	fd = -1;
	return ret;
}

int
file_create_at(int dir, const char *name, mode_t mode)
{
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return -1;
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
}

int
file_open_dir_at(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
