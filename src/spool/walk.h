/* walk: one segment's records in turn, whatever happened to the file. */
#ifndef SPOOL_WALK_H
#define SPOOL_WALK_H

#include "spool/segment.h"
#include "spool/spool.h"

/*
 * fd     the segment's; -1 when none is open
 * first  its number
 * salt   its records'
 * at     where the next record begins
 * older  an older version wrote it, as far as its head tells: no record can be read, as a rule
 */
struct walk {
	int fd;
	uint64_t first;
	uint32_t salt;
	off_t at;
	bool older;
	struct segment_view view;
};

enum walk_state {
	WALK_MESSAGE,
	WALK_END,     /* no whole record is left, now */
	WALK_SKIPPED, /* bytes that are no record were passed over; there is more behind them */
	WALK_NEWER,   /* a newer version wrote it */
};

/*
 * Opens a segment. A walk that was zeroed with fd -1 may be opened. With view.salvage set, damage
 * and what the disk cannot read are the same.
 *
 * Returns 0; else FAULT_NOTFOUND, FAULT_NOMEM, FAULT_IO.
 */
int walk_open(struct walk *walk, int dir, uint64_t first, struct fault *f);

/* Keeps the view's memory for the next segment. */
void walk_close(struct walk *walk);

void walk_clear(struct walk *walk);

/*
 * The next record.
 *
 * ret_message  valid until the next call
 * ret_bytes    for WALK_END, how many bytes are left; for WALK_SKIPPED, how many were passed over
 *
 * Returns 0; else FAULT_IO, FAULT_NOMEM.
 */
int walk_next(struct walk *walk, enum walk_state *ret_state, struct spool_message *ret_message,
	size_t *ret_bytes, struct fault *f);

/*
 * Whether a segment, not the system, is the reason for a fault of walk_open() or walk_next(): its
 * disk cannot read it, it is not a regular file, or the user may not open it.
 */
bool walk_is_unreadable(const struct fault *f);

/*
 * What the segments of a directory hold, as far as they can be read; the walk is left with
 * view.salvage cleared. The number of the next message is never one that was given before.
 *
 * Returns 0; else FAULT_IO, FAULT_NOMEM.
 */
int walk_extent(struct walk *walk, int dir, struct spool_extent *ret, struct fault *f);

#endif
