#include "config.h"

#include "gateway/suspects.h"

/* Fruitless connections until messages go one at a time, and how often one ends it then. */
#define FRUITLESS_MAX 3
#define ALONE_MAX     2

#define FIRST_MS 60000
#define MOST_MS	 3600000

static struct suspect *
find(struct suspects *suspects, uint64_t seq)
{
	for (int i = 0; i < SUSPECTS_MAX; i++) {
		if (suspects->items[i].seq == seq)
			return &suspects->items[i];
	}
	return NULL;
}

/* A free place, or that of the one whose time is over first. */
static struct suspect *
place(struct suspects *suspects, uint64_t seq)
{
	struct suspect *at = find(suspects, seq);

	if (!at)
		at = find(suspects, 0);
	if (!at) {
		at = suspects->items;
		for (int i = 1; i < SUSPECTS_MAX; i++) {
			if (suspects->items[i].until_ms < at->until_ms)
				at = &suspects->items[i];
		}
	}
	if (at->seq != seq)
		*at = (struct suspect){.seq = seq};
	return at;
}

int64_t
suspects_lost(struct suspects *suspects, bool fruitful, size_t n, uint64_t seq, int64_t now_ms)
{
	bool alone = suspects_alone(suspects) && n == 1 && seq;
	int64_t wait_ms = FIRST_MS;
	struct suspect *at;

	if (fruitful)
		suspects->fruitless = 0;
	else if (n)
		suspects->fruitless++;
	if (fruitful || !alone)
		return 0;
	at = place(suspects, seq);
	if (++at->times < ALONE_MAX)
		return 0;
	for (unsigned i = ALONE_MAX; i < at->times && wait_ms < MOST_MS; i++)
		wait_ms *= 2;
	if (wait_ms > MOST_MS)
		wait_ms = MOST_MS;
	at->until_ms = now_ms + wait_ms;
	return wait_ms;
}

bool
suspects_alone(const struct suspects *suspects)
{
	return suspects->fruitless >= FRUITLESS_MAX;
}

bool
suspects_has(const struct suspects *suspects, uint64_t seq, int64_t now_ms)
{
	for (int i = 0; i < SUSPECTS_MAX; i++) {
		const struct suspect *at = &suspects->items[i];

		if (at->seq == seq && at->until_ms > now_ms)
			return true;
	}
	return false;
}

bool
suspects_due(struct suspects *suspects, int64_t now_ms)
{
	bool due = false;

	for (int i = 0; i < SUSPECTS_MAX; i++) {
		struct suspect *at = &suspects->items[i];

		if (at->seq && at->until_ms && at->until_ms <= now_ms) {
			at->until_ms = 0;
			due = true;
		}
	}
	return due;
}

void
suspects_clear(struct suspects *suspects, uint64_t seq)
{
	struct suspect *at = find(suspects, seq);

	if (at)
		*at = (struct suspect){.seq = 0};
	suspects->fruitless = 0;
}
