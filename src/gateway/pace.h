/* pace: how fast messages may go to the cloud, within what its broker allows. Pure. */
#ifndef GATEWAY_PACE_H
#define GATEWAY_PACE_H

#include <stddef.h>
#include <stdint.h>

#include "registry/limits.h"

/*
 * Averages in a second; 0 means no limit.
 *
 * total               messages, of all devices together
 * messages, bytes     of a device: a gateway has as much for itself and for each attached device
 */
struct pace_rates {
	int64_t total;
	int64_t messages;
	int64_t bytes;
};

/* All-zero: nothing was sent yet. It outlives a connection, as the broker's count does. */
struct pace {
	struct limits_bucket total, messages, bytes;
};

/*
 * Counts a packet that was sent.
 *
 * attached  devices that are attached
 * len       of its payload
 * now_ms    by a clock that never goes back
 */
void pace_spend(struct pace *pace, const struct pace_rates *rates, size_t attached, size_t len,
	int64_t now_ms);

/* Counts a packet that is no message, an attach for example: it is not part of the total. */
void pace_spend_control(struct pace *pace, const struct pace_rates *rates, size_t attached,
	size_t len, int64_t now_ms);

/* How long the next message has to wait, in milliseconds; 0: not at all. */
int64_t pace_wait_ms(const struct pace *pace, int64_t now_ms);

/* The same for an attach, which comes before messages but may not exceed the rates either. */
int64_t pace_wait_control_ms(const struct pace *pace, int64_t now_ms);

#endif
