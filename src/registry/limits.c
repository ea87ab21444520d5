#include "config.h"

#include "registry/limits.h"

bool
limits_take(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms)
{
	int64_t size = rate * LIMITS_WINDOW_S * 1000, elapsed = now_ms - bucket->at_ms;

	if (!rate)
		return true;
	/* A longer time than it takes to fill counts as that, so that nothing overflows. */
	if (elapsed > LIMITS_WINDOW_S * 1000)
		elapsed = LIMITS_WINDOW_S * 1000;
	if (elapsed > 0) {
		bucket->used -= elapsed * rate;
		bucket->at_ms = now_ms;
	}
	if (bucket->used < 0)
		bucket->used = 0;
	if (bucket->used && bucket->used + n * 1000 > size)
		return false;
	bucket->used += n * 1000;
	return true;
}
