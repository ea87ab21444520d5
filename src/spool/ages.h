/*
 * ages: how old a spool's segments are, by the time that passed while the system ran; kept in a
 * file.
 *
 * CLOCK_BOOTTIME cannot be set, and counts the time in which the system is suspended. The file has
 * what passed before a reboot. Time in which the system was off, or the file was not saved, does
 * not count: a segment never counts as older than it is.
 */
#ifndef SPOOL_AGES_H
#define SPOOL_AGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/*
 * first      a segment's number
 * newest_ms  when its last message came, in milliseconds of CLOCK_BOOTTIME; negative: before this
 *            boot
 */
struct age {
	uint64_t first;
	int64_t newest_ms;
};

struct ages {
	struct age *items;
	size_t n;
};

/*
 * Reads what was saved last. A file that is missing or damaged has no ages.
 *
 * Returns 0; else FAULT_NOMEM.  Blocks: on the disk.
 */
int ages_load(int dir, struct ages *ret, struct fault *f);

/* When the last message of a segment came; now_ms when that is not known. */
int64_t ages_find(const struct ages *ages, uint64_t first, int64_t now_ms);

/* Saves them. Returns 0; else FAULT_IO, FAULT_NOMEM.  Blocks: on the disk. */
int ages_save(int dir, const struct ages *ages, int64_t now_ms, struct fault *f);

void ages_clear(struct ages *ages);

#endif
