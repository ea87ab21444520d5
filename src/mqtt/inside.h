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

/* What may have become of a message. */
enum fate { FREE, IN_FLIGHT, ARRIVED, REFUSED };

/* code  why it was refused: a PUBACK's reason, or MQTT_NO_REASON when the connection went */
struct slot {
	struct mqtt *mqtt;
	enum fate fate;
	uint64_t tag;
	int code;
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
	mqtt_done *done;
	void *done_with;
	struct slot *idle[MQTT_WINDOW_MAX];
	int n_idle;
	bool lost; /* a message went down with the connection */

	/* What the broker allows: set before `link` is UP, fixed from then on. */
	int window, qos_max;
	size_t packet_max;

	pthread_mutex_t mutex;
	pthread_cond_t woken;
	enum link link;
	int connack; /* > 0: the broker's; MQTT_NO_REASON: it did not come to that */
	int goodbye; /* the reason in the broker's DISCONNECT; 0 without one */
	struct slot slots[MQTT_WINDOW_MAX];
	struct slot *settled[MQTT_WINDOW_MAX]; /* ARRIVED or REFUSED, in this order, not yet told */
	int n_settled;
};

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
