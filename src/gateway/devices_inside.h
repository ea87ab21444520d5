/* devices_inside: what the parts of devices share. Private to devices*.c. */
#ifndef GATEWAY_DEVICES_INSIDE_H
#define GATEWAY_DEVICES_INSIDE_H

#include "gateway/devices.h"

/* The value of asked_ms while a device is ATTACHING and its attach request is not sent yet. */
#define DEVICE_NOT_ASKED (-1)

/*
 * by_name, by_id  indexes of all devices
 * all          all devices, the one that was met first first
 * attaching    devices that are ATTACHING
 * attached     devices that are ATTACHED, the least recently used first
 * known, strangers  devices that may be forgotten once no message of theirs is held: DETACHED, not
 *              connected and not kept. `known` has those that the cloud accepted, `strangers` the
 *              others. The least recently used is first.
 * leaving      attached devices to detach; next_leaving() checks each of them again
 * config_due   ATTACHING or ATTACHED devices whose config must be requested again
 * queue        DETACHED devices that are to be attached
 * due          devices for which devices_tick() has something to do, by the time when it is due
 * last_id      id of the device that was added last
 * counts       `attached`, `refused` and `forgotten` are kept here; devices_count() fills the rest
 * n_attaching  number of ATTACHING devices
 * n_accepted   number of devices that the cloud accepted
 * pass         number of the pass over the spool; held_in of a device is the last pass in which a
 *              message of it was held
 * ready        a held message may go, so the spool needs another pass
 * resume_ms    when the first state that was held because of state_interval_ms may go; INT64_MAX
 *              if none is held
 * overflow_in  last pass in which a message stayed in the spool because there was no room for its
 *              device
 * overflow_id  last_id when that pass first had no room: devices added since have a larger id
 */
struct devices {
	struct devices_options options;
	struct table by_name, by_id;
	struct list all, attaching, attached, known, strangers, leaving, config_due;
	struct attach_queue queue;
	struct heap due;
	uint32_t last_id, overflow_id;
	struct devices_counts counts;
	size_t n_attaching, n_accepted;
	uint64_t pass, overflow_in;
	bool ready;
	int64_t resume_ms;
};

/* devices.c */

/* Like devices_meet(), but a connected device may take the place of a stranger that is not. */
struct device *devices_meet_connected(struct devices *devices, const char *name, int64_t now_ms);

/* A device that may be forgotten, or NULL. Strangers come first, unless they have few places. */
struct device *devices_find_forgettable(const struct devices *devices);

/* devices_state.c */

/* Wipes the old body. Consumes `body`, which may be NULL. */
void device_set_body(struct device *device, char *body, size_t len);

/* Copies the cloud's reason, cut to DEVICE_REASON_MAX. It is "" if memory runs out. */
void device_set_reason(struct device *device, const char *reason);

/* Sets the flag, and keeps the number of refused or accepted devices. */
void devices_set_refused(struct devices *devices, struct device *device, bool refused);
void devices_set_accepted(struct devices *devices, struct device *device, bool accepted);

/* Sets the state, and moves the device to the lists of that state. */
void devices_set_state(struct devices *devices, struct device *device, enum device_state state);

/* Whether the device is the gateway itself. */
bool devices_is_gateway(const struct devices *devices, const struct device *device);

/* Whether a message of the device was held in this pass over the spool. */
bool devices_is_held(const struct devices *devices, const struct device *device);

/* Notes that the device was used now, and makes it the most recently used one of its list. */
void devices_touch(struct devices *devices, struct device *device, int64_t now_ms);

/* Moves the device to the list by use that it belongs to. In the right list it keeps its place. */
void devices_place(struct devices *devices, struct device *device);

/* devices_wanted.c */

/* Whether the device is to be attached, by the attach policy and what is known of the device. */
bool devices_is_wanted(const struct devices *devices, const struct device *device);

/* Queues the device to be attached or detached, or takes it out of the queue, after a change. */
void devices_review(struct devices *devices, struct device *device);

/* Forgets that the device asked to be attached, and wipes its body. */
void devices_withdraw_ask(struct devices *devices, struct device *device);

/* devices_due.c */

/* Sets the time at which devices_tick() next looks at the device. */
void devices_schedule(struct devices *devices, struct device *device);

/* devices_attach.c */

/* Whether the device is not connected, did not ask and was not used for idle_ms. */
bool devices_is_idle(const struct devices *devices, const struct device *device, int64_t now_ms);

/* Detaches a device whose attach failed with `answer`, and tries again after a back-off. */
void devices_retry_later(struct devices *devices, struct device *device, enum attach_answer answer,
	int64_t now_ms, uint32_t random);

/* devices_messages.c */

/* Whether hold_ms is over for a refused device, and no other attempt to attach it is due yet. */
bool devices_is_given_up(
	const struct devices *devices, const struct device *device, int64_t now_ms);

#endif
