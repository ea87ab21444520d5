/* limits: how much a device may send in a time: a bucket that fills at a rate. Pure. */
#ifndef REGISTRY_LIMITS_H
#define REGISTRY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

/* A rate is an average over this: so much may come at once after a pause. */
#define LIMITS_WINDOW_S 5

/* All-zero is a full one. */
struct limits_bucket {
	int64_t used; /* thousandths of what was taken and has not flowed back */
	int64_t at_ms;
};

/*
 * Takes n out of a bucket.
 *
 * rate    what comes back in a second; 0 is no limit
 * now_ms  by a clock that never goes back
 *
 * Returns whether it was there; what is more than a full bucket is there when it is full.
 */
bool limits_take(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms);

#endif
