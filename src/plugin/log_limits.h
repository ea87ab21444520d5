/* log_limits: how many log lines a device's connections may cause, however often it reconnects. */
#ifndef PLUGIN_LOG_LIMITS_H
#define PLUGIN_LOG_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"
#include "registry/registry.h"

/*
 * Lines that a device may cause at a time, and on average in a second: as many at each level, so
 * that lines of a lower level hide none of a higher one.
 */
#define LOG_LIMITS_LINES       50
#define LOG_LIMITS_LINES_PER_S 5

/*
 * Lines about the devices that are attached to a gateway, of all levels together: at a time as many
 * as two for each of the thousand that Cloud IoT Core attaches.
 */
#define LOG_LIMITS_ATTACHED_LINES	2000
#define LOG_LIMITS_ATTACHED_LINES_PER_S 20

/* How long a device must be quiet before its left-out lines are reported by a line of their own. */
#define LOG_LIMITS_QUIET_MS 10000

struct log_limits;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread, constant time but for growth. */
int log_limits_new(struct log_limits **ret_limits, struct fault *f);

/* NULL is allowed. */
void log_limits_free(struct log_limits *limits);

AUTO_DEFINE(log_limits, struct log_limits, log_limits_free);

/*
 * Whether a device may cause another line; counts it as left out when not.
 *
 * by            the device that has the connection
 * level         of the line
 * attached      whether the line is about a device that is attached to it
 * now_ms        by a clock that never goes back
 * ret_left_out  receives, with true, how many lines were left out since the device's last line
 */
bool log_limits_take(struct log_limits *limits, const struct registry_admission *by,
	enum rules_log_level level, bool attached, int64_t now_ms, unsigned long *ret_left_out);

/*
 * Lines of a device that were left out and that no other line has reported.
 *
 * of      the device, by its id
 * causer  its row
 */
struct log_limits_rest {
	struct rules_client of;
	int64_t causer;
	unsigned long left_out;
};

/*
 * Takes the next device that has been quiet for LOG_LIMITS_QUIET_MS since a line was left out, and
 * forgets devices that have all of their lines to cause again.
 *
 * now_ms  INT64_MAX takes every device with lines left out
 *
 * Returns whether there is one.
 */
bool log_limits_take_rest(
	struct log_limits *limits, int64_t now_ms, struct log_limits_rest *ret_rest);

/* How many devices are remembered. */
size_t log_limits_count(const struct log_limits *limits);

#endif
