#include "config.h"

#include "spool/front.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/segment.h"

#define NAME "p11-spool-XXXXXX"

/* Of a file system a front takes a part: /run has a tenth of a machine's memory, or a fifth. */
#define PARTS	4
#define LEN_MAX (16 * 1024 * 1024)
#define LEN_MIN (1024 * 1024)

/* Read and written at once. */
#define COPY_LEN (64 * 1024)

int
front_check(const char *parent, int64_t *ret_most, struct fault *f)
{
	struct statfs about;
	int64_t most;

	if (statfs(parent, &about) < 0)
		return fault_errno(f, "cannot look at %s for the spool's front", parent);
	if (about.f_type != TMPFS_MAGIC)
		return fault_set(f, FAULT_CONFIG,
			"%s is no place for a spool's front: it is not a tmpfs", parent);
	/* One without a bound says 0. */
	most = (int64_t)about.f_blocks * (int64_t)about.f_bsize / PARTS;
	*ret_most = most == 0 || most > LEN_MAX ? LEN_MAX : most;
	return *ret_most >= LEN_MIN
		       ? 0
		       : fault_set(f, FAULT_CONFIG,
				 "%s is no place for a spool's front: it has less than %d MiB",
				 parent, PARTS * LEN_MIN / 1024 / 1024);
}

/*
 * Gateways may write to the spool's directory, and make a link: a front is the writer's own. A
 * broker may be root as long as it starts.
 */
static int
check_owner(int front, struct fault *f)
{
	struct stat about;

	if (fstat(front, &about) < 0)
		return fault_errno(f, "cannot look at the spool's front");
	return about.st_uid == geteuid() || geteuid() == 0
		       ? 0
		       : fault_set(f, FAULT_CONFIG,
				 "the spool's front is another user's: remove the link '%s'",
				 SEGMENT_FRONT);
}

int
front_find(int dir, int *ret_fd, struct fault *f)
{
	AUTO(auto_fd)
	int fd = openat(dir, SEGMENT_FRONT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*ret_fd = -1;
	if (fd < 0)
		return errno == ENOENT ? 0 : fault_errno(f, "cannot open the spool's front");
	if (check_owner(fd, f))
		return -1;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* The spool's group has it, and what will be in it. */
static int
share(int dir, int front)
{
	struct stat spool;

	if (fstat(dir, &spool) < 0 || fchown(front, (uid_t)-1, spool.st_gid) < 0)
		return -1;
	return fchmod(front, S_ISGID | 0750);
}

static int
link_to(int dir, int front, const char *path)
{
	return share(dir, front) == 0 &&
			       (unlinkat(dir, SEGMENT_FRONT, 0) == 0 || errno == ENOENT) &&
			       symlinkat(path, dir, SEGMENT_FRONT) == 0
		       ? 0
		       : -1;
}

int
front_link(int dir, int front, struct fault *f)
{
	char link[64], path[PATH_MAX];
	struct stat about;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", front);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0 || fstat(front, &about) < 0)
		return fault_errno(f, "cannot look at the spool's front");
	path[n] = '\0';
	if (about.st_nlink == 0)
		return fault_set(f, FAULT_NOTFOUND, "the spool's front was removed");
	return link_to(dir, front, path) < 0
		       ? fault_errno(f, "cannot make the link '%s' in the spool", SEGMENT_FRONT)
		       : 0;
}

bool
front_is_linked(int dir, int front)
{
	struct stat named, ours;

	return fstatat(dir, SEGMENT_FRONT, &named, 0) == 0 && fstat(front, &ours) == 0 &&
	       named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}

int
front_make(int dir, const char *parent, struct fault *f)
{
	char path[PATH_MAX + sizeof(NAME)];
	int fd;

	/* The link is read from elsewhere. */
	if (!realpath(parent, path) || !mkdtemp(strcat(path, "/" NAME)))
		return fault_errno(f, "cannot make the spool's front in %s", parent);
	fd = file_open_dir_at(AT_FDCWD, path);
	if (fd >= 0 && link_to(dir, fd, path) == 0)
		return fd;
	fault_errno(f, "cannot make the spool's front %s", path);
	if (fd >= 0)
		close(fd);
	rmdir(path);
	return -1;
}

/* A gateway may have made the link lead to another directory. Returns whether there is none now. */
static bool
remove_directory(const char *path, int front)
{
	struct stat named, ours;

	if (lstat(path, &named) < 0)
		return errno == ENOENT;
	return fstat(front, &ours) == 0 && named.st_dev == ours.st_dev &&
	       named.st_ino == ours.st_ino && rmdir(path) == 0;
}

void
front_remove(int dir, int front)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(dir, SEGMENT_FRONT, path, sizeof(path) - 1);

	if (n < 0)
		return;
	path[n] = '\0';
	if (remove_directory(path, front))
		unlinkat(dir, SEGMENT_FRONT, 0);
}

static int
fail(const char *name, struct fault *f)
{
	return fault_set(
		f, FAULT_IO, "cannot write to the spool's segment %s: %s", name, strerror(errno));
}

/* Whoever was killed here before may have left more than there is. */
static int
open_on_disk(const struct front_part *part, const char *name)
{
	int fd = file_open_at(part->dir, name, O_WRONLY | O_CREAT, 0640);
	struct stat about;

	if (fd < 0 || (fstat(fd, &about) == 0 &&
			      (about.st_size <= part->to || ftruncate(fd, part->to) == 0)))
		return fd;
	close(fd);
	return -1;
}

static int
copy(const struct front_part *part, int from, int to)
{
	char bytes[COPY_LEN];
	off_t at = part->from;

	while (at < part->to) {
		size_t most = part->to - at < COPY_LEN ? (size_t)(part->to - at) : COPY_LEN;
		ssize_t n = pread(from, bytes, most, at);

		if (n > 0)
			n = pwrite(to, bytes, (size_t)n, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0)
			return -1;
		at += n;
	}
	return 0;
}

int
front_copy(const struct front_part *part, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	AUTO(auto_fd) int from = -1, to = -1;

	segment_name(part->first, name);
	from = file_open_at(part->front, name, O_RDONLY, 0);
	if (from < 0)
		return fault_errno(f, "cannot open the spool's segment %s in its front", name);
	to = open_on_disk(part, name);
	return to < 0 || copy(part, from, to) < 0 ? fail(name, f) : 0;
}
