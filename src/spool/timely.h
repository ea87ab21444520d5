/*
 * timely: a spool's writer for who must not wait for a disk: what may block is a thread's, and its
 * answer is waited for only so long.
 */
#ifndef SPOOL_TIMELY_H
#define SPOOL_TIMELY_H

#include "spool/spool.h"

/* What a disk may take at any time, in milliseconds: quicker answers are not counted. */
#define TIMELY_QUICK_MS 100

struct timely;

/*
 * Opens a spool, as spool_writer_open() does.
 *
 * bound_ms  how long answers are waited for in a row; TIMELY_QUICK_MS or more
 *
 * Returns and blocks as spool_writer_open().  Threads: one a writer; it begins one of its own,
 * which takes no signals.
 */
int timely_open(const char *dir, const struct spool_options *options, int bound_ms,
	struct timely **ret_timely, struct fault *f);

/* NULL is allowed.  Blocks: until the disk has answered. */
void timely_close(struct timely *timely);

AUTO_DEFINE(timely, struct timely, timely_close);

/*
 * Takes a message, as spool_append() does.
 *
 * Returns as spool_append(); FAULT_IO, too, when the disk does not answer in time: the message may
 * have been taken then, or may be later.
 * Blocks: not at all while there is room in the front. Else bound_ms at most, and all calls in a
 * row no longer than that, but for answers within TIMELY_QUICK_MS each: what was waited comes back
 * as time goes by without waiting. While the disk owes an answer that is waited for no more, not at
 * all.
 */
int timely_append(struct timely *timely, const struct spool_message *message, struct fault *f);

/*
 * Has the thread bring what is in the front to the disk, and do what spool_tick() does.
 *
 * Returns what came of the last time.  Blocks: no.
 */
int timely_tick(struct timely *timely, int64_t now_ms, struct fault *f);

#endif
