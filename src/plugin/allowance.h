/* allowance: how much of its limits each device has used, also when it comes back. */
#ifndef PLUGIN_ALLOWANCE_H
#define PLUGIN_ALLOWANCE_H

#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"
#include "registry/limits.h"

/* Devices that have gone and are remembered: of more, those that went first are forgotten. */
#define ALLOWANCES_MAX 8192

/*
 * What a device has used. All-zero: nothing.
 *
 * messages, bytes_up, bytes_down  of its connection; not used for an attached device
 * states                          of its own
 */
struct allowance {
	struct limits_bucket messages, bytes_up, bytes_down, states;
};

struct allowances;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time. */
int allowances_new(struct allowances **ret_allowances, struct fault *f);

/* NULL is allowed. */
void allowances_free(struct allowances *allowances);

AUTO_DEFINE(allowances, struct allowances, allowances_free);

/*
 * Remembers what a device that goes has used. Without memory it is forgotten.
 *
 * row  of the device in the registry
 */
void allowances_keep(struct allowances *allowances, int64_t row, const struct allowance *allowance);

/* Returns what a device that comes has used, and forgets it. */
struct allowance allowances_take(struct allowances *allowances, int64_t row);

#endif
