#include "config.h"

#include "spool/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "spool/segment.h"

/* Copied at once. */
#define COPY_LEN (1024 * 1024)

static int
open_folder(int dir, const char *folder)
{
	if (mkdirat(dir, folder, 0750) < 0 && errno != EEXIST)
		return -1;
	return openat(dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

static bool
copy(int fd, int folder, const char *name)
{
	AUTO(auto_fd)
	int to = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
	off_t at = 0;
	ssize_t n;

	if (to < 0)
		return errno == EEXIST;
	do
		n = copy_file_range(fd, &at, to, NULL, COPY_LEN, 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		return true;
	unlinkat(folder, name, 0);
	return false;
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

bool
aside_keep(int dir, const char *folder, uint64_t first, int fd)
{
	AUTO(auto_fd) int to = open_folder(dir, folder);
	char name[SEGMENT_NAME_LEN + 1];

	if (to < 0)
		return false;
	segment_name(first, name);
	/* A link takes nothing of the disk, but may not be made of another user's file. */
	if (linkat(dir, name, to, name, 0) < 0 && errno != EEXIST && !copy(fd, to, name))
		return false;
	if (!strcmp(folder, ASIDE_DAMAGED))
		thin_out(to, first);
	return true;
}
