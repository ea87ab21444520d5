/* inside: a connection's parts, and what they ask of each other. Private to mqtt/. */
#ifndef MQTT_INSIDE_H
#define MQTT_INSIDE_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include <MQTTAsync.h>

#include "mqtt/mqtt.h"

/*
 * How long a wait goes on before it asks whether it was cancelled: a signal that comes just before
 * the wait does not end it.
 */
#define MQTT_SLICE_MS 250

/* Reasons that are known before the broker is asked (MQTT 5 section 3.14.2.1). */
#define MQTT_TOO_LARGE	     0x95
#define MQTT_NO_QOS	     0x9b
#define MQTT_NO_REASON	     (-1)
#define MQTT_REASON_REFUSING 0x80

/* What may have become of a message, or a subscription. */
enum fate { FREE, IN_FLIGHT, ARRIVED, REFUSED };

#define SLOTS (MQTT_WINDOW_MAX + MQTT_SUBSCRIBING_MAX)

/*
 * subscribes  it is a subscription
 * is_answered the broker answers it: all but QoS 0
 * code        why it was refused: a PUBACK's or SUBACK's reason, or MQTT_NO_REASON when the
 *             connection went
 */
struct slot {
	struct mqtt *mqtt;
	bool subscribes, is_answered;
	enum fate fate;
	uint64_t tag;
	int code;
};

/* Slots that are free. */
struct idle {
	struct slot *slots[MQTT_WINDOW_MAX];
	int n;
};

struct received {
	char *topic;
	MQTTAsync_message *message;
};

/* What came, in its order. */
struct inbox {
	struct received *items;
	size_t n, size;
};

enum link { CONNECTING, UP, DOWN };

/*
 * What the broker wants us to say something within, where that is less than we offered; paho heeds
 * only what was offered (1.3.12).
 *
 * s         0: paho's is good enough
 * written   how much it was when it was last looked, at looked_ms
 * since_ms  nothing was written from then on
 */
struct keep_alive {
	int offered_s, s;
	size_t written;
	int64_t looked_ms, since_ms;
};

/*
 * Until there is a connection, or none is to be had, all of it but what is atomic belongs to
 * `connector`, a thread of its own, for to look for the host and to sign in a handshake take their
 * time. From then on it belongs to who calls.
 *
 * ready        readable when mqtt_poll() has something to do: `bell`, or the connection
 * watched      the connection, and what of it, as `ready` knows it; fd -1: none
 * rung         the bell was
 * connects     `connector` runs, or was not waited for yet
 * tried        it has ended
 * abandoned    it is to end
 * n_unanswered answers that are to come
 * asked        the broker was told that this is the end
 * handed       something was handed over and not flushed
 */
struct mqtt {
	MQTTAsync client;
	int version, timeout_s;
	bool (*cancelled)(void);
	mqtt_done *done;
	void *done_with;
	mqtt_receive *receive;
	void *receive_with;

	int ready, bell;
	struct pollfd watched;
	atomic_bool rung;

	pthread_t connector;
	bool connects;
	atomic_bool tried, abandoned;

	enum link link;
	int connack; /* > 0: the broker's; MQTT_NO_REASON: it did not come to that */
	int goodbye; /* the reason in the broker's DISCONNECT; 0 without one */
	bool lost;   /* a message went down with the connection */
	bool stopping, asked, was_up, handed;
	int64_t deadline_ms; /* for the CONNACK, or the end */
	int window, qos_max; /* what the broker allows */
	size_t packet_max;
	struct keep_alive keep_alive;

	struct slot slots[SLOTS];
	struct idle idle_messages, idle_subscriptions;
	struct slot *settled[SLOTS]; /* ARRIVED or REFUSED, in this order, not yet told */
	int n_settled, n_unanswered;
	struct inbox inbox;
};

/* --- link: paho's words about the connection -------------------------------------------------- */

/* Has paho tell what becomes of the connection; returns paho's code. */
int mqtt_watch(struct mqtt *m);

/* The same for what a CONNECT and a DISCONNECT come to. */
void mqtt_watch_connect(struct mqtt *m, MQTTAsync_connectOptions *options);
void mqtt_watch_end(struct mqtt *m, MQTTAsync_disconnectOptions *options);

/* --- drive: whose turn it is ------------------------------------------------------------------ */

/* The descriptors. Returns 0, or FAULT_IO. */
int mqtt_drive_open(struct mqtt *m, struct fault *f);
void mqtt_drive_close(struct mqtt *m);

/* Begins to connect in a thread. Returns 0, or FAULT_IO. */
int mqtt_drive_connect(struct mqtt *m, struct fault *f);

/* Returns whether that is over; waits for it if told. */
bool mqtt_drive_connected(struct mqtt *m, bool wait);

/* Has paho do what there is to be done, and `ready` know; readable: the connection may be. */
void mqtt_drive(struct mqtt *m, bool readable);

/* Says something to a broker that wants to hear of us more often than paho speaks. */
void mqtt_drive_keep_alive(struct mqtt *m);

/* Writes what paho has made of what was handed over. */
void mqtt_drive_flush(struct mqtt *m);

/* Makes `ready` readable; and what is known of that is forgotten. */
void mqtt_ring(struct mqtt *m);
void mqtt_heard(struct mqtt *m);

/*
 * Waits until `ready` or another descriptor is readable, a signal comes, or for a slice. Returns
 * whether the other is.
 */
bool mqtt_wait(const struct mqtt *m, int other);

/* Monotonic. */
int64_t mqtt_now_ms(void);

/* --- receive ---------------------------------------------------------------------------------- */

/* Keeps a message that came; paho's callback. */
int mqtt_take(void *with, char *topic, int len, MQTTAsync_message *message);

/* Hands on what came, or drops it. */
void mqtt_hand_on(struct mqtt *m);
void mqtt_drop_inbox(struct mqtt *m);

/* --- window ----------------------------------------------------------------------------------- */

/* Tells `done` of everything settled; of all of it when the link is DOWN. Returns how much. */
int mqtt_reap(struct mqtt *m);

/* Takes a slot, or NULL when none is free; settles it, if it is still in flight. */
struct slot *mqtt_take_slot(struct idle *idle, uint64_t tag, bool is_answered);
void mqtt_put_back(struct idle *idle, struct slot *slot);
void mqtt_set_fate(struct slot *slot, enum fate fate, int code);

/* What paho's refusal to take a message or a subscription means. */
int mqtt_send_refused(struct mqtt *m, int rc, struct fault *f);

/* FAULT_USAGE for what cannot be published. */
int mqtt_check_message(const char *topic, size_t len, int qos, struct fault *f);

/* Returns 0, or FAULT_CANCELLED. */
int mqtt_check_cancelled(const struct mqtt *m, struct fault *f);

#endif
