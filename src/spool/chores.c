#include "config.h"

#include "spool/chores.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/aside.h"
#include "spool/cursor.h"
#include "spool/writer.h"

#define TICK_EVERY_MS 1000

/* What comes in a sixteenth of the greatest age shares a segment. */
#define SEGMENTS_AN_AGE 16

/* How often the ages are saved: what a crash takes of them makes messages younger. */
#define SAVE_MOST_MS  3600000
#define SAVE_LEAST_MS 60000

static int
slower(void *with, const char *name, const struct cursor *cursor, struct fault *f)
{
	uint64_t *held = with;

	(void)name, (void)f;
	if (cursor->seq < *held)
		*held = cursor->seq;
	return 0;
}

/* Everything is kept for a reader that never came, and for one whose cursor cannot be read. */
int
spool_find_held(const struct spool_writer *w, uint64_t *ret, struct fault *f)
{
	struct cursor cursor = {.fd = -1};
	uint64_t held = UINT64_MAX;

	if (w->hold) {
		cursor_read(w->dir, w->hold, &cursor, NULL);
		held = cursor.seq;
	} else if (cursor_each(w->dir, slower, &held, f)) {
		return -1;
	}
	*ret = held == UINT64_MAX ? 0 : held;
	return 0;
}

/* Where the oldest segment's messages end. */
static uint64_t
oldest_end(const struct spool_writer *w)
{
	return w->n > 1 ? w->segments[1].first : w->next;
}

/* Whether nothing will come into the oldest segment: one without a message is begun again. */
static bool
is_complete(const struct spool_writer *w)
{
	return w->n > 1 || (w->n == 1 && w->fd < 0 && w->segments[0].first < w->next);
}

static struct spool_victim
oldest(const struct spool_writer *w, uint64_t held, const char *reason)
{
	return (struct spool_victim){.first = w->segments[0].first,
		.held = held,
		.end = oldest_end(w),
		.in_front = w->segments[0].in_front,
		.reason = reason};
}

bool
spool_find_victim(struct spool_writer *w, uint64_t held, int64_t now, struct spool_victim *ret)
{
	int64_t age_ms = w->options.max_age_s * 1000;

	if (age_ms && w->fd >= 0 && now - w->opened_ms > age_ms / SEGMENTS_AN_AGE)
		writer_seal(w);
	/* The segment that is written to stays, as long as there is room. */
	if (!is_complete(w))
		return false;
	if (oldest_end(w) <= held)
		*ret = oldest(w, held, NULL);
	else if (age_ms && w->segments[0].newest_ms < now - age_ms)
		*ret = oldest(w, held, "age");
	else
		return false;
	return true;
}

/* Counts each message that can be read; bytes that are none may have been the others. */
static int
count_each(struct spool_writer *w, const struct spool_victim *victim, uint64_t *ret_n,
	bool *ret_damaged, struct fault *f)
{
	struct spool_message message;
	enum walk_state state;
	size_t bytes;

	w->walk.view.salvage = true;
	do {
		if (walk_next(&w->walk, &state, &message, &bytes, f))
			return -1;
		*ret_damaged |= state != WALK_MESSAGE && bytes;
		if (state == WALK_MESSAGE && message.seq >= victim->held) {
			drops_add(w->drops, message.device, victim->reason, 1);
			++*ret_n;
		}
	} while (state == WALK_MESSAGE || state == WALK_SKIPPED);
	return 0;
}

static int
count_dropped(struct spool_writer *w, const struct spool_victim *victim, struct fault *f)
{
	uint64_t from = victim->held > victim->first ? victim->held : victim->first, n = 0;
	struct fault why = FAULT_INIT;
	bool damaged = false;

	if (walk_open(&w->walk, w->dir, victim->first, &why)) {
		/* One that was lost with its front has no file. */
		if (why.code == FAULT_NOTFOUND)
			return 0;
		damaged = walk_is_unreadable(&why);
		if (!damaged && f)
			*f = why;
		if (!damaged)
			return -1;
	} else if (count_each(w, victim, &n, &damaged, f)) {
		return -1;
	}
	walk_close(&w->walk);
	if (damaged && victim->end > from + n)
		drops_add(w->drops, DROPS_UNKNOWN, victim->reason, victim->end - from - n);
	return 0;
}

/* A directory in a segment's place takes no room: it stays when it can be moved nowhere. */
static int
delete_file(int dir, uint64_t first)
{
	char name[SEGMENT_NAME_LEN + 1];

	segment_name(first, name);
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR)
		return -1;
	aside_move(dir, first, NULL);
	return 0;
}

int
spool_delete(struct spool_writer *w, const struct spool_victim *victim, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];

	if (victim->reason && count_dropped(w, victim, f))
		return -1;
	if (delete_file(w->dir, victim->first) < 0 ||
		(victim->in_front && delete_file(w->front, victim->first) < 0)) {
		segment_name(victim->first, name);
		return fault_errno(f, "cannot delete the spool's segment %s", name);
	}
	return 0;
}

void
spool_deleted(struct spool_writer *w)
{
	writer_forget(w, 0);
}

/* Whatever is in it. */
static int
delete_oldest(struct spool_writer *w, uint64_t held, const char *reason, struct fault *f)
{
	const struct spool_victim victim = oldest(w, held, reason);

	if (w->n == 1)
		writer_seal(w);
	if (spool_delete(w, &victim, f))
		return -1;
	spool_deleted(w);
	return 0;
}

int
writer_make_room(struct spool_writer *w, int64_t len, bool *ret_room, struct fault *f)
{
	uint64_t held;

	*ret_room = w->bytes + len <= w->options.max_bytes;
	if (*ret_room)
		return 0;
	if (spool_find_held(w, &held, f))
		return -1;
	while (is_complete(w) && oldest_end(w) <= held) {
		if (delete_oldest(w, held, NULL, f))
			return -1;
	}
	while (w->options.when_full == SPOOL_DROP_OLDEST && w->n &&
		w->bytes + len > w->options.max_bytes) {
		if (delete_oldest(w, held, "full", f))
			return -1;
	}
	*ret_room = w->bytes + len <= w->options.max_bytes;
	return 0;
}

/* Whether nothing will come into a segment. */
static bool
is_sealed(const struct spool_writer *w, size_t i)
{
	return i + 1 < w->n || w->fd < 0;
}

bool
spool_unsettled(const struct spool_writer *w, struct front_part *ret)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct segment *at = &w->segments[i];

		/* One that nothing came into is begun again, where it is. */
		if (!at->in_front || at == writer_begun(w) ||
			(at->settled == at->bytes && !is_sealed(w, i)))
			continue;
		*ret = (struct front_part){.dir = w->dir,
			.front = w->front,
			.first = at->first,
			.from = at->settled,
			.to = at->bytes,
			.last = i + 1 == w->n};
		return true;
	}
	return false;
}

int64_t
spool_unsettled_bytes(const struct spool_writer *w)
{
	return w->unsettled;
}

static int
unlink_settled(struct spool_writer *w, struct segment *segment, struct fault *f)
{
	char name[SEGMENT_NAME_LEN + 1];
	struct segment now = *segment;

	segment_name(segment->first, name);
	if (unlinkat(w->front, name, 0) < 0 && errno != ENOENT)
		return fault_errno(f, "cannot delete the spool's segment %s in its front", name);
	now.in_front = false;
	writer_change(w, segment, &now);
	return 0;
}

int64_t
spool_lose_front(struct spool_writer *w)
{
	int64_t before = w->unsettled;
	struct stat about;

	for (size_t i = w->n; i-- > 0;) {
		char name[SEGMENT_NAME_LEN + 1];

		segment_name(w->segments[i].first, name);
		if (w->segments[i].in_front && faccessat(w->front, name, F_OK, 0) < 0)
			writer_lose(w, i);
	}
	if (fstat(w->front, &about) == 0 && about.st_nlink == 0) {
		close(w->front);
		w->front = -1;
	}
	return before - w->unsettled;
}

int
spool_front(const struct spool_writer *w)
{
	return w->front;
}

int
spool_keep_front(struct spool_writer *w, int front, struct fault *f)
{
	struct fault why = FAULT_INIT;

	/* That one was removed is told by who brings messages from it to the disk. */
	if (front < 0 || front_is_linked(w->dir, front) || !front_link(w->dir, front, &why) ||
		why.code == FAULT_NOTFOUND)
		return 0;
	if (f)
		*f = why;
	return -1;
}

int
spool_settled(struct spool_writer *w, const struct front_part *part, struct fault *f)
{
	struct segment now;
	size_t i = 0;

	while (i < w->n && w->segments[i].first != part->first)
		i++;
	if (i == w->n)
		return 0;
	now = w->segments[i];
	now.settled = part->to;
	writer_change(w, &w->segments[i], &now);
	return is_sealed(w, i) && now.settled == now.bytes ? unlink_settled(w, &w->segments[i], f)
							   : 0;
}

int
spool_note_drops(struct spool_writer *w, struct fault *f)
{
	return drops_flush(w->drops, f);
}

static int64_t
save_every_ms(const struct spool_writer *w)
{
	int64_t part_ms = w->options.max_age_s * 1000 / SEGMENTS_AN_AGE;

	return part_ms > SAVE_MOST_MS	 ? SAVE_MOST_MS
	       : part_ms < SAVE_LEAST_MS ? SAVE_LEAST_MS
					 : part_ms;
}

bool
spool_ages_due(struct spool_writer *w, int64_t now, struct ages *ret)
{
	struct ages ages = {NULL, w->n};

	if (!w->options.max_age_s || now - w->aged_ms < save_every_ms(w))
		return false;
	w->aged_ms = now;
	ages.items = calloc(w->n + 1, sizeof(*ages.items));
	if (!ages.items)
		return false;
	for (size_t i = 0; i < w->n; i++)
		ages.items[i] = (struct age){w->segments[i].first, w->segments[i].newest_ms};
	*ret = ages;
	return true;
}

int
spool_save_ages(const struct spool_writer *w, struct ages *ages, int64_t now, struct fault *f)
{
	int rc = ages_save(w->dir, ages, now, f);

	ages_clear(ages);
	return rc;
}

int
spool_tell_front(struct spool_writer *w, struct fault *f)
{
	if (!w->no_front.code)
		return 0;
	if (f)
		*f = w->no_front;
	if (!w->front_bytes)
		w->no_front = (struct fault)FAULT_INIT;
	return -1;
}

int
spool_tick(struct spool_writer *w, int64_t now, struct fault *f)
{
	struct spool_victim victim;
	struct ages ages;
	uint64_t held;

	if (now - w->ticked_ms < TICK_EVERY_MS)
		return 0;
	w->ticked_ms = now;
	if (spool_return(w, f) || spool_keep_front(w, w->front, f) || spool_find_held(w, &held, f))
		return -1;
	while (spool_find_victim(w, held, now, &victim)) {
		if (spool_delete(w, &victim, f))
			return -1;
		spool_deleted(w);
	}
	if (spool_note_drops(w, f) ||
		(spool_ages_due(w, now, &ages) && spool_save_ages(w, &ages, now, f)))
		return -1;
	return spool_tell_front(w, f);
}
