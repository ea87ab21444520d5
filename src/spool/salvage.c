#include "config.h"

#include "spool/salvage.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A page: the smallest part that the kernel reads of a file. It has one sector of a disk, or
 * more.
 */
#define BLOCK_LEN 4096

/* Copied at a time. */
#define COPY_LEN (64 * 1024)

static ssize_t
read_at(int fd, void *bytes, size_t len, off_t at)
{
	ssize_t n;

	do
		n = pread(fd, bytes, len, at);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Bytes from `at` to the end of its block, at most `len`. */
static size_t
rest_of_block(off_t at, size_t len)
{
	size_t rest = BLOCK_LEN - (size_t)(at % BLOCK_LEN);

	return rest < len ? rest : len;
}

/*
 * Reads a part that begins with readable bytes, or with one block that is not.
 *
 * Returns how many bytes; 0 at the end of the file.
 */
static ssize_t
read_part(int fd, unsigned char *bytes, size_t len, off_t at, off_t size)
{
	ssize_t n = read_at(fd, bytes, len, at);
	size_t block;

	if (n >= 0)
		return n;
	if (at >= size)
		return 0;
	block = rest_of_block(at, len);
	n = read_at(fd, bytes, block, at);
	if (n >= 0)
		return n;
	if ((off_t)block > size - at)
		block = (size_t)(size - at);
	memset(bytes, 0, block);
	return (ssize_t)block;
}

ssize_t
salvage_read(int fd, void *bytes, size_t len, off_t at)
{
	struct stat about;
	size_t got = 0;

	if (fstat(fd, &about) < 0)
		return -1;
	while (got < len) {
		ssize_t n = read_part(fd, (unsigned char *)bytes + got, len - got, at + (off_t)got,
			about.st_size);

		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int
write_at(int fd, const char *bytes, size_t len, off_t at)
{
	while (len) {
		ssize_t n = pwrite(fd, bytes, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
		at += n;
	}
	return 0;
}

static bool
is_zero(const char *bytes, size_t len)
{
	return *bytes == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

int
salvage_copy(int from, int to)
{
	char bytes[COPY_LEN];
	off_t at = 0;
	ssize_t n;

	while ((n = salvage_read(from, bytes, sizeof(bytes), at)) > 0) {
		for (size_t done = 0; done < (size_t)n; done += BLOCK_LEN) {
			size_t len = rest_of_block(0, (size_t)n - done);

			if (!is_zero(bytes + done, len) &&
				write_at(to, bytes + done, len, at + (off_t)done) < 0)
				return -1;
		}
		at += n;
	}
	return n < 0 || ftruncate(to, at) < 0 ? -1 : 0;
}
