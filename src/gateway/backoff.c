#include "config.h"

#include "gateway/backoff.h"

int64_t
backoff_next(struct backoff *backoff, int64_t first_ms, int64_t most_ms, uint32_t random)
{
	int64_t wait = first_ms, least = first_ms / 10;

	for (unsigned i = 0; i < backoff->failures && wait < most_ms; i++)
		wait *= 2;
	if (wait > most_ms)
		wait = most_ms;
	backoff->failures++;
	wait = (int64_t)((uint64_t)wait * random / UINT32_MAX);
	return wait > least ? wait : least;
}

void
backoff_reset(struct backoff *backoff)
{
	backoff->failures = 0;
}
