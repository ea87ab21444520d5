#include "config.h"

#include "spool/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/record.h"
#include "spool/salvage.h"

/* At what there is, while a writer deletes some of it. */
#define LOOKS_MAX 16

int
walk_open(struct walk *walk, int dir, uint64_t first, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	int fd = segment_open(dir, first);

	if (fd < 0) {
		segment_name(first, name);
		return fault_errno(f, "cannot open the spool's segment %s", name);
	}
	walk_close(walk);
	walk->fd = fd;
	walk->first = first;
	walk->at = 0;
	walk->older = false;
	return 0;
}

void
walk_close(struct walk *walk)
{
	if (walk->fd >= 0)
		close(walk->fd);
	walk->fd = -1;
	segment_view_forget(&walk->view);
}

void
walk_clear(struct walk *walk)
{
	walk_close(walk);
	segment_view_clear(&walk->view);
}

/* Passes over the head; one that is none is damage like any other. */
static int
read_head(struct walk *walk, enum walk_state *ret, struct fault *f)
{
	const unsigned char *bytes;
	size_t len;

	*ret = WALK_MESSAGE;
	if (walk->at > 0)
		return 0;
	if (segment_view(&walk->view, walk->fd, 0, SEGMENT_HEAD_LEN, &bytes, &len, f))
		return -1;
	switch (segment_check(bytes, len)) {
	case SEGMENT_OURS:
		walk->salt = segment_salt(bytes);
		walk->at = SEGMENT_HEAD_LEN;
		break;
	case SEGMENT_PARTIAL:
		*ret = WALK_END;
		break;
	case SEGMENT_NEWER:
		segment_view_forget(&walk->view);
		*ret = WALK_NEWER;
		break;
	case SEGMENT_OLDER:
		walk->older = true;
		break;
	case SEGMENT_BAD:
		break;
	}
	return 0;
}

/* The record at `at`; reads as much as one can have only when it is not whole in view. */
static int
look(struct walk *walk, off_t at, enum record_state *ret_state, struct spool_message *ret_message,
	size_t *ret_len, struct fault *f)
{
	size_t need = RECORD_HEAD_LEN;
	const unsigned char *bytes;

	for (;;) {
		if (segment_view(&walk->view, walk->fd, at, need, &bytes, ret_len, f))
			return -1;
		*ret_state = record_read(bytes, *ret_len, walk->salt, ret_message, ret_len);
		if (*ret_state != RECORD_PARTIAL || need == RECORD_LEN_MAX || !*ret_len)
			return 0;
		need = RECORD_LEN_MAX;
	}
}

/*
 * Finds the next whole record behind `at`.
 *
 * Returns 0 with its place, or that of the file's end when there is none.
 */
static int
find(struct walk *walk, off_t at, off_t *ret_at, bool *ret_found, struct fault *f)
{
	struct spool_message message;
	enum record_state state;
	const unsigned char *bytes;
	size_t len, step;

	for (;;) {
		if (segment_view(&walk->view, walk->fd, at, RECORD_LEN_MAX, &bytes, &len, f))
			return -1;
		step = record_resync(bytes, len);
		if (step >= len) {
			*ret_at = at + (off_t)len;
			*ret_found = false;
			if (len < RECORD_LEN_MAX)
				return 0;
			/* A magic may begin in the last bytes. */
			at += (off_t)len - 4;
			continue;
		}
		at += (off_t)step;
		if (look(walk, at, &state, &message, &len, f))
			return -1;
		if (state == RECORD_WHOLE) {
			*ret_at = at;
			*ret_found = true;
			return 0;
		}
	}
}

/*
 * Whether there is something behind what was read to the end: a disk that cannot read ends it too,
 * and says so only when it is asked for what comes there.
 */
static int
goes_on(const struct walk *walk, off_t end, bool *ret, struct fault *f)
{
	char byte;
	ssize_t got;

	do
		got = walk->view.salvage ? salvage_read(walk->fd, &byte, 1, end)
					 : pread(walk->fd, &byte, 1, end);
	while (got < 0 && errno == EINTR);
	*ret = got > 0;
	return got < 0 ? fault_errno(f, "cannot read a segment of the spool") : 0;
}

int
walk_next(struct walk *walk, enum walk_state *ret_state, struct spool_message *ret_message,
	size_t *ret_bytes, struct fault *f)
{
	enum record_state state;
	size_t len;
	off_t at;
	bool found, more = false;

	*ret_bytes = 0;
	if (read_head(walk, ret_state, f))
		return -1;
	if (*ret_state != WALK_MESSAGE)
		return 0;
	/*
	 * A length that was damaged makes a record look as if its end were still to come: a whole
	 * one behind it tells. But the end may have come since, with that other behind it, while a
	 * writer is at work: by the second look it has.
	 */
	for (int looks = 0; looks < 2; looks++) {
		if (look(walk, walk->at, &state, ret_message, &len, f))
			return -1;
		if (state == RECORD_WHOLE) {
			walk->at += (off_t)len;
			return 0;
		}
		at = walk->at;
		found = false;
		if (!len)
			break;
		if (find(walk, walk->at, &at, &found, f))
			return -1;
		segment_view_forget(&walk->view);
		if (!found && goes_on(walk, at, &more, f))
			return -1;
		if (!found && !more)
			break;
	}
	*ret_bytes = (size_t)(at - walk->at);
	*ret_state = found ? WALK_SKIPPED : WALK_END;
	if (found)
		walk->at = at;
	return 0;
}

bool
walk_is_unreadable(const struct fault *f)
{
	return f->code == FAULT_IO && f->native != EMFILE && f->native != ENFILE &&
	       f->native != ENOBUFS;
}

/*
 * Opens a segment.
 *
 * Returns 0 with *ret_open whether it can be opened; else what walk_open() does.
 */
static int
try_open(struct walk *walk, int dir, uint64_t first, bool *ret_open, struct fault *f)
{
	struct fault why = FAULT_INIT;

	*ret_open = walk_open(walk, dir, first, &why) == 0;
	if (*ret_open || walk_is_unreadable(&why))
		return 0;
	if (f)
		*f = why;
	return -1;
}

/* The oldest message's time, of the first segment that has one. */
static int
find_oldest(struct walk *walk, int dir, const struct segment_list *list,
	struct spool_extent *extent, struct fault *f)
{
	struct spool_message message;
	enum walk_state state;
	size_t bytes;
	bool open;

	for (size_t i = 0; i < list->n; i++) {
		if (try_open(walk, dir, list->first[i], &open, f))
			return -1;
		if (!open)
			continue;
		do {
			if (walk_next(walk, &state, &message, &bytes, f))
				return -1;
		} while (state == WALK_SKIPPED);
		if (state == WALK_MESSAGE) {
			extent->first = message.seq;
			extent->oldest_ms = message.time_ms;
			break;
		}
	}
	return 0;
}

/* How large a segment may be that cannot be opened. */
static size_t
most_bytes(int dir, uint64_t first)
{
	struct stat about;

	return segment_stat(dir, first, &about) == 0 && S_ISREG(about.st_mode)
		       ? (size_t)about.st_size
		       : SEGMENT_LEN_MAX;
}

/* Bytes at the end that cannot be read may have been as many messages as fit there. */
static int
find_next(struct walk *walk, int dir, uint64_t last, struct spool_extent *extent, struct fault *f)
{
	struct spool_message message;
	enum walk_state state;
	size_t bytes;
	bool open;

	if (try_open(walk, dir, last, &open, f))
		return -1;
	extent->next = last;
	if (!open) {
		extent->next += most_bytes(dir, last) / RECORD_HEAD_LEN;
		return 0;
	}
	do {
		if (walk_next(walk, &state, &message, &bytes, f))
			return -1;
		if (state == WALK_MESSAGE && message.seq >= extent->next)
			extent->next = message.seq + 1;
	} while (state == WALK_MESSAGE || state == WALK_SKIPPED);
	if (state == WALK_NEWER) {
		struct stat about;

		if (fstat(walk->fd, &about) < 0)
			return fault_errno(f, "cannot look at a segment of the spool");
		bytes = (size_t)about.st_size;
	}
	extent->next += bytes / RECORD_HEAD_LEN;
	return 0;
}

/* What is not a segment, or cannot be looked at, counts for nothing. */
static void
add_sizes(int dir, const struct segment_list *list, struct spool_extent *extent)
{
	for (size_t i = 0; i < list->n; i++) {
		struct stat about;

		if (segment_stat(dir, list->first[i], &about) == 0 && S_ISREG(about.st_mode))
			extent->bytes += about.st_size;
	}
}

static int
look_at_all(struct walk *walk, int dir, struct spool_extent *extent, struct fault *f)
{
	struct segment_list list;
	int rc = 0;

	*extent = (struct spool_extent){.first = 0, .next = 1};
	if (segment_list(dir, &list, f))
		return -1;
	walk->view.salvage = true;
	if (list.n) {
		add_sizes(dir, &list, extent);
		if (find_oldest(walk, dir, &list, extent, f) ||
			find_next(walk, dir, list.first[list.n - 1], extent, f))
			rc = -1;
	}
	walk->view.salvage = false;
	segment_list_clear(&list);
	walk_close(walk);
	return rc;
}

/* A segment that is deleted meanwhile is none, and what is there is looked at again. */
int
walk_extent(struct walk *walk, int dir, struct spool_extent *ret, struct fault *f)
{
	struct spool_extent extent;
	struct fault why = FAULT_INIT;

	for (int looks = 0; looks < LOOKS_MAX; looks++) {
		why = (struct fault)FAULT_INIT;
		if (!look_at_all(walk, dir, &extent, &why)) {
			*ret = extent;
			return 0;
		}
		if (why.code != FAULT_NOTFOUND)
			break;
	}
	if (f)
		*f = why;
	return -1;
}
