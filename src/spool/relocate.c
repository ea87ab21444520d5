/* A writer whose directory was removed or replaced continues in the directory that is there now. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/writer.h"

bool
spool_is_in_place(const struct spool_writer *w)
{
	return place_is_kept(&w->place);
}

/*
 * The directory in which the spool is to be made. On another file system than the spool's it is the
 * place of a disk that is not mounted.
 */
static int
open_parent(const struct place *place, char name[NAME_MAX + 1], struct fault *f)
{
	AUTO(auto_free) char *path = strdup(place->path);
	AUTO(auto_fd) int fd = -1;
	struct stat about;
	char *last;
	int ret;

	if (!path)
		return fault_nomem(f);
	for (size_t len = strlen(path); len > 1 && path[len - 1] == '/'; len--)
		path[len - 1] = '\0';
	last = strrchr(path, '/');
	snprintf(name, NAME_MAX + 1, "%s", last ? last + 1 : path);
	if (last)
		last[last == path] = '\0';
	fd = open(last ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &about) < 0)
		return fault_errno(f, "the spool %s was removed", place->path);
	if (about.st_dev != place->about.st_dev)
		return fault_set(f, FAULT_IO,
			"the spool %s was removed: its file system is not mounted", place->path);
	ret = fd;
	fd = -1;
	return ret;
}

/* With the owner and the mode that it had: its readers are other users. */
static int
make_again(const struct place *place, struct fault *f)
{
	const struct stat *was = &place->about;
	char name[NAME_MAX + 1];
	AUTO(auto_fd) int parent = open_parent(place, name, f), fd = -1;
	struct stat now;

	if (parent < 0)
		return -1;
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST
			       ? 0
			       : fault_errno(f, "the spool %s was removed and cannot be made again",
					 place->path);
	fd = file_open_dir_at(parent, name);
	if (fd >= 0 && fstat(fd, &now) == 0 &&
		((now.st_uid == was->st_uid && now.st_gid == was->st_gid) ||
			fchown(fd, was->st_uid, was->st_gid) == 0) &&
		fchmod(fd, was->st_mode & 07777) == 0 && fsync(parent) == 0)
		return 0;
	fault_errno(f, "the spool %s was removed and cannot be made again with its owner and mode",
		place->path);
	unlinkat(parent, name, AT_REMOVEDIR);
	return -1;
}

int
spool_open_place(const struct spool_writer *w, struct spool_writer **ret_fresh, struct fault *f)
{
	struct spool_options options = w->options;
	struct stat about;

	options.hold = w->hold;
	options.front = NULL;
	if (stat(w->place.path, &about) < 0 && errno == ENOENT && make_again(&w->place, f))
		return -1;
	return spool_writer_open(w->place.path, &options, ret_fresh, f);
}

/* The first of a writer's segments in the front; NULL when there is none. */
static const struct segment *
first_in_front(const struct spool_writer *w)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->segments[i].in_front)
			return &w->segments[i];
	}
	return NULL;
}

static bool
is_same_directory(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/*
 * Whether messages in memory may have no place among those that are there, because these have the
 * same numbers. A spool that has our front is ours.
 */
static bool
is_another_spool(const struct spool_writer *w, const struct spool_writer *fresh)
{
	const struct segment *front = first_in_front(w);

	if (!front || (fresh->front >= 0 && is_same_directory(w->front, fresh->front)))
		return false;
	return first_in_front(fresh) || fresh->next > front->first;
}

/* What is in our front comes behind what is on the disk, and goes there as a whole. */
static int
take_front(struct spool_writer *w, struct spool_writer *fresh, struct fault *f)
{
	const struct segment *front = first_in_front(w);

	while (front && fresh->n && fresh->segments[fresh->n - 1].first >= front->first)
		writer_forget(fresh, fresh->n - 1);
	for (size_t i = 0; i < w->n; i++) {
		struct segment segment = w->segments[i];

		segment.settled = 0;
		if (segment.in_front && writer_add(fresh, &segment, f))
			return -1;
	}
	return 0;
}

#define SWAP(a, b) \
	do { \
		__typeof__(a) swap_value_ = (a); \
		(a) = (b); \
		(b) = swap_value_; \
	} while (0)

/* What is the old directory's goes with `fresh`, which is closed; what is written to stays. */
static void
swap_directory(struct spool_writer *w, struct spool_writer *fresh)
{
	SWAP(w->dir, fresh->dir);
	SWAP(w->lock, fresh->lock);
	SWAP(w->drops, fresh->drops);
	SWAP(w->place, fresh->place);
	SWAP(w->segments, fresh->segments);
	SWAP(w->n, fresh->n);
	SWAP(w->room, fresh->room);
	SWAP(w->bytes, fresh->bytes);
	SWAP(w->front_bytes, fresh->front_bytes);
	SWAP(w->unsettled, fresh->unsettled);
	if (fresh->next > w->next)
		w->next = fresh->next;
	w->aged_ms = WRITER_NEVER_MS;
	w->displaced = false;
}

/* Our front when there is something in it, else the one that is there, else ours. */
static int
choose_front(struct spool_writer *w, struct spool_writer *fresh, struct fault *f)
{
	if (fresh->front >= 0 && !first_in_front(w)) {
		if (w->front >= 0 && !is_same_directory(w->front, fresh->front))
			front_remove(w->dir, w->front);
		SWAP(w->front, fresh->front);
		return 0;
	}
	return w->front < 0 ? 0 : front_link(fresh->dir, w->front, f);
}

static int
take_place(struct spool_writer *w, struct spool_writer *fresh, struct fault *f)
{
	if (is_another_spool(w, fresh))
		return fault_set(f, FAULT_CONFIG,
			"the spool %s was replaced by another one, in which messages have the "
			"numbers of those in memory: put the first one back",
			w->place.path);
	if (w->n && !w->segments[w->n - 1].in_front)
		writer_seal(w);
	if (take_front(w, fresh, f) || choose_front(w, fresh, f))
		return -1;
	swap_directory(w, fresh);
	return 0;
}

int
spool_take_place(struct spool_writer *w, struct spool_writer *fresh, struct fault *f)
{
	int rc = take_place(w, fresh, f);

	/* The one that is closed writes nothing down, and leaves the front to the other. */
	drops_free(TAKE(fresh->drops));
	if (fresh->front >= 0)
		close(fresh->front);
	fresh->front = -1;
	spool_writer_close(fresh);
	return rc;
}

void
spool_note_place(struct spool_writer *w, bool kept)
{
	w->displaced = !kept;
}

bool
spool_is_displaced(const struct spool_writer *w)
{
	return w->displaced;
}

int
spool_return(struct spool_writer *w, struct fault *f)
{
	struct spool_writer *fresh = NULL;

	w->displaced = !spool_is_in_place(w);
	if (!w->displaced)
		return 0;
	return spool_open_place(w, &fresh, f) || spool_take_place(w, fresh, f) ? -1 : 0;
}
