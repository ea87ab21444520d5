/* journal_queue: lines and activities that wait to be written to the registry's file. */
#ifndef PLUGIN_JOURNAL_QUEUE_H
#define PLUGIN_JOURNAL_QUEUE_H

#include "plugin/roster.h"
#include "registry/registry.h"

/* How long a transaction may take: the broker serves no client meanwhile. */
#define JOURNAL_QUEUE_WRITE_US 5000

struct journal_queue;

/* Returns 0; else FAULT_NOMEM.  registry and roster are not consumed.  Threads: one. */
int journal_queue_new(struct registry *registry, struct roster *roster,
	struct journal_queue **ret_queue, struct fault *f);

/* Drops what waits. NULL is allowed. */
void journal_queue_free(struct journal_queue *queue);

AUTO_DEFINE(journal_queue, struct journal_queue, journal_queue_free);

/*
 * Adds a line. When too many wait, some are written first.
 *
 * Returns the zeroed line to fill in, valid until the next call; NULL when none can be written: the
 * line is counted as lost.
 */
struct registry_event *journal_queue_event(struct journal_queue *queue);

/* Keeps a device's activity that was noted in the roster, because the device is about to go. */
void journal_queue_keep(struct journal_queue *queue, struct device *device);

bool journal_queue_is_empty(const struct journal_queue *queue);

/*
 * Writes the oldest of what waits in one transaction. When that fails everything still waits.
 *
 * most_us  after so many microseconds the rest waits for the next call; one of each kind is always
 *          written
 *
 * Returns 0; else FAULT_IO.  Blocks: on the disk.
 */
int journal_queue_write(struct journal_queue *queue, int64_t most_us, struct fault *f);

/* How many lines and activities were lost since the last call. */
unsigned long journal_queue_take_lost(struct journal_queue *queue);

#endif
