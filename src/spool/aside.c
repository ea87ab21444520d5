#include "config.h"

#include "spool/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"
#include "spool/salvage.h"
#include "spool/segment.h"

static int
open_folder(int dir, const char *folder)
{
	if (mkdirat(dir, folder, 0750) < 0 && errno != EEXIST)
		return -1;
	return file_open_dir_at(dir, folder);
}

/* One that is there is of an earlier attempt. */
static int
copy(int fd, int folder, const char *name)
{
	AUTO(auto_fd)
	int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	int why;

	if (to < 0)
		return errno == EEXIST ? 0 : -1;
	if (salvage_copy(fd, to) == 0 && fdatasync(to) == 0)
		return 0;
	why = errno;
	unlinkat(folder, name, 0);
	errno = why;
	return -1;
}

/* Deletes the oldest; what came now stays, even where numbers began again. */
static void
thin_out(int folder, uint64_t now)
{
	struct segment_list list;
	char name[SEGMENT_NAME_LEN + 1];
	size_t n;

	if (segment_list(folder, &list, NULL))
		return;
	n = list.n;
	for (size_t i = 0; i < list.n && n > ASIDE_DAMAGED_MAX; i++) {
		if (list.first[i] == now)
			continue;
		segment_name(list.first[i], name);
		unlinkat(folder, name, 0);
		n--;
	}
	segment_list_clear(&list);
}

/* A link needs no room on the disk, but may not be made of another user's file. */
static int
keep(int dir, int folder, const char *name, int fd)
{
	if (linkat(dir, name, folder, name, 0) < 0 && errno != EEXIST && copy(fd, folder, name) < 0)
		return -1;
	return fsync(folder);
}

int
aside_keep(int dir, const char *folder, uint64_t first, int fd, struct fault *f)
{
	AUTO(auto_fd) int to = open_folder(dir, folder);
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(first, name);
	if (to < 0 || keep(dir, to, name, fd) < 0)
		return fault_errno(f, "cannot keep it as %s/%s", folder, name);
	if (!strcmp(folder, ASIDE_DAMAGED))
		thin_out(to, first);
	return 0;
}

static bool
is_in_the_way(int error)
{
	return error == EEXIST || error == ENOTEMPTY || error == EISDIR || error == ENOTDIR;
}

static int
move_to(int dir, int folder, const char *name)
{
	if (renameat(dir, name, folder, name) < 0) {
		if (!is_in_the_way(errno))
			return -1;
		if ((unlinkat(folder, name, 0) < 0 && unlinkat(folder, name, AT_REMOVEDIR) < 0) ||
			renameat(dir, name, folder, name) < 0)
			return -1;
	}
	return fsync(folder);
}

int
aside_move(int dir, uint64_t first, struct fault *f)
{
	AUTO(auto_fd) int to = open_folder(dir, ASIDE_DAMAGED);
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(first, name);
	if (to < 0 || move_to(dir, to, name) < 0)
		return fault_errno(f, "cannot move %s to " ASIDE_DAMAGED, name);
	thin_out(to, first);
	return 0;
}
