/* drops: how many messages of each device were dropped, and why; kept in a file. */
#ifndef SPOOL_DROPS_H
#define SPOOL_DROPS_H

#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"
#include "spool/spool.h"

/* Devices counted by name; those of more are counted together, as this. */
#define DROPS_DEVICES_MAX 10000
#define DROPS_OTHERS	  "(others)"

/* Stands for the devices of messages that cannot be read. */
#define DROPS_UNKNOWN "(unknown)"

struct drops;

/*
 * Reads what was counted before. A file that cannot be read is replaced with the next count, which
 * begins with what could be read of it. Returns 0; else FAULT_NOMEM.
 */
int drops_open(int dir, struct drops **ret_drops, struct fault *f);

/* NULL is allowed. What was not flushed is forgotten. */
void drops_free(struct drops *drops);

AUTO_DEFINE(drops, struct drops, drops_free);

/* Without memory for it, a device is not counted. */
void drops_add(struct drops *drops, const char *device, const char *reason, uint64_t n);

/* Writes the file when something was added. Returns 0; else FAULT_IO. */
int drops_flush(struct drops *drops, struct fault *f);

/* Reads the file of a directory. Returns 0, or what `each` did; else FAULT_IO. */
int drops_each(int dir, spool_drop_fn *each, void *with, struct fault *f);

#endif
