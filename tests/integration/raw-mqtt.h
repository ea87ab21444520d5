/* raw-mqtt: MQTT 3.1.1 spoken by hand, for what no client library would send. */
#ifndef TESTS_INTEGRATION_RAW_MQTT_H
#define TESTS_INTEGRATION_RAW_MQTT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* They end the program when the broker does what it must not. */

struct raw_connect {
	const char *client_id;
	const char *password; /* NULL: none */
	size_t password_len;
	bool keep_session;
};

/* Writes a text with its length before it; returns what is behind it. */
unsigned char *raw_put_text(unsigned char *at, const char *text, size_t len);

/* Puts a packet's header before its body; returns its length. */
size_t raw_frame(unsigned char type, const unsigned char *body, size_t len, unsigned char *out);

/* A CONNECT; returns its length. */
size_t raw_connect_packet(const struct raw_connect *c, unsigned char *out);

/* A PUBLISH with QoS 1; returns its length. */
size_t raw_publish_packet(const char *device, const char *what, uint16_t id, const void *payload,
	size_t len, unsigned char *out);

/* The CONNACK's code, or -1 when the broker closed without one. */
int raw_connect(uint16_t port, const struct raw_connect *c);

struct raw_gateway;

/* A gateway's connection, which listens to its errors. */
struct raw_gateway *raw_gateway_open(uint16_t port, const struct raw_connect *c, const char *id);

void raw_gateway_close(struct raw_gateway *gateway);

/*
 * Attaches a device and detaches it again.
 *
 * token  the authorization, any bytes; NULL: none
 *
 * Returns whether it was attached.
 */
bool raw_attach(struct raw_gateway *gateway, const char *device, const char *token, size_t len);

/* Attaches a device without a token and leaves it so. Returns whether it was attached. */
bool raw_stays_attached(struct raw_gateway *gateway, const char *device);

/*
 * Publishes to a topic, any bytes.
 *
 * Returns whether the broker closed the connection for it, or told the gateway of an error.
 */
bool raw_refused(struct raw_gateway *gateway, const char *topic, size_t len, const char *payload);

#endif
