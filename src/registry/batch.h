/* batch: changes of many rows in short transactions, so that a running broker never waits long. */
#ifndef REGISTRY_BATCH_H
#define REGISTRY_BATCH_H

#include "registry/registry.h"

/*
 * Changes one row, or a few that belong together, within the open transaction.
 *
 * ret_more  whether it is to be called again; set in any case
 *
 * Returns 0; else a fault, which ends the batch and undoes the open transaction.
 */
typedef int batch_step_fn(struct registry *r, void *with, bool *ret_more, struct fault *f);

/* Whether the transactions of a batch are committed, or rolled back to see what would happen. */
enum batch_end { BATCH_COMMIT, BATCH_ROLL_BACK };

/*
 * Calls step until nothing is left to change.
 *
 * A transaction ends after about half a millisecond, measured with the monotonic clock. The write
 * lock is then free for twice as long as it was held. How many steps fit into a transaction is
 * learned from the time that the ones before took, so that a slow disk gets shorter ones.
 *
 * Returns 0; else step's fault, or FAULT_IO.  What was committed before stays.  Blocks: until all
 * is changed.
 */
int batch_run(
	struct registry *r, enum batch_end end, batch_step_fn *step, void *with, struct fault *f);

#endif
