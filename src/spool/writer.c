#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "spool/aside.h"
#include "spool/record.h"
#include "spool/writer.h"

void
writer_seal(struct spool_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* sign: 1, or -1 to forget it. */
static void
count(struct spool_writer *w, const struct segment *segment, int sign)
{
	w->bytes += sign * segment->bytes;
	if (segment->in_front) {
		w->front_bytes += sign * segment->bytes;
		w->unsettled += sign * (segment->bytes - segment->settled);
	}
}

void
writer_change(struct spool_writer *w, struct segment *segment, const struct segment *now)
{
	count(w, segment, -1);
	*segment = *now;
	count(w, segment, 1);
}

void
writer_forget(struct spool_writer *w, size_t i)
{
	count(w, &w->segments[i], -1);
	w->n--;
	memmove(w->segments + i, w->segments + i + 1, (w->n - i) * sizeof(*w->segments));
}

void
writer_lose(struct spool_writer *w, size_t i)
{
	struct segment now = w->segments[i];

	if (i + 1 == w->n)
		writer_seal(w);
	if (!now.in_front || !now.settled) {
		writer_forget(w, i);
		return;
	}
	now.in_front = false;
	now.bytes = now.settled;
	writer_change(w, &w->segments[i], &now);
}

int
writer_add(struct spool_writer *w, const struct segment *segment, struct fault *f)
{
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 32;
		struct segment *more = reallocarray(w->segments, room, sizeof(*more));

		if (!more)
			return fault_nomem(f);
		w->segments = more;
		w->room = room;
	}
	w->segments[w->n++] = *segment;
	count(w, segment, 1);
	return 0;
}

int64_t
spool_writer_bytes(const struct spool_writer *w)
{
	return w->bytes;
}

/* Who has read a head that was there already counts on its salt. */
static int
write_head(struct spool_writer *w)
{
	unsigned char head[SEGMENT_HEAD_LEN];
	ssize_t len = pread(w->fd, head, sizeof(head), 0);

	if (len == sizeof(head) && segment_check(head, sizeof(head)) == SEGMENT_OURS)
		w->salt = segment_salt(head);
	else if (len < 0 || getrandom(&w->salt, sizeof(w->salt), 0) != sizeof(w->salt))
		return -1;
	segment_head(w->salt, head);
	return ftruncate(w->fd, 0) < 0 || write(w->fd, head, sizeof(head)) != sizeof(head) ? -1 : 0;
}

const struct segment *
writer_begun(const struct spool_writer *w)
{
	return w->n && w->segments[w->n - 1].first == w->next ? &w->segments[w->n - 1] : NULL;
}

/* Whether segments may begin in the front, as far as that has room. */
static bool
has_front(const struct spool_writer *w)
{
	return w->parent && !w->options.power && !w->no_front.code;
}

/* Whether the segment that is to begin does so in the front, which is made when there is none. */
static bool
begins_in_front(struct spool_writer *w)
{
	if (!has_front(w) || w->front_bytes >= w->front_max ||
		(writer_begun(w) && !writer_begun(w)->in_front))
		return false;
	if (w->front < 0)
		w->front = front_make(w->dir, w->parent, &w->no_front);
	return w->front >= 0;
}

/* There is no room in memory, as a rule: what comes next goes to the disk, until spool_tick(). */
static void
leave_front(struct spool_writer *w, const struct fault *why)
{
	w->no_front = *why;
	writer_seal(w);
}

/* What else has the name of the segment to come is moved away, once. */
static int
open_own(const struct spool_writer *w, int dir, const char *name)
{
	const int flags = O_RDWR | O_CREAT | O_APPEND;
	int fd = file_open_at(dir, name, flags, 0640);

	if (fd >= 0 || (errno != EISDIR && errno != ELOOP && errno != ENXIO && errno != EACCES) ||
		aside_move(dir, w->next, NULL))
		return fd;
	return file_open_at(dir, name, flags, 0640);
}

static int
begin_file(struct spool_writer *w, int dir, const char *name, struct fault *f)
{
	w->fd = open_own(w, dir, name);
	if (w->fd >= 0 && write_head(w) == 0)
		return 0;
	fault_errno(f, "cannot begin the spool's segment %s", name);
	writer_seal(w);
	return -1;
}

/* One that fails stays, and is begun again: a reader may have it open, and knows it by its name. */
static int
begin_on_disk(struct spool_writer *w, const char *name, struct fault *f)
{
	if (begin_file(w, w->dir, name, f))
		return -1;
	if (!w->options.power || (fdatasync(w->fd) == 0 && fsync(w->dir) == 0))
		return 0;
	fault_errno(f, "cannot begin the spool's segment %s", name);
	writer_seal(w);
	return -1;
}

static int
begin_in_front(struct spool_writer *w, const char *name, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (!begin_file(w, w->front, name, &why))
		return 0;
	unlinkat(w->front, name, 0);
	leave_front(w, &why);
	if (f)
		*f = why;
	return -1;
}

/*
 * Begins a segment. One that is there by that name was begun, and nothing came into it. A disk that
 * fails is noticed here as a rule, before there is a message that is not promised.
 */
static int
begin(struct spool_writer *w, struct fault *f)
{
	struct segment segment = {
		.first = w->next, .in_front = begins_in_front(w), .bytes = SEGMENT_HEAD_LEN};
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(w->next, name);
	if (writer_begun(w)) {
		segment.settled = writer_begun(w)->settled;
		if (writer_begun(w)->in_front && !segment.in_front)
			unlinkat(w->front, name, 0);
		writer_forget(w, w->n - 1);
	}
	if (segment.in_front ? begin_in_front(w, name, f) : begin_on_disk(w, name, f))
		return -1;
	if (writer_add(w, &segment, f)) {
		writer_seal(w);
		return -1;
	}
	w->opened_ms = clock_ms(CLOCK_BOOTTIME);
	return 0;
}

/* Takes back what was written of a message that was not taken. */
static void
undo(struct spool_writer *w)
{
	if (ftruncate(w->fd, w->segments[w->n - 1].bytes) < 0)
		writer_seal(w);
}

/* For the segment that is open. */
static int
make_record(struct spool_writer *w, const struct spool_message *m, size_t len, struct fault *f)
{
	if (len > w->record_size) {
		unsigned char *more = realloc(w->record, len);

		if (!more)
			return fault_nomem(f);
		w->record = more;
		w->record_size = len;
	}
	record_write(m, w->salt, w->record);
	return 0;
}

static int
fault_displaced(const struct spool_writer *w, struct fault *f)
{
	return fault_set(f, FAULT_IO, "the spool %s was removed or replaced", w->place.path);
}

/*
 * A message is not taken when its file was deleted, or is not where readers look for it. That is
 * asked after the write: what was written before the file was deleted is lost with it anyway. It
 * costs as much as the write, so it is asked once in a tick of the coarse clock, which is 4 ms. Our
 * front is brought to whatever disk there is.
 */
static int
check_file(struct spool_writer *w, struct fault *f)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC_COARSE);
	char name[SEGMENT_NAME_LEN + 1];
	struct stat about;

	if (now == w->checked_ms)
		return 0;
	w->checked_ms = now;
	if (fstat(w->fd, &about) == 0 && about.st_nlink == 0) {
		segment_name(w->segments[w->n - 1].first, name);
		writer_lose(w, w->n - 1);
		w->displaced = !spool_is_in_place(w);
		return w->displaced
			       ? fault_displaced(w, f)
			       : fault_set(f, FAULT_IO, "the spool's segment %s was deleted", name);
	}
	if (w->segments[w->n - 1].in_front || spool_is_in_place(w))
		return 0;
	w->displaced = true;
	writer_seal(w);
	return fault_displaced(w, f);
}

/*
 * Writes the record that was made. A reader may have sent it as soon as it is written: its number
 * is given to no other, whether it gets to the disk or not.
 */
static int
write_record(struct spool_writer *w, size_t len, struct fault *f)
{
	struct segment *last = &w->segments[w->n - 1], now = *last;
	ssize_t put = write(w->fd, w->record, len);

	if (put < 0 || (size_t)put != len) {
		struct fault why = FAULT_INIT;

		if (put >= 0)
			errno = ENOSPC;
		fault_errno(&why, "cannot write to the spool%s", last->in_front ? "'s front" : "");
		undo(w);
		if (last->in_front)
			leave_front(w, &why);
		if (f)
			*f = why;
		return -1;
	}
	w->next++;
	now.newest_ms = clock_ms(CLOCK_BOOTTIME);
	now.bytes += (int64_t)len;
	writer_change(w, last, &now);
	if (w->options.power && fdatasync(w->fd) < 0) {
		fault_errno(f, "cannot write the spool to the disk");
		/* What the kernel still has of this file is not known any more. */
		writer_seal(w);
		return -1;
	}
	return check_file(w, f);
}

static int
append(struct spool_writer *w, struct spool_message *m, size_t len, struct fault *f)
{
	if (w->fd >= 0 && w->segments[w->n - 1].bytes + (int64_t)len > w->segment_max)
		writer_seal(w);
	if (w->fd < 0 && begin(w, f)) {
		w->displaced = !spool_is_in_place(w);
		return w->displaced ? fault_displaced(w, f) : -1;
	}
	return make_record(w, m, len, f) ? -1 : write_record(w, len, f);
}

int
spool_append(struct spool_writer *w, const struct spool_message *message, struct fault *f)
{
	struct spool_message m = *message;
	size_t len;
	bool room;

	if (record_check(&m, f) || (w->displaced && spool_return(w, f)))
		return -1;
	m.seq = w->next;
	m.time_ms = clock_ms(CLOCK_REALTIME);
	len = record_len(&m);
	if (writer_make_room(w, (int64_t)len + SEGMENT_HEAD_LEN, &room, f))
		return -1;
	if (!room && w->options.when_full == SPOOL_DROP_NEWEST) {
		drops_add(w->drops, m.device, "full", 1);
		return 0;
	}
	if (!room)
		return fault_set(f, FAULT_PRECONDITION,
			"the spool is full: %lld bytes wait for the cloud", (long long)w->bytes);
	return append(w, &m, len, f);
}

bool
spool_is_quick(const struct spool_writer *w, const struct spool_message *message)
{
	int64_t len = (int64_t)record_len(message) + SEGMENT_HEAD_LEN;
	const struct segment *last = w->n ? &w->segments[w->n - 1] : NULL;

	return has_front(w) && w->front >= 0 && !w->displaced &&
	       w->bytes + len <= w->options.max_bytes && w->front_bytes + len <= w->front_max &&
	       ((w->fd < 0 && !writer_begun(w)) || last->in_front);
}
