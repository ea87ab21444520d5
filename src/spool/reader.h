/* reader: what a spool's reader knows, for those who read and those who deal with what is lost. */
#ifndef SPOOL_READER_H
#define SPOOL_READER_H

#include "spool/cursor.h"
#include "spool/place.h"
#include "spool/spool.h"
#include "spool/walk.h"

/* How long the reader tries again before it skips something: a disk may come back. */
#define READER_PATIENCE_MS 30000

/*
 * name     the reader's; NULL reads everything and changes nothing
 * want     the number of the message to come; 0 for whatever is the oldest
 * ahead    when the cursor is ahead of the log, which is to be said once: the log's end, and where
 *          the cursor stood
 * said     up to where damage was reported, so that it is reported once; missed: up to which
 *          message missing messages were reported
 * failing  the segment that could not be read from `at` on (0: the cursor), since when by
 *          CLOCK_BOOTTIME; `is` tells whether there is one
 * salvaged segments that are read around what cannot be read
 * skipped  segments that cannot be opened
 * damaged  bytes or a segment were skipped since the last message
 * oldest   no message came of the open segment, and it was the oldest when it was opened
 * pending  messages that were lost before `pending_to`, and are not counted in the cursor yet
 * emptied  what the watch told was taken note of since the end was last seen, before anything was
 *          read: what came later will be told
 * listed   there was no segment behind the open one, and none came since
 */
struct spool_reader {
	int dir, inotify;
	struct place place;
	char *name;
	struct cursor cursor;
	struct walk walk;
	uint64_t want;
	uint64_t ahead, stood, missed;
	struct {
		uint64_t first;
		off_t at;
	} said;
	struct {
		bool is;
		uint64_t first;
		off_t at;
		int64_t since_ms;
	} failing;
	struct segment_list salvaged, skipped;
	bool damaged, oldest;
	uint64_t pending, pending_to;
	bool emptied, listed;
};

/*
 * Opens the cursor and places the reader where it stands; a cursor that cannot be read for long is
 * renewed.
 *
 * Returns 0; else FAULT_INVALID when it was renewed, FAULT_CONFIG, FAULT_IO, FAULT_NOMEM.
 */
int loss_find_cursor(struct spool_reader *r, struct fault *f);

/* Places the reader where its open cursor stands. Returns 0; else FAULT_IO, FAULT_NOMEM. */
int loss_place(struct spool_reader *r, struct fault *f);

/*
 * The next record of the open segment, as walk_next() has it; what cannot be read for long is
 * damage.
 *
 * Returns 0; else FAULT_IO, FAULT_NOMEM: the next call tries again.
 */
int loss_walk(struct spool_reader *r, enum walk_state *ret_state, struct spool_message *ret_message,
	size_t *ret_bytes, struct fault *f);

/*
 * A segment cannot be opened.
 *
 * why   from walk_open()
 * last  it is the newest: nothing is behind it that waits
 *
 * Returns -1, always: with FAULT_INVALID when the segment is skipped from now on, else with `why`.
 */
int loss_open(struct spool_reader *r, uint64_t first, const struct fault *why, bool last,
	struct fault *f);

/*
 * These tell of what is lost. Each returns 0 when that was told before; else FAULT_INVALID.
 *
 * bytes  how many of the open segment are not messages
 * seq    the message that is there in place of the one that is wanted
 */
int loss_ahead(struct spool_reader *r, struct fault *f);
int loss_damage(struct spool_reader *r, size_t bytes, struct fault *f);
int loss_older(struct spool_reader *r, struct fault *f);
int loss_missing(struct spool_reader *r, uint64_t seq, struct fault *f);

#endif
