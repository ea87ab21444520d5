#include "config.h"

#include "registry/limits.h"

#define NS_EACH_MS INT64_C(1000000)
#define NS_EACH_S  INT64_C(1000000000)

/* What has flowed back until now is no longer used. */
static void
refill(struct limits_bucket *bucket, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - bucket->at_ms;

	if (elapsed_ms <= 0)
		return;
	bucket->at_ms = now_ms;
	bucket->used_ns = elapsed_ms > bucket->used_ns / NS_EACH_MS
				  ? 0
				  : bucket->used_ns - elapsed_ms * NS_EACH_MS;
}

bool
limits_take_of(struct limits_bucket *bucket, int64_t size, int64_t rate, int64_t n, int64_t now_ms)
{
	int64_t cost_ns = n * NS_EACH_S / rate;

	refill(bucket, now_ms);
	if (bucket->used_ns && bucket->used_ns + cost_ns > size * NS_EACH_S / rate)
		return false;
	bucket->used_ns += cost_ns;
	return true;
}

bool
limits_take(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms)
{
	return !rate || limits_take_of(bucket, rate * LIMITS_WINDOW_S, rate, n, now_ms);
}

void
limits_spend(struct limits_bucket *bucket, int64_t rate, int64_t n, int64_t now_ms)
{
	refill(bucket, now_ms);
	if (rate)
		bucket->used_ns += n * NS_EACH_S / rate;
}

int64_t
limits_wait_ms(const struct limits_bucket *bucket, int64_t burst_ms, int64_t now_ms)
{
	struct limits_bucket then = *bucket;
	int64_t more_ns;

	refill(&then, now_ms);
	more_ns = then.used_ns - burst_ms * NS_EACH_MS;
	return more_ns < 0 ? 0 : more_ns / NS_EACH_MS + 1;
}
