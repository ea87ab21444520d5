/* poison_topic: the topics that poison knows, and what a run of it keeps. Private to poison. */
#ifndef GATEWAY_POISON_TOPIC_H
#define GATEWAY_POISON_TOPIC_H

#include "gateway/poison.h"

/* Connections that end with a topic's messages in flight, until these are sent alone. */
#define POISON_CLOSED_WITH_MAX 2

/* When a blocked topic is tried again: first, and at most. */
#define POISON_RETRY_FIRST_MS 5000
#define POISON_RETRY_MOST_MS  3600000

/* Messages of QoS 0 that were sent last, of which the broker says nothing. */
#define POISON_UNANSWERED_MAX 32

/*
 * Something that was sent.
 *
 * number  counts everything that was sent; 0: nothing
 * seq     0 for an attach
 */
struct poison_item {
	uint64_t number, seq;
	char device[POISON_DEVICE_MAX + 1];
	char topic[POISON_TOPIC_MAX + 1];
};

/*
 * pass        counts the passes over the spool; a device held in this one has it in held_in
 * sent        how much was sent in all
 * ends        how many connections ended; a topic that was in flight then has it in ended_in
 * unanswered  a ring of QoS 0 messages that no acknowledgement followed
 * alone       the flight that nothing may follow, and one; 0: none
 * gap_ms      no blocked topic is tried again before
 * in_vain     connections that ended since the last acknowledgement
 * failed      the last topic that failed since the last acknowledgement; broad: others did too, so
 *             that the broker may be the reason
 */
struct poison {
	struct table by_device;
	struct list topics;
	size_t n_blocked, n_attaches, n_in_flight;
	int64_t hold_ms, gap_ms;
	uint64_t pass, sent, ends;
	struct poison_item flights[POISON_FLIGHTS_MAX];
	struct poison_item unanswered[POISON_UNANSWERED_MAX];
	size_t n_unanswered, alone;
	unsigned in_vain;
	const struct poison_topic *failed;
	bool broad;
};

/* The next topic of a device: NULL begins, NULL ends. */
struct poison_topic *poison_next_of(
	const struct poison *poison, const char *device, const struct poison_topic *after);

/*
 * attaches  the topic is the one of an attach
 *
 * Returns NULL when it is not known.
 */
struct poison_topic *poison_find(
	const struct poison *poison, const char *device, const char *topic, bool attaches);

/* Makes it when it is not known; NULL when memory ran out. */
struct poison_topic *poison_meet(struct poison *poison, const struct poison_item *item);

void poison_drop_topic(struct poison *poison, struct poison_topic *topic);

/* A message was refused: its topic is blocked, for the first time or for longer. */
void poison_block(struct poison *poison, struct poison_topic *t, const struct poison_item *item,
	const char *reason, unsigned long code, int64_t now_ms);

#endif
