#include "config.h"

#include "spool/segment.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/salvage.h"

#define MAGIC	  "P11SPOOL"
#define MAGIC_LEN 8
#define SALT_AT	  12

/* Read at once, when there is as much. */
#define VIEW_LEN (256 * 1024)

void
segment_name(uint64_t first, char name[SEGMENT_NAME_LEN + 1])
{
	snprintf(name, SEGMENT_NAME_LEN + 1, "%016" PRIx64 ".log", first);
}

/* "front/NAME" */
static const char *
front_name(uint64_t first, char name[sizeof(SEGMENT_FRONT) + SEGMENT_NAME_LEN + 1])
{
	memcpy(name, SEGMENT_FRONT "/", sizeof(SEGMENT_FRONT));
	segment_name(first, name + sizeof(SEGMENT_FRONT));
	return name;
}

int
segment_open(int dir, uint64_t first)
{
	char name[sizeof(SEGMENT_FRONT) + SEGMENT_NAME_LEN + 1];
	int fd = file_open_at(dir, front_name(first, name), O_RDONLY, 0);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	return file_open_at(dir, name + sizeof(SEGMENT_FRONT), O_RDONLY, 0);
}

int
segment_stat(int dir, uint64_t first, struct stat *ret)
{
	char name[sizeof(SEGMENT_FRONT) + SEGMENT_NAME_LEN + 1];

	if (fstatat(dir, front_name(first, name), ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return errno != ENOENT
		       ? -1
		       : fstatat(dir, name + sizeof(SEGMENT_FRONT), ret, AT_SYMLINK_NOFOLLOW);
}

static bool
parse_name(const char *name, uint64_t *ret)
{
	char again[SEGMENT_NAME_LEN + 1];

	if (strlen(name) != SEGMENT_NAME_LEN)
		return false;
	*ret = strtoull(name, NULL, 16);
	segment_name(*ret, again);
	return strcmp(name, again) == 0;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int
segment_list_add(struct segment_list *list, uint64_t first, struct fault *f)
{
	if ((list->n & (list->n - 1)) == 0) {
		size_t room = list->n ? list->n * 2 : 1;
		uint64_t *more = reallocarray(list->first, room, sizeof(*more));

		if (!more)
			return fault_nomem(f);
		list->first = more;
	}
	list->first[list->n++] = first;
	return 0;
}

static int
read_dir(DIR *dir, struct segment_list *list, struct fault *f)
{
	struct dirent *entry;

	while ((errno = 0, entry = readdir(dir))) {
		uint64_t first;

		if (parse_name(entry->d_name, &first) && segment_list_add(list, first, f))
			return -1;
	}
	return errno ? fault_errno(f, "cannot read the spool's directory") : 0;
}

/* A front that is not there has none. */
static int
list_dir(int dir, const char *name, struct segment_list *list, struct fault *f)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);

	if (!stream) {
		if (fd < 0 && errno == ENOENT && !strcmp(name, SEGMENT_FRONT))
			return 0;
		fault_errno(f, "cannot open the spool's directory '%s'", name);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	rc = read_dir(stream, list, f);
	closedir(stream);
	return rc;
}

/* Sorts them; what is in two places is one. */
static void
put_in_order(struct segment_list *list)
{
	size_t n = 0;

	if (list->n)
		qsort(list->first, list->n, sizeof(*list->first), compare);
	for (size_t i = 0; i < list->n; i++) {
		if (n == 0 || list->first[i] != list->first[n - 1])
			list->first[n++] = list->first[i];
	}
	list->n = n;
}

/* The front comes first: what leaves it meanwhile is on the disk. */
int
segment_list(int dir, struct segment_list *ret, struct fault *f)
{
	struct segment_list list = {NULL, 0};

	if (list_dir(dir, SEGMENT_FRONT, &list, f) || list_dir(dir, ".", &list, f)) {
		segment_list_clear(&list);
		return -1;
	}
	put_in_order(&list);
	*ret = list;
	return 0;
}

bool
segment_list_has(const struct segment_list *list, uint64_t first)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->first[i] == first)
			return true;
	}
	return false;
}

void
segment_list_clear(struct segment_list *list)
{
	free(list->first);
	*list = (struct segment_list){NULL, 0};
}

void
segment_head(uint32_t salt, unsigned char head[SEGMENT_HEAD_LEN])
{
	uint32_t little = htole32(salt);

	memset(head, 0, SEGMENT_HEAD_LEN);
	memcpy(head, MAGIC, MAGIC_LEN);
	head[MAGIC_LEN] = SEGMENT_VERSION;
	memcpy(head + SALT_AT, &little, sizeof(little));
}

uint32_t
segment_salt(const unsigned char head[SEGMENT_HEAD_LEN])
{
	uint32_t little;

	memcpy(&little, head + SALT_AT, sizeof(little));
	return le32toh(little);
}

enum segment_state
segment_check(const unsigned char *head, size_t len)
{
	if (memcmp(head, MAGIC, len < MAGIC_LEN ? len : MAGIC_LEN) != 0)
		return SEGMENT_BAD;
	if (len < SEGMENT_HEAD_LEN)
		return SEGMENT_PARTIAL;
	if (head[MAGIC_LEN] == 0)
		return SEGMENT_BAD;
	return head[MAGIC_LEN] == SEGMENT_VERSION  ? SEGMENT_OURS
	       : head[MAGIC_LEN] > SEGMENT_VERSION ? SEGMENT_NEWER
						   : SEGMENT_OLDER;
}

static ssize_t
read_bytes(const struct segment_view *view, int fd, off_t at)
{
	ssize_t got;

	if (view->salvage)
		return salvage_read(fd, view->bytes, view->size, at);
	do
		got = pread(fd, view->bytes, view->size, at);
	while (got < 0 && errno == EINTR);
	return got;
}

/* Fills the view from `at` on. */
static int
fill(struct segment_view *view, int fd, off_t at, size_t need, struct fault *f)
{
	size_t size = need > VIEW_LEN ? need : VIEW_LEN;
	ssize_t got;

	if (view->size < size) {
		unsigned char *more = realloc(view->bytes, size);

		if (!more)
			return fault_nomem(f);
		view->bytes = more;
		view->size = size;
	}
	got = read_bytes(view, fd, at);
	if (got < 0)
		return fault_errno(f, "cannot read a segment of the spool");
	view->at = at;
	view->len = (size_t)got;
	view->ended = view->len < view->size;
	return 0;
}

int
segment_view(struct segment_view *view, int fd, off_t at, size_t need,
	const unsigned char **ret_bytes, size_t *ret_len, struct fault *f)
{
	size_t skip = at >= view->at ? (size_t)(at - view->at) : view->len + 1;

	if (skip > view->len || (skip + need > view->len && !view->ended)) {
		segment_view_forget(view);
		if (fill(view, fd, at, need, f))
			return -1;
		skip = 0;
	}
	*ret_bytes = view->bytes + skip;
	*ret_len = view->len - skip;
	return 0;
}

bool
segment_view_has(const struct segment_view *view, off_t at)
{
	return at >= view->at && at - view->at < (off_t)view->len;
}

void
segment_view_forget(struct segment_view *view)
{
	view->len = 0;
	view->ended = false;
}

void
segment_view_clear(struct segment_view *view)
{
	free(view->bytes);
	*view = (struct segment_view){.bytes = NULL};
}
