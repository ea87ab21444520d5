/* limits: how much a device may send in a time: a bucket that is refilled at a rate. Pure. */
#ifndef REGISTRY_LIMITS_H
#define REGISTRY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* The broker allows a rate as an average over this time: so much may come at once after a pause. */
#define LIMITS_WINDOW_S 5

/* Cloud IoT Core's limits of a device's connection. */
#define LIMITS_MESSAGES_PER_S 100
#define LIMITS_BYTES_PER_S    524288

/*
 * All-zero is a full one. What is used is kept as a time, so that another rate leaves the bucket as
 * full as it was.
 */
struct limits_bucket {
	int64_t used_ns; /* how long it takes until what was taken has flowed back */
	int64_t at_ms;
};

/*
 * Takes n out of a bucket of a given size, for whom the rate is enforced.
 *
 * size    what it holds at most
 * rate    what comes back in a second; at least 1
 * now_ms  by a clock that never goes back
 *
 * Returns whether it was there; what is more than a full bucket is there when it is full.
 */
bool limits_take_of(
	struct limits_bucket *bucket, int64_t size, int64_t rate, int64_t n, int64_t now_ms);

/*
 * Takes n out of a bucket that fills in LIMITS_WINDOW_S, for whom the rate is enforced.
 *
 * rate    what comes back in a second; 0 means no limit
 * now_ms  by a clock that never goes back
 *
 * Returns whether it was there; what is more than a full bucket is there when it is full.
 */
bool limits_take(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms);

/*
 * Takes n out of a bucket in any case. A sender does so when it sends, and sends while
 * limits_wait_ms() is 0: with a burst below the window it is then not refused by limits_take() at
 * the same rate.
 */
void limits_spend(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms);

/*
 * Returns how long a sender has to wait before it sends more, in milliseconds; 0: not at all.
 *
 * burst_ms  how much may be sent at once after a pause, as the time in which it comes back
 */
int64_t limits_wait_ms(const struct limits_bucket *bucket, int64_t burst_ms, int64_t now_ms);

#endif
