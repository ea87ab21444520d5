#include "config.h"

#include "registry/batch.h"

#include <time.h>

#include "base/clock.h"
#include "registry/db.h"

/* How long a transaction holds the write lock, as far as one step does not take longer. */
#define HOLD_US 500

/* The lock is free for so many times as long as it was held, and at least for this long. */
#define REST_FACTOR 2
#define REST_MIN_US 1000

#define STEPS_MAX 1024

static void
rest(int64_t held_us)
{
	int64_t us = held_us * REST_FACTOR;
	struct timespec time;

	if (us < REST_MIN_US)
		us = REST_MIN_US;
	time = (struct timespec){us / 1000000, us % 1000000 * 1000};
	nanosleep(&time, NULL);
}

/*
 * One transaction.
 *
 * steps_max    steps that it may have
 * ret_held_us  how long it held the write lock, with its commit
 */
static int
transact(struct registry *r, enum batch_end end, batch_step_fn *step, void *with, int steps_max,
	bool *ret_more, int64_t *ret_held_us, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t began_us;
	bool more = true;

	(void)open;
	if (db_begin(r, f))
		return -1;
	began_us = clock_us(CLOCK_MONOTONIC);
	for (int i = 0; i < steps_max && more && clock_us(CLOCK_MONOTONIC) - began_us < HOLD_US;
		i++) {
		if (step(r, with, &more, f))
			return -1;
	}
	if (end == BATCH_ROLL_BACK)
		db_rollback(r);
	else if (db_commit(r, f))
		return -1;
	*ret_held_us = clock_us(CLOCK_MONOTONIC) - began_us;
	*ret_more = more;
	return 0;
}

int
batch_run(struct registry *r, enum batch_end end, batch_step_fn *step, void *with, struct fault *f)
{
	int64_t held_us;
	int steps = 1;
	bool more;

	for (;;) {
		if (transact(r, end, step, with, steps, &more, &held_us, f))
			return -1;
		if (!more)
			return 0;
		/* The commit writes what the steps changed: its time is known only afterwards. */
		if (held_us > HOLD_US)
			steps = steps > 1 ? steps / 2 : 1;
		else if (steps < STEPS_MAX)
			steps *= 2;
		rest(held_us);
	}
}
