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

#include "spool/aside.h"
#include "spool/cursor.h"
#include "spool/drops.h"
#include "spool/spool.h"
#include "spool/walk.h"

/*
 * want     the number of the message to come; 0 for whatever is the oldest
 * ahead    when the cursor is ahead of the log, which is to be said once: the log's end, and where
 *          the cursor stood
 * said     up to where damage was said: whoever reads again is not told again; missed: up to which
 *          message those that are missing
 * emptied  what the watch told was taken note of since the end was last seen, before anything was
 *          read: what came later will be told
 * listed   there was no segment behind the open one, and none came since
 */
struct spool_reader {
	int dir, inotify;
	bool named;
	struct cursor cursor;
	struct walk walk;
	uint64_t want;
	uint64_t ahead, stood, missed;
	struct {
		uint64_t first;
		off_t at;
	} said;
	bool emptied, listed;
};

void
spool_reader_close(struct spool_reader *r)
{
	if (!r)
		return;
	walk_clear(&r->walk);
	cursor_close(&r->cursor);
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

static int
place(struct spool_reader *r, const char *name, struct fault *f)
{
	struct spool_extent extent;

	if (cursor_open(r->dir, name, &r->cursor, f) || walk_extent(&r->walk, r->dir, &extent, f))
		return -1;
	r->named = true;
	r->want = r->cursor.seq;
	if (r->want > extent.next && extent.bytes) {
		r->ahead = extent.next;
		r->stood = r->cursor.seq;
		r->want = r->cursor.seq = 0;
	}
	return 0;
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
	if (r->dir < 0 || watch(r, dir, f) || (name && place(r, name, f)))
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
 * The segment to read after the open one; without one, the segment that has the message that is
 * wanted, or the oldest behind it.
 */
static bool
choose(const struct spool_reader *r, const struct segment_list *list, uint64_t *ret)
{
	bool any = false;

	for (size_t i = 0; i < list->n; i++) {
		uint64_t first = list->first[i];

		if (r->walk.fd >= 0 && first <= r->walk.first)
			continue;
		if (any && (r->walk.fd >= 0 || first > r->want))
			break;
		*ret = first;
		any = true;
	}
	return any;
}

static int
find_segment(struct spool_reader *r, uint64_t *ret_first, bool *ret_any, struct fault *f)
{
	struct segment_list list;

	if (segment_list(r->dir, &list, f))
		return -1;
	*ret_any = choose(r, &list, ret_first);
	segment_list_clear(&list);
	return 0;
}

/* One that was deleted meanwhile is none: what is there is looked at again. */
static int
open_segment(struct spool_reader *r, uint64_t first, struct fault *f)
{
	struct fault missing = FAULT_INIT;

	if (!walk_open(&r->walk, r->dir, first, &missing))
		return 0;
	if (missing.code == FAULT_NOTFOUND) {
		walk_close(&r->walk);
		return 0;
	}
	if (f)
		*f = missing;
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

/* A reader without a name changes nothing. Returns whether the segment is kept. */
static bool
set_aside(const struct spool_reader *r, const char *folder)
{
	return r->named && aside_keep(r->dir, folder, r->walk.first, r->walk.fd);
}

/* Whether what ends here was damage that was said before. */
static bool
was_said(struct spool_reader *r)
{
	if (r->walk.first < r->said.first ||
		(r->walk.first == r->said.first && r->walk.at <= r->said.at))
		return true;
	r->said.first = r->walk.first;
	r->said.at = r->walk.at;
	return false;
}

/* Says what cannot be read, and where the segment is kept. Returns 0 when that was said. */
static int
say_unread(struct spool_reader *r, const char *what, const char *folder, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	bool kept;

	if (was_said(r))
		return 0;
	kept = set_aside(r, folder);
	segment_name(r->walk.first, name);
	return fault_set(f, FAULT_INVALID, "%s%s%s%s%s", what, kept ? ": it is kept as " : "",
		kept ? folder : "", kept ? "/" : "", kept ? name : "");
}

static int
say_damage(struct spool_reader *r, size_t bytes, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1], what[128];

	segment_name(r->walk.first, name);
	snprintf(what, sizeof(what), "%zu bytes of the spool's segment %s are no messages", bytes,
		name);
	return say_unread(r, what, ASIDE_DAMAGED, f);
}

static int
say_older(struct spool_reader *r, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1], what[128];

	segment_name(r->walk.first, name);
	snprintf(what, sizeof(what),
		"the spool's segment %s was written by an older version, and only that can read it",
		name);
	return say_unread(r, what, ASIDE_OLDER, f);
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
	uint64_t first;
	size_t bytes;
	off_t at = r->walk.at;
	int rc = 0;

	segment_view_forget(&r->walk.view);
	*ret_more = false;
	if (r->walk.fd >= 0 && r->listed)
		return 0;
	watch_front(r);
	if (find_segment(r, &first, ret_more, f))
		return -1;
	if (!*ret_more && is_deleted(r)) {
		walk_close(&r->walk);
		*ret_more = true;
		return 0;
	}
	r->listed = !*ret_more;
	if (!*ret_more)
		return 0;
	if (r->walk.fd < 0)
		return open_segment(r, first, f);
	if (walk_next(&r->walk, &state, &message, &bytes, f))
		return -1;
	if (state != WALK_END) {
		r->walk.at = at;
		return 0;
	}
	if (bytes)
		rc = r->walk.older && at == 0 ? say_older(r, f) : say_damage(r, bytes, f);
	return open_segment(r, first, rc ? NULL : f) ? -1 : rc;
}

static int
say_ahead(struct spool_reader *r, struct fault *f)
{
	uint64_t ahead = r->ahead;

	r->ahead = 0;
	return fault_set(f, FAULT_INVALID,
		"the cursor stands at message %" PRIu64 ", and the spool ends before %" PRIu64
		": all that is in it is read again",
		r->stood, ahead);
}

/* A number that is missing was dropped, or lost with damage. Returns 0 when that was said. */
static int
say_missing(struct spool_reader *r, uint64_t seq, struct fault *f)
{
	uint64_t want = r->want;

	r->want = seq;
	if (seq <= r->missed)
		return 0;
	r->missed = seq;
	return fault_set(f, FAULT_INVALID,
		"messages %" PRIu64 " to %" PRIu64 " are not in the spool any more", want, seq - 1);
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
	if (r->walk.fd >= 0 && walk_next(&r->walk, &state, ret_message, &bytes, f))
		return -1;
	switch (state) {
	case WALK_MESSAGE:
		break;
	case WALK_SKIPPED:
		return say_damage(r, bytes, f);
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
		return say_missing(r, ret_message->seq, f);
	}
	r->want = ret_message->seq + 1;
	*ret_done = *ret_any = true;
	return 0;
}

int
spool_next(
	struct spool_reader *r, struct spool_message *ret_message, bool *ret_any, struct fault *f)
{
	bool done = false;

	if (r->ahead)
		return say_ahead(r, f);
	while (!done) {
		if (read_one(r, ret_message, ret_any, &done, f))
			return -1;
	}
	return 0;
}

bool
spool_is_gone(const struct spool_reader *r)
{
	struct stat about;

	return fstat(r->dir, &about) == 0 && about.st_nlink == 0;
}

bool
spool_has_read_ahead(const struct spool_reader *r)
{
	return r->walk.fd >= 0 && segment_view_has(&r->walk.view, r->walk.at);
}

int
spool_acknowledge(struct spool_reader *r, uint64_t seq, struct fault *f)
{
	return r->named && seq > r->cursor.seq ? cursor_move(&r->cursor, seq, f) : 0;
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
	struct spool_reader r = {.inotify = -1, .walk = {.fd = -1}, .want = seq, .emptied = true};
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
	return rc;
}

int
spool_cursors(const char *dir, spool_cursor_fn *each, void *with, struct fault *f)
{
	AUTO(auto_fd) int fd = open_dir(dir, f);

	return fd < 0 ? -1 : cursor_each(fd, each, with, f);
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
