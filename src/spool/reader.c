#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/cursor.h"
#include "spool/drops.h"
#include "spool/reader.h"

void
spool_reader_close(struct spool_reader *r)
{
	if (!r)
		return;
	walk_clear(&r->walk);
	cursor_close(&r->cursor);
	segment_list_clear(&r->salvaged);
	segment_list_clear(&r->skipped);
	place_clear(&r->place);
	free(r->name);
	if (r->inotify >= 0)
		close(r->inotify);
	if (r->dir >= 0)
		close(r->dir);
	free(r);
}

static int
open_dir(const char *dir, struct fault *f)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? fault_errno(f, "cannot open the spool %s", dir) : fd;
}

static int
watch(struct spool_reader *r, const char *dir, struct fault *f)
{
	r->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify < 0 || inotify_add_watch(r->inotify, dir, IN_MODIFY | IN_CREATE) < 0)
		return fault_errno(f, "cannot watch the spool %s", dir);
	return 0;
}

/* A cursor that cannot be read is looked at again by spool_next(). */
static int
open_cursor(struct spool_reader *r, const char *name, struct fault *f)
{
	struct fault why = FAULT_INIT;

	r->name = strdup(name);
	if (!r->name)
		return fault_nomem(f);
	if (cursor_open(r->dir, name, &r->cursor, &why) == 0)
		return loss_place(r, f);
	if (cursor_is_unreadable(&why))
		return 0;
	if (f)
		*f = why;
	return -1;
}

int
spool_reader_open(
	const char *dir, const char *name, struct spool_reader **ret_reader, struct fault *f)
{
	AUTO(auto_spool_reader) struct spool_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return fault_nomem(f);
	r->inotify = r->cursor.fd = r->walk.fd = -1;
	r->dir = open_dir(dir, f);
	if (r->dir < 0 || place_init(&r->place, dir, r->dir, f) || watch(r, dir, f) ||
		(name && open_cursor(r, name, f)))
		return -1;
	*ret_reader = TAKE(r);
	return 0;
}

int
spool_reader_fd(const struct spool_reader *r)
{
	return r->inotify;
}

/*
 * The writer makes a front, and may make another one. When there is none, that one comes is told
 * by the watch of the spool's own directory.
 */
static void
watch_front(const struct spool_reader *r)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/" SEGMENT_FRONT, r->dir);
	inotify_add_watch(r->inotify, path, IN_MODIFY | IN_CREATE | IN_DELETE | IN_ONLYDIR);
}

/* Takes note of what happened: a segment came or went, or more than the watch keeps. */
static void
drain(struct spool_reader *r)
{
	_Alignas(struct inotify_event) NOT_ZEROED char events[4096];
	const struct inotify_event *event;
	ssize_t len;

	do {
		len = read(r->inotify, events, sizeof(events));
		for (ssize_t at = 0; at < len; at += (ssize_t)(sizeof(*event) + event->len)) {
			event = (const struct inotify_event *)(const void *)(events + at);
			if (event->mask & ~(uint32_t)IN_MODIFY)
				r->listed = false;
		}
		/* As many are read as there is room for. */
	} while (len > (ssize_t)(sizeof(events) - sizeof(*event) - NAME_MAX - 1));
	r->emptied = true;
}

/*
 * What is to be read next.
 *
 * any           whether there is such a segment
 * oldest, last  whether no other is before it, and none behind it
 */
struct choice {
	bool any, oldest, last;
	uint64_t first;
};

/*
 * The segment to read after the open one; without one, the segment that has the message that is
 * wanted, or the oldest behind it.
 */
static struct choice
choose(const struct spool_reader *r, const struct segment_list *list)
{
	struct choice choice = {.any = false};

	for (size_t i = 0; i < list->n; i++) {
		uint64_t first = list->first[i];

		if (segment_list_has(&r->skipped, first) ||
			(r->walk.fd >= 0 && first <= r->walk.first))
			continue;
		if (choice.any && (r->walk.fd >= 0 || first > r->want))
			break;
		choice = (struct choice){true, i == 0, i + 1 == list->n, first};
	}
	return choice;
}

static int
find_segment(struct spool_reader *r, struct choice *ret, struct fault *f)
{
	struct segment_list list;

	struct fault why = FAULT_INIT;

	*ret = (struct choice){.any = false};
	if (segment_list(r->dir, &list, &why)) {
		/* A directory that was removed has none. */
		if (why.code == FAULT_NOTFOUND)
			return 0;
		if (f)
			*f = why;
		return -1;
	}
	*ret = choose(r, &list);
	segment_list_clear(&list);
	return 0;
}

/* One that was deleted meanwhile is none: what is there is looked at again. */
static int
open_segment(struct spool_reader *r, const struct choice *choice, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (!walk_open(&r->walk, r->dir, choice->first, &why)) {
		r->walk.view.salvage = !r->name || segment_list_has(&r->salvaged, choice->first);
		r->oldest = choice->oldest;
		if (!r->want)
			r->want = choice->first;
		return 0;
	}
	if (why.code == FAULT_NOTFOUND) {
		walk_close(&r->walk);
		return 0;
	}
	if (walk_is_unreadable(&why))
		return loss_open(r, choice->first, &why, choice->last, f);
	if (f)
		*f = why;
	return -1;
}

/*
 * Whether the open segment was deleted. One that left the front is on the disk, where more may come
 * to it.
 */
static bool
is_deleted(const struct spool_reader *r)
{
	struct stat about;

	return r->walk.fd >= 0 && fstat(r->walk.fd, &about) == 0 && about.st_nlink == 0;
}

/*
 * At the end of what is there: goes on to the next segment when there is one. The writer begins one
 * only when it is done with the last, so what is read of that then is all.
 *
 * Returns 0 with *ret_more whether to look again; else FAULT_INVALID for what could not be read.
 */
static int
go_on(struct spool_reader *r, bool *ret_more, struct fault *f)
{
	struct spool_message message;
	enum walk_state state;
	struct choice choice;
	size_t bytes;
	off_t at = r->walk.at;

	segment_view_forget(&r->walk.view);
	*ret_more = false;
	if (r->walk.fd >= 0 && r->listed)
		return 0;
	watch_front(r);
	if (find_segment(r, &choice, f))
		return -1;
	*ret_more = choice.any;
	if (!*ret_more && is_deleted(r)) {
		walk_close(&r->walk);
		*ret_more = true;
		return 0;
	}
	r->listed = !*ret_more;
	if (!*ret_more)
		return 0;
	if (r->walk.fd < 0)
		return open_segment(r, &choice, f);
	if (loss_walk(r, &state, &message, &bytes, f))
		return -1;
	if (state != WALK_END) {
		r->walk.at = at;
		return 0;
	}
	if (bytes && (r->walk.older && at == 0 ? loss_older(r, f) : loss_damage(r, bytes, f)))
		return -1;
	return open_segment(r, &choice, f);
}

static int
say_newer(const struct spool_reader *r, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(r->walk.first, name);
	return fault_set(f, FAULT_CONFIG,
		"the spool's segment %s was written by a newer version: update this program", name);
}

/* Returns 0 with *ret_done whether ret_message and ret_any are what there is to say. */
static int
read_one(struct spool_reader *r, struct spool_message *ret_message, bool *ret_any, bool *ret_done,
	struct fault *f)
{
	enum walk_state state = WALK_END;
	off_t at = r->walk.at;
	size_t bytes;
	bool more;

	*ret_done = *ret_any = false;
	if (!r->emptied)
		drain(r);
	if (r->walk.fd >= 0 && loss_walk(r, &state, ret_message, &bytes, f))
		return -1;
	switch (state) {
	case WALK_MESSAGE:
		break;
	case WALK_SKIPPED:
		return loss_damage(r, bytes, f);
	case WALK_NEWER:
		return say_newer(r, f);
	case WALK_END:
		if (go_on(r, &more, f))
			return -1;
		*ret_done = !more;
		r->emptied = more;
		return 0;
	}
	if (ret_message->seq < r->want)
		return 0;
	if (r->want && ret_message->seq > r->want) {
		r->walk.at = at;
		return loss_missing(r, ret_message->seq, f);
	}
	r->want = ret_message->seq + 1;
	r->damaged = r->oldest = false;
	*ret_done = *ret_any = true;
	return 0;
}

int
spool_next(
	struct spool_reader *r, struct spool_message *ret_message, bool *ret_any, struct fault *f)
{
	bool done = false;

	if (r->name && r->cursor.fd < 0 && loss_find_cursor(r, f))
		return -1;
	if (r->ahead)
		return loss_ahead(r, f);
	while (!done) {
		if (read_one(r, ret_message, ret_any, &done, f))
			return -1;
	}
	return 0;
}

enum spool_place
spool_reader_place(const struct spool_reader *r)
{
	struct stat about;

	if (place_is_kept(&r->place))
		return SPOOL_KEPT;
	return fstat(r->dir, &about) == 0 && about.st_nlink == 0 ? SPOOL_REMOVED : SPOOL_REPLACED;
}

bool
spool_has_read_ahead(const struct spool_reader *r)
{
	return r->walk.fd >= 0 && segment_view_has(&r->walk.view, r->walk.at);
}

int
spool_acknowledge(struct spool_reader *r, uint64_t seq, struct fault *f)
{
	uint64_t lost = seq >= r->pending_to ? r->pending : 0;

	if (r->cursor.fd < 0 || seq <= r->cursor.seq)
		return 0;
	if (cursor_move(&r->cursor, seq, lost, f))
		return -1;
	r->pending -= lost;
	return 0;
}

uint64_t
spool_lost(const struct spool_reader *r)
{
	return r->cursor.lost + r->pending;
}

void
spool_rewind(struct spool_reader *r)
{
	walk_close(&r->walk);
	r->want = r->cursor.seq;
}

int
spool_extent(const char *dir, struct spool_extent *ret, struct fault *f)
{
	struct walk walk = {.fd = -1};
	AUTO(auto_fd) int fd = open_dir(dir, f);
	int rc;

	if (fd < 0)
		return -1;
	rc = walk_extent(&walk, fd, ret, f);
	walk_clear(&walk);
	return rc;
}

int
spool_taken(const char *dir, uint64_t seq, int64_t *ret_ms, struct fault *f)
{
	struct spool_reader r = {.inotify = -1,
		.cursor = {.fd = -1},
		.walk = {.fd = -1},
		.want = seq,
		.emptied = true};
	AUTO(auto_fd) int fd = open_dir(dir, f);
	struct fault why = FAULT_INIT;
	struct spool_message message;
	bool any = false;
	int rc;

	if (fd < 0)
		return -1;
	r.dir = fd;
	/* What is missing or damaged is said once each, and not for us to say. */
	do
		rc = spool_next(&r, &message, &any, &why);
	while (rc && why.code == FAULT_INVALID);
	if (!rc)
		*ret_ms = any ? message.time_ms : 0;
	else if (f)
		*f = why;
	walk_clear(&r.walk);
	segment_list_clear(&r.skipped);
	return rc;
}

struct teller {
	spool_cursor_fn *each;
	void *with;
};

static int
tell_cursor(void *with, const char *name, const struct cursor *cursor, struct fault *f)
{
	const struct teller *teller = with;

	return teller->each(teller->with, name, cursor->seq, cursor->lost, f);
}

int
spool_cursors(const char *dir, spool_cursor_fn *each, void *with, struct fault *f)
{
	struct teller teller = {each, with};
	AUTO(auto_fd) int fd = open_dir(dir, f);

	return fd < 0 ? -1 : cursor_each(fd, tell_cursor, &teller, f);
}

int
spool_drops(const char *dir, spool_drop_fn *each, void *with, struct fault *f)
{
	AUTO(auto_fd) int fd = open_dir(dir, f);

	return fd < 0 ? -1 : drops_each(fd, each, with, f);
}

int
spool_forget(const char *dir, const char *name, struct fault *f)
{
	AUTO(auto_fd) int fd = open_dir(dir, f);

	return fd < 0 ? -1 : cursor_forget(fd, name, f);
}
