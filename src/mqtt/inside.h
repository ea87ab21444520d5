/* inside: a connection's parts, and who may touch them. Private to mqtt/. */
#ifndef MQTT_INSIDE_H
#define MQTT_INSIDE_H

#include <pthread.h>
#include <stdint.h>

#include <MQTTAsync.h>

#include "mqtt/mqtt.h"

/*
 * How long a wait goes on before it asks whether it was cancelled: a signal's handler may not
 * signal a condition variable, so that nothing ends the wait sooner.
 */
#define MQTT_SLICE_MS 100

/* Reasons that are known before the broker is asked (MQTT 5 section 3.14.2.1). */
#define MQTT_TOO_LARGE	     0x95
#define MQTT_NO_QOS	     0x9b
#define MQTT_NO_REASON	     (-1)
#define MQTT_REASON_REFUSING 0x80

/* Our own reason to end a connection: what came was not fetched. */
#define MQTT_OVERRUN (-2)

/* What may have become of a message, or a subscription. */
enum fate { FREE, IN_FLIGHT, ARRIVED, REFUSED };

#define SLOTS (MQTT_WINDOW_MAX + MQTT_SUBSCRIBING_MAX)

/*
 * subscribes  it is a subscription
 * code        why it was refused: a PUBACK's or SUBACK's reason, or MQTT_NO_REASON when the
 *             connection went
 */
struct slot {
	struct mqtt *mqtt;
	bool subscribes;
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
	size_t n, size, bytes;
};

enum link { CONNECTING, UP, DOWN };

/*
 * paho's threads only change what `mutex` guards, and wake us. It is never held around a call of
 * paho's, whose own lock is held in its callbacks: the two would lock each other out.
 */
struct mqtt {
	MQTTAsync client;
	int version, timeout_s;
	bool (*cancelled)(void);
	void (*wake)(void *with);
	void *wake_with;
	mqtt_done *done;
	void *done_with;
	mqtt_receive *receive;
	void *receive_with;
	struct idle idle_messages, idle_subscriptions;
	bool lost; /* a message went down with the connection */
	bool stopping, was_up, timed_out;
	int64_t deadline_ms; /* for the CONNACK, or the end */

	/* What the broker allows: set before `link` is UP, fixed from then on. */
	int window, qos_max;
	size_t packet_max;

	pthread_mutex_t mutex;
	pthread_cond_t woken;
	bool roused; /* `wake` was called, and mqtt_poll() not since then */
	enum link link;
	int connack; /* > 0: the broker's; MQTT_NO_REASON: it did not come to that */
	int goodbye; /* the reason in the broker's DISCONNECT; 0 without one */
	struct slot slots[SLOTS];
	struct slot *settled[SLOTS]; /* ARRIVED or REFUSED, in this order, not yet told */
	int n_settled, n_in_flight;
	struct inbox inbox;
};

/* Wakes who waits or polls; the mutex is held.  Threads: any. */
void mqtt_rouse(struct mqtt *m);

/* Keeps a message that came; paho's callback.  Threads: paho's. */
int mqtt_take(void *with, char *topic, int len, MQTTAsync_message *message);

/* Hands on what came, or drops it. */
void mqtt_hand_on(struct mqtt *m);
void mqtt_drop_inbox(struct mqtt *m);

/* Tells `done` of everything settled; of all of it when the link is DOWN. Returns how much. */
int mqtt_reap(struct mqtt *m, enum link *ret_link, int *ret_goodbye);

/* Takes a slot, or NULL when none is free; settles it, if it is still in flight. */
struct slot *mqtt_take_slot(struct mqtt *m, struct idle *idle, uint64_t tag);
void mqtt_put_back(struct mqtt *m, struct idle *idle, struct slot *slot);
void mqtt_set_fate(struct slot *slot, enum fate fate, int code);

/* What paho's refusal to take a message or a subscription means. */
int mqtt_send_refused(struct mqtt *m, int rc, struct fault *f);

int mqtt_in_flight(const struct mqtt *m);

/* FAULT_USAGE for what cannot be published. */
int mqtt_check_message(const char *topic, size_t len, int qos, struct fault *f);

/* Changes the link, and wakes who waits.  Threads: any. */
void mqtt_set_link(struct mqtt *m, enum link link);

/* Has paho tell what becomes of the connection; returns paho's code. */
int mqtt_watch(struct mqtt *m);

/* The same for what a CONNECT and a DISCONNECT come to. */
void mqtt_watch_connect(struct mqtt *m, MQTTAsync_connectOptions *options);
void mqtt_watch_end(struct mqtt *m, MQTTAsync_disconnectOptions *options);

/* Monotonic. */
int64_t mqtt_now_ms(void);

/* Waits until woken, a slice at most; the mutex is held before and after. */
void mqtt_wait_slice(struct mqtt *m);

/* Returns 0, or FAULT_CANCELLED. */
int mqtt_check_cancelled(const struct mqtt *m, struct fault *f);

#endif
