/* writer: what a spool's writer knows, for those who append and those who do its chores. */
#ifndef SPOOL_WRITER_H
#define SPOOL_WRITER_H

#include "spool/chores.h"
#include "spool/drops.h"
#include "spool/place.h"
#include "spool/walk.h"

/* A time that every other is long after. */
#define WRITER_NEVER_MS (INT64_MIN / 2)

/*
 * in_front   whether it is in the front
 * settled    bytes that are on the disk
 * newest_ms  when the last message came, by the clock of spool_tick()
 */
struct segment {
	uint64_t first;
	bool in_front;
	int64_t bytes, settled;
	int64_t newest_ms;
};

/*
 * segments  oldest first; the last one is written to while `fd` is open
 * next      the number of the message to come
 * salt      the open segment's
 * record    room for what is written at once
 * opened_ms when the last segment was begun
 * aged_ms   when the ages of the segments were saved
 * front     its directory; -1 when there is none
 * front_bytes, unsettled  bytes of the segments there, and those that are not on the disk;
 *           front_max: of all of them
 * place     of the directory; displaced: it was seen that another one is there, or none
 * checked_ms  when it was last looked whether the file that is written to was deleted
 * no_front  why segments begin on the disk though there should be one
 */
struct spool_writer {
	int dir, lock, fd, front;
	struct spool_options options;
	char *hold, *parent;
	struct place place;
	bool displaced;
	int64_t front_bytes, front_max, unsettled;
	struct fault no_front;
	struct segment *segments;
	size_t n, room;
	int64_t bytes, segment_max;
	uint64_t next;
	uint32_t salt;
	unsigned char *record;
	size_t record_size;
	int64_t opened_ms, ticked_ms, aged_ms, checked_ms;
	struct drops *drops;
	struct walk walk;
};

/* Seals the segment that is written to. */
void writer_seal(struct spool_writer *writer);

/* The last segment, when it was begun and nothing came into it; else NULL. */
const struct segment *writer_begun(const struct spool_writer *writer);

/* Changes what is known of a segment, and counts it so. */
void writer_change(struct spool_writer *writer, struct segment *segment, const struct segment *now);

/* Adds a segment behind the others. Returns 0; else FAULT_NOMEM. */
int writer_add(struct spool_writer *writer, const struct segment *segment, struct fault *f);

/*
 * A segment has no file any more where it is written to: it is what there is of it on the disk, or
 * nothing.
 */
void writer_lose(struct spool_writer *writer, size_t i);

/* Forgets the i-th segment. */
void writer_forget(struct spool_writer *writer, size_t i);

/*
 * Deletes what is done with, and what may be dropped, as far as there is no room for so many bytes.
 *
 * Returns 0 with *ret_room telling whether there is now; else FAULT_IO, FAULT_NOMEM.
 */
int writer_make_room(struct spool_writer *writer, int64_t len, bool *ret_room, struct fault *f);

#endif
