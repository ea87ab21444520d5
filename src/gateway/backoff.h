/* backoff: how long to wait before the next attempt: exponential, bounded, with jitter. Pure. */
#ifndef GATEWAY_BACKOFF_H
#define GATEWAY_BACKOFF_H

#include <stdint.h>

/* failures  in a row */
struct backoff {
	unsigned failures;
};

/*
 * Notes a failure and says how long to wait: anything up to min(first * 2^failures, most), but a
 * tenth of `first` at least, so that ten thousand that failed together do not come together.
 *
 * first_ms, most_ms  at least 1
 * random             any number, evenly
 */
int64_t backoff_next(struct backoff *backoff, int64_t first_ms, int64_t most_ms, uint32_t random);

/* Notes a success. */
void backoff_reset(struct backoff *backoff);

#endif
