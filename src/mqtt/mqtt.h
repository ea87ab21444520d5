/*
 * mqtt: one connection to a broker: connect, publish in a bounded window, subscribe. Knows paho.
 *
 * Two ways to use it. A program that does one thing waits: mqtt_connect(), mqtt_publish(),
 * mqtt_drain(). One with an event loop never does: mqtt_start(), mqtt_send(), mqtt_subscribe(),
 * mqtt_flush() before it waits, and mqtt_poll() when mqtt_fd() is readable.
 *
 * A process has one connection at a time.
 * Threads: any, one at a time.
 */
#ifndef MQTT_MQTT_H
#define MQTT_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"

/* Bytes a payload may have here (Cloud IoT Core's bound for telemetry). */
#define MQTT_PAYLOAD_MAX (256 * 1024)

/* Messages in flight at most: more costs paho quadratically. */
#define MQTT_WINDOW_MAX 100

/* Subscriptions that wait for their answer at most, and filters in one. */
#define MQTT_SUBSCRIBING_MAX 64
#define MQTT_FILTERS_MAX     8

/*
 * url           mqtt://HOST[:1883] or mqtts://HOST[:8883]
 * client_id     at most 65535 bytes of UTF-8
 * username      or NULL
 * password      or NULL; a secret; borrowed until mqtt_connect() returns
 * version       4 (3.1.1) or 5
 * ca_file       PEM bundle; NULL: the system's
 * alpn          the protocol's name in TLS, 1..255 bytes; or NULL
 * keep_alive_s  0..65535; a broker of MQTT 5 may ask for less, which is kept to
 * timeout_s     for connect and disconnect
 * cancelled     asked while waiting; returning true ends the wait with FAULT_CANCELLED; or NULL
 */
struct mqtt_options {
	const char *url;
	const char *client_id;
	const char *username;
	const char *password;
	int version;
	const char *ca_file;
	const char *alpn;
	int keep_alive_s;
	int timeout_s;
	bool (*cancelled)(void);
};

struct mqtt;

/*
 * Connects: TLS 1.2 or newer with the broker's certificate checked against the host's name, no
 * proxy from the environment, a clean session, no reconnecting.
 *
 * ret_mqtt  free with mqtt_free()
 *
 * Returns 0; else FAULT_USAGE for a bad URL or an option out of bounds, FAULT_CONFIG for a CA file
 * that cannot be used, FAULT_NET when the broker cannot be reached or its certificate is not to be
 * trusted, FAULT_AUTH with the CONNACK code in `native` and its meaning in the text,
 * FAULT_CANCELLED, FAULT_PRECONDITION when there is a connection already, FAULT_NOMEM.
 * Blocks: up to timeout_s, and where that fails for half a minute more to find out why; besides,
 * for as long as the system looks for the host's name.  It changes the environment, and SIGPIPE is
 * ignored from here on (paho does so).
 */
int mqtt_connect(const struct mqtt_options *options, struct mqtt **ret_mqtt, struct fault *f);

/*
 * A message whose fate is known. tag is mqtt_publish()'s; failed is NULL when it arrived, else has
 * the broker's reason in `native`, or 0 there when the connection went.
 */
typedef void mqtt_done(void *with, uint64_t tag, const struct fault *failed);

/*
 * Hands a message to the broker; waits while MQTT_WINDOW_MAX messages, or as many as the broker
 * allows, are in flight. For QoS 0 it is done when it was written, for QoS 1 when the broker's
 * PUBACK came (in MQTT 5 with a reason that means success).
 *
 * payload  copied
 * qos      0 or 1
 * tag      given back to `done`
 *
 * Returns 0 when `done` will hear of it; else it was not taken and `done` does not: FAULT_NET when
 * the connection is gone or timeout_s passed without progress (every message before it is reported
 * to `done` first), FAULT_USAGE for a topic or payload out of bounds, FAULT_CANCELLED. A message
 * larger, or of a higher QoS, than the broker says it takes is refused without asking it.  `done`
 * is called from within mqtt_publish(), mqtt_drain() and mqtt_await() only.
 */
int mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f);

/* Sets who is told; NULL for nobody. */
void mqtt_on_done(struct mqtt *mqtt, mqtt_done *done, void *with);

/*
 * Waits until every message is done, one way or the other.
 *
 * Returns 0; else FAULT_NET when messages went down with the connection, or timeout_s passed
 * without any progress (the rest is reported to `done`), FAULT_CANCELLED (the rest is in flight).
 */
int mqtt_drain(struct mqtt *mqtt, struct fault *f);

/*
 * Waits until a descriptor is readable, and keeps the connection up meanwhile.
 *
 * Returns 0; else FAULT_NET when the connection ended, FAULT_CANCELLED.
 */
int mqtt_await(struct mqtt *mqtt, int fd, struct fault *f);

/*
 * Begins to connect, as mqtt_connect() does, and does not wait.
 *
 * Returns 0; else as mqtt_connect(), but for what the broker and the network say: mqtt_poll() has
 * that.
 */
int mqtt_start(const struct mqtt_options *options, struct mqtt **ret_mqtt, struct fault *f);

enum mqtt_state { MQTT_CONNECTING, MQTT_UP, MQTT_DOWN };

/* Readable when mqtt_poll() has something to do; valid until mqtt_free(). */
int mqtt_fd(const struct mqtt *mqtt);

/*
 * Reads and writes, tells `done` what became of messages and subscriptions, hands on what came, and
 * says how the connection is. To be called when mqtt_fd() is readable, and once a second, for what
 * time alone brings.
 *
 * ret_why  for MQTT_DOWN, which is for good: FAULT_NONE after mqtt_stop(); FAULT_AUTH with the
 *          CONNACK code in `native`; FAULT_NET
 *
 * `done` and the receiver must not call mqtt_free(); anything else they may.
 */
enum mqtt_state mqtt_poll(struct mqtt *mqtt, struct fault *ret_why);

/*
 * How many messages mqtt_send() takes now; how many it takes when none is in flight and the network
 * takes them; and how many are in flight.
 */
int mqtt_room(const struct mqtt *mqtt);
int mqtt_window(const struct mqtt *mqtt);
int mqtt_in_flight(const struct mqtt *mqtt);

/* The highest QoS that the broker accepts, once there is a connection: 0 or 1. */
int mqtt_max_qos(const struct mqtt *mqtt);

/*
 * As mqtt_publish(), but neither waits nor writes: mqtt_flush() does, or the next mqtt_poll().
 *
 * Returns 0 when `done` will hear of it; else FAULT_PRECONDITION when there is no room or the
 * connection is not up, FAULT_USAGE, FAULT_NET.
 */
int mqtt_send(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f);

/* Writes what was handed over, in one go. */
void mqtt_flush(struct mqtt *mqtt);

/*
 * Subscribes to filters, or unsubscribes. `done` hears when the broker has answered, and whether it
 * refused one of them.
 *
 * qos  of all of them: 0 or 1
 *
 * With MQTT 5 messages come retained as they were published so; else only those that were there.
 *
 * Returns as mqtt_send(), FAULT_PRECONDITION when MQTT_SUBSCRIBING_MAX wait for their answers.
 */
int mqtt_subscribe(struct mqtt *mqtt, const char *const *filters, size_t n, int qos, uint64_t tag,
	struct fault *f);
int mqtt_unsubscribe(
	struct mqtt *mqtt, const char *const *filters, size_t n, uint64_t tag, struct fault *f);

/* A message that came; valid until the receiver returns. */
struct mqtt_message {
	const char *topic;
	const void *payload;
	size_t len;
	int qos;
	bool retained;
};

/* What a broker that does not read may keep an end waiting for. */
#define MQTT_FAREWELL_S 2

typedef void mqtt_receive(void *with, const struct mqtt_message *message);

/* Sets who is handed what comes; NULL, as at first, for nobody: it is dropped then. */
void mqtt_on_message(struct mqtt *mqtt, mqtt_receive *receive, void *with);

/*
 * Begins to disconnect politely: MQTT_DOWN within MQTT_FAREWELL_S, with or without what waits to be
 * written; what is in flight is not awaited.
 */
void mqtt_stop(struct mqtt *mqtt);

/* Whether a URL is a broker's. Returns 0; else FAULT_USAGE saying what one looks like. */
int mqtt_check_url(const char *url, struct fault *f);

/*
 * Whether the lengths and numbers of options are within bounds; url and ca_file are not looked at.
 *
 * Returns 0; else FAULT_USAGE.
 */
int mqtt_check_options(const struct mqtt_options *options, struct fault *f);

/*
 * Whether a CA file can be read and has a certificate in it.
 *
 * Returns 0; else FAULT_CONFIG naming the file, FAULT_NOMEM.  Blocks: on the file.
 */
int mqtt_check_ca_file(const char *path, struct fault *f);

/*
 * Says why a broker cannot be reached, which paho does not tell: connects once more, without
 * credentials, and asks which version of MQTT it speaks.
 *
 * options  as for mqtt_start(), of which url, ca_file, version and timeout_s count
 *
 * Returns -1, always: FAULT_NET, FAULT_CONFIG when the CA file cannot be used, FAULT_USAGE for a
 * bad URL.  Blocks: up to five times timeout_s, and while the system looks for the name.
 */
int mqtt_explain(const struct mqtt_options *options, struct fault *f);

/*
 * Disconnects politely when connected, and frees; what is in flight is forgotten, and `done` not
 * told. What waits to be written has timeout_s, or what is left of MQTT_FAREWELL_S after
 * mqtt_stop(). NULL is allowed.
 */
void mqtt_free(struct mqtt *mqtt);

AUTO_DEFINE(mqtt, struct mqtt, mqtt_free);

#endif
