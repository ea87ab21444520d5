/* What a reader cannot read: how long it tries, what it keeps for people, and what it tells. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/aside.h"
#include "spool/reader.h"

/* Whether a segment, or the cursor with number 0, could not be read for long enough to skip it. */
static bool
is_given_up(struct spool_reader *r, uint64_t first, off_t at)
{
	if (!r->failing.is || r->failing.first != first) {
		r->failing.is = true;
		r->failing.first = first;
		r->failing.since_ms = clock_ms(CLOCK_BOOTTIME);
	}
	r->failing.at = at;
	return clock_ms(CLOCK_BOOTTIME) - r->failing.since_ms >= READER_PATIENCE_MS;
}

/* A disk that came back starts the wait again when it fails the next time. */
static void
note_read(struct spool_reader *r, off_t at)
{
	if (r->walk.first > r->failing.first ||
		(r->walk.first == r->failing.first && at > r->failing.at))
		r->failing.is = false;
}

/*
 * A disk that is gone cannot read anything, so the reader skips nothing until the disk has accepted
 * a write. A write that fails because the disk is full or read-only is not a failure of the disk.
 */
static int
check_disk(struct spool_reader *r, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (!cursor_move(&r->cursor, r->cursor.seq, 0, &why) && fdatasync(r->cursor.fd) < 0)
		fault_errno(&why, "cannot write the cursor");
	if (!why.code || why.native == EROFS || why.native == ENOSPC || why.native == EDQUOT)
		return 0;
	if (f)
		*f = why;
	return -1;
}

int
loss_place(struct spool_reader *r, struct fault *f)
{
	struct spool_extent extent;

	if (walk_extent(&r->walk, r->dir, &extent, f))
		return -1;
	r->want = r->cursor.seq;
	if (r->want > extent.next && extent.bytes) {
		r->ahead = extent.next;
		r->stood = r->cursor.seq;
		r->want = r->cursor.seq = 0;
	}
	return 0;
}

int
loss_find_cursor(struct spool_reader *r, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (cursor_open(r->dir, r->name, &r->cursor, &why) == 0) {
		r->failing.is = false;
		return loss_place(r, f);
	}
	if (!cursor_is_unreadable(&why) || !is_given_up(r, 0, 0)) {
		if (f)
			*f = why;
		return -1;
	}
	if (cursor_renew(r->dir, r->name, &r->cursor, f) || loss_place(r, f))
		return -1;
	return fault_set(f, FAULT_INVALID,
		"%s: everything in the spool is read again; the file is kept as " CURSOR_DIR "/.%s",
		why.text, r->name);
}

static int
begin_salvage(struct spool_reader *r, const struct fault *why, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];

	if (is_given_up(r, r->walk.first, r->walk.at)) {
		if (check_disk(r, f) || segment_list_add(&r->salvaged, r->walk.first, f))
			return -1;
		r->walk.view.salvage = true;
		segment_view_forget(&r->walk.view);
		return 0;
	}
	segment_name(r->walk.first, name);
	return fault_set(f, FAULT_IO,
		"cannot read the spool's segment %s: %s: after %d s it is read around that", name,
		strerror((int)why->native), READER_PATIENCE_MS / 1000);
}

int
loss_walk(struct spool_reader *r, enum walk_state *ret_state, struct spool_message *ret_message,
	size_t *ret_bytes, struct fault *f)
{
	struct fault why = FAULT_INIT;
	off_t at = r->walk.at;

	if (walk_next(&r->walk, ret_state, ret_message, ret_bytes, &why)) {
		if (r->walk.view.salvage || !walk_is_unreadable(&why)) {
			if (f)
				*f = why;
			return -1;
		}
		return begin_salvage(r, &why, f) ||
				       walk_next(&r->walk, ret_state, ret_message, ret_bytes, f)
			       ? -1
			       : 0;
	}
	note_read(r, at);
	return 0;
}

/* What is not a regular file is moved away; a file that cannot be opened stays where it is. */
static const char *
keep_unopened(const struct spool_reader *r, uint64_t first, unsigned long why)
{
	bool other_kind = why == EISDIR || why == ELOOP || why == ENXIO;

	return r->name && other_kind && !aside_move(r->dir, first, NULL)
		       ? ": it is kept in " ASIDE_DAMAGED
		       : "";
}

int
loss_open(
	struct spool_reader *r, uint64_t first, const struct fault *why, bool last, struct fault *f)
{
	const char *kept;

	if (r->name && (last || !is_given_up(r, first, -1))) {
		if (f)
			*f = *why;
		return -1;
	}
	if ((r->name && check_disk(r, f)) || segment_list_add(&r->skipped, first, f))
		return -1;
	kept = keep_unopened(r, first, why->native);
	r->failing.is = false;
	r->damaged = true;
	if (!r->want)
		r->want = first;
	return fault_set(f, FAULT_INVALID, "%s%s", why->text, kept);
}

/* Whether what ends here was damage that was told before. */
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

/* Tells what cannot be read, and where the segment is kept; a reader without a name keeps none. */
static int
say_unread(struct spool_reader *r, const char *what, const char *folder, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	struct fault why = FAULT_INIT;

	r->damaged = true;
	if (was_said(r))
		return 0;
	segment_name(r->walk.first, name);
	if (!r->name)
		return fault_set(f, FAULT_INVALID, "%s", what);
	if (aside_keep(r->dir, folder, r->walk.first, r->walk.fd, &why))
		return fault_set(f, FAULT_INVALID, "%s: %s", what, why.text);
	return fault_set(f, FAULT_INVALID, "%s: it is kept as %s/%s", what, folder, name);
}

int
loss_damage(struct spool_reader *r, size_t bytes, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1], what[128];

	segment_name(r->walk.first, name);
	snprintf(what, sizeof(what), "%zu bytes of the spool's segment %s %s", bytes, name,
		r->walk.view.salvage ? "cannot be read or are no messages" : "are no messages");
	return say_unread(r, what, ASIDE_DAMAGED, f);
}

int
loss_older(struct spool_reader *r, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1], what[128];

	segment_name(r->walk.first, name);
	snprintf(what, sizeof(what),
		"the spool's segment %s was written by an older version, and only that can read it",
		name);
	return say_unread(r, what, ASIDE_OLDER, f);
}

int
loss_ahead(struct spool_reader *r, struct fault *f)
{
	uint64_t ahead = r->ahead;

	r->ahead = 0;
	return fault_set(f, FAULT_INVALID,
		"the cursor stands at message %" PRIu64 ", and the spool ends before %" PRIu64
		": all that is in it is read again",
		r->stood, ahead);
}

/*
 * The writer drops whole segments from the beginning, and counts their messages itself. All other
 * messages that are missing were lost.
 */
int
loss_missing(struct spool_reader *r, uint64_t seq, struct fault *f)
{
	uint64_t want = r->want;

	r->want = seq;
	if (seq <= r->missed)
		return 0;
	r->missed = seq;
	if (r->damaged || !r->oldest) {
		r->pending += seq - want;
		r->pending_to = seq;
	}
	return fault_set(f, FAULT_INVALID,
		"messages %" PRIu64 " to %" PRIu64 " are not in the spool any more", want, seq - 1);
}
