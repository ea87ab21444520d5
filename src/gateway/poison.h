/*
 * poison: poison messages, which a broker answers by closing the connection or by a PUBACK that
 * refuses them. Pure.
 *
 * A broker before MQTT 5 can only close the connection to refuse a message, and closes the next one
 * when the message is sent again. This module finds the topic of the device that is refused, by
 * sending the messages under suspicion alone. Such a topic is blocked. Its messages stay in the
 * spool, and to keep the order so do all later messages of the device. Messages of other devices
 * pass. Now and then one of them is sent, alone, to see whether the broker accepts it.
 *
 * Evidence is only what happens to a connection that was up, and to what was sent on it.
 */
#ifndef GATEWAY_POISON_H
#define GATEWAY_POISON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/table.h"

/* Bytes of names; a topic that is longer stands for all that begin like it. */
#define POISON_DEVICE_MAX 255
#define POISON_TOPIC_MAX  255
#define POISON_REASON_MAX 200

/* Numbers of what may be in flight: 0 up to this. */
#define POISON_FLIGHTS_MAX 264

/* Topics that are remembered, those under suspicion included. */
#define POISON_TOPICS_MAX 1024

/* A device with so many blocked topics is blocked whatever its topic is. */
#define POISON_DEVICE_TOPICS_MAX 4

/*
 * A topic that is blocked or under suspicion.
 *
 * topic     "" stands for all topics of the device
 * blocked   else it is under suspicion
 * closing   the broker closes the connection for it; else it refuses it by a PUBACK
 * reason    why it is blocked, in words
 * code      the reason code of the PUBACK or DISCONNECT; 0: the broker gave none
 * since_ms  when it was blocked first
 * due_ms    when the next of its messages is sent to see whether it is accepted
 * failures  how often it was refused since it was blocked, the first time included
 * dropped   how many of its messages were dropped
 * the rest is private to poison.c
 */
struct poison_topic {
	char device[POISON_DEVICE_MAX + 1];
	char topic[POISON_TOPIC_MAX + 1];
	bool blocked, closing;
	char reason[POISON_REASON_MAX];
	unsigned long code;
	int64_t since_ms, due_ms;
	unsigned failures;
	uint64_t dropped;

	bool attaches, tried, holds, is_topic, has_expired;
	unsigned closed_with, closed_alone;
	uint64_t seq, sent_before, held_in, ended_in;
	int64_t used_ms;
	struct table_link by_device;
	struct list_link among;
};

struct poison;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; times are monotonic. */
int poison_new(struct poison **ret_poison, struct fault *f);

/* NULL is allowed. */
void poison_free(struct poison *poison);

AUTO_DEFINE(poison, struct poison, poison_free);

/* How long messages of a blocked topic are held, before they are dropped. */
void poison_configure(struct poison *poison, int64_t hold_ms);

/* The spool is read again from the first message that is not finished. */
void poison_begin_pass(struct poison *poison);

/* Another spool is read from now on, in which the numbers mean other messages. */
void poison_forget_messages(struct poison *poison);

enum poison_verdict {
	POISON_SEND,
	POISON_ALONE, /* send it with QoS 1 when nothing else is in flight */
	POISON_HOLD,  /* not in this pass, nor what follows of the device */
	POISON_DROP,  /* never: it was held for as long as it may be; counted here */
};

/*
 * Whether a message may be sent now.
 *
 * device  who published it
 * topic   its topic at the cloud
 * seq     its number in the spool
 */
enum poison_verdict poison_judge(
	struct poison *poison, const char *device, const char *topic, uint64_t seq, int64_t now_ms);

/*
 * What was sent.
 *
 * flight  its number until it is answered, 0 up to POISON_FLIGHTS_MAX
 * seq     0 for an attach: its message, and the subscription that belongs to it
 * qos     0: it is not answered
 * alone   nothing else was in flight, and nothing is to be sent before the answer
 */
struct poison_sent {
	const char *device, *topic;
	uint64_t seq;
	int qos;
	bool alone;
};

void poison_sent(struct poison *poison, size_t flight, const struct poison_sent *sent);

/* How much is in flight, attaches and subscriptions counted. */
size_t poison_in_flight(const struct poison *poison);

/* Whether nothing may be sent: what was sent alone is in flight. */
bool poison_is_alone(const struct poison *poison);

/* Whether attaches are to be sent alone. */
bool poison_attaches_alone(const struct poison *poison);

/*
 * The broker acknowledged it.
 *
 * ret_topic  what was blocked until now; untouched when nothing was
 *
 * Returns whether that ends a block, so that another pass over the spool is worthwhile.
 */
bool poison_arrived(
	struct poison *poison, size_t flight, int64_t now_ms, struct poison_topic *ret_topic);

/*
 * The broker refused a message by a PUBACK: its topic is blocked.
 *
 * why  with the reason code in `native`
 *
 * Returns the topic, valid until the next call; NULL when it was sent before its topic was blocked,
 * or memory ran out.
 */
const struct poison_topic *poison_refused(
	struct poison *poison, size_t flight, const struct fault *why, int64_t now_ms);

/* The broker refused it in a way that says nothing about its topic. */
void poison_forget(struct poison *poison, size_t flight);

/* How a connection ended. */
enum poison_end {
	POISON_END_INNOCENT, /* not by the broker, or for a reason that is not what was sent */
	POISON_END_CLOSED,   /* the broker closed it, and may have meant what was sent */
	POISON_END_BLAMES,   /* the broker says that what was sent is the reason */
};

/* What a DISCONNECT with this MQTT 5 reason code says; 0: there was none. */
enum poison_end poison_end_of(unsigned long code);

/*
 * A connection that was up ended; nothing is in flight any more.
 *
 * why        with the DISCONNECT's reason code in `native`
 * ret_topic  the topic that is blocked for it, now or once more, valid until the next call; NULL:
 *            none is
 *
 * Returns whether the end is explained by what was sent, so that the next connection need not wait.
 */
bool poison_closed(struct poison *poison, enum poison_end end, const struct fault *why,
	int64_t now_ms, const struct poison_topic **ret_topic);

/*
 * Whether messages that were held may be sent or dropped now, so that another pass over the spool
 * is worthwhile; true once for each time. To be called once a second: topics are forgotten here
 * when nothing was heard of them for long.
 */
bool poison_tick(struct poison *poison, int64_t now_ms);

/* The topics that are blocked: NULL begins, NULL ends. */
const struct poison_topic *poison_next(
	const struct poison *poison, const struct poison_topic *after);
size_t poison_blocked(const struct poison *poison);

/*
 * The first message of a device that the broker refuses, and how often; for a device whose
 * refusals have it attached again. All-zero: there is none.
 */
struct poison_strikes {
	uint64_t seq;
	unsigned times;
};

/*
 * Counts the refusals of the first message that is refused: those after it may be refused because
 * it was.
 *
 * is_over  the message that was counted before does not wait to be sent again
 *
 * Returns whether seq is that message, and was refused too often.
 */
bool poison_strike(struct poison_strikes *strikes, uint64_t seq, bool is_over);

#endif
