/* wire: MQTT 3.1.1 spoken by hand to 127.0.0.1, so that a load costs as little as can be. */
#ifndef TESTS_BENCH_WIRE_H
#define TESTS_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* They end the program when something fails. */

#define WIRE_MAX 20000 /* bytes of a packet's body */

_Noreturn void wire_die(const char *what);

/* Monotonic seconds. */
double wire_now(void);

/* Writes a text with its length before it; returns how long both are. */
size_t wire_put_text(uint8_t *at, const char *text);

/* A packet: its first byte, its remaining length and its body. Returns its length. */
size_t wire_put_packet(uint8_t *at, uint8_t first, const uint8_t *body, size_t len);

void wire_write_all(int fd, const uint8_t *data, size_t len);

/* Takes one connection to `from` and passes bytes between it and `to`, until one side ends. */
void wire_relay(long from, long to);

/* A connection whose CONNACK has come; without a password there is no user name either. */
int wire_connect(long port, const char *client_id, const char *username, const char *password);

/* Subscribes with QoS 1, and waits for the SUBACK. */
void wire_subscribe(int fd, const char *filter);

/*
 * How many PUBACKs have come, where nothing else does.
 *
 * held  bytes of one that is not whole yet: 0 at first
 * wait  until there is one at least
 */
long wire_pubacks(int fd, size_t *held, bool wait);

/* What came of a subscription, and was not handed out yet. */
struct wire_inbox {
	int fd;
	size_t at, len;
	uint8_t bytes[65536];
};

/*
 * The payload of the next message, which is acknowledged; stays until the next call. What goes back
 * is sent when everything that came was handed out.
 */
const uint8_t *wire_next(struct wire_inbox *inbox, size_t *ret_len);

#endif
