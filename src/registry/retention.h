/* retention: what a subscription keeps of the messages that come. Private. */
#ifndef REGISTRY_RETENTION_H
#define REGISTRY_RETENTION_H

#include "registry/db.h"

extern const struct registry_retention retention_preset;

/*
 * A message that comes.
 *
 * device  its row
 * bytes   that it counts for, as struct registry_retention has them
 */
struct retention_message {
	int64_t device;
	int64_t bytes;
	time_t now;
};

/* Where a message is added to a subscription: the columns of its delivery. */
struct retention_place {
	int64_t subscription;
	int64_t number;
	int64_t total_bytes;
	int64_t device_bytes;
};

/*
 * Makes room in a subscription, within the caller's transaction: drops some of the device's oldest
 * messages while the device has more than its share, and else some of the subscription's oldest.
 * Both are bounded, so that it takes about a millisecond whatever the subscription holds. What is
 * dropped is counted.
 *
 * ret_room   whether the message may be added; when the bounds are exceeded by more than an eighth
 *            it may not, and is counted as dropped. False for a subscription that is deleted.
 * ret_place  where; set in any case
 */
int retention_make_room(struct registry *r, int64_t subscription,
	const struct retention_message *message, bool *ret_room, struct retention_place *ret_place,
	struct fault *f);

/* Adds the message with this id, within the same transaction. */
int retention_add(struct registry *r, const struct retention_place *place, int64_t id,
	const struct retention_message *message, struct fault *f);

#endif
