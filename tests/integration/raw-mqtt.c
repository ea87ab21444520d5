#include "config.h"

#include "raw-mqtt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker-token.h"

#define WAIT_MS 30000

/* No device has this id: what is said about it comes behind what is said about others. */
#define MARKER "marker"

struct raw_gateway {
	int fd;
	char id[64];
	unsigned char in[65536];
};

unsigned char *
raw_put_text(unsigned char *at, const char *text, size_t len)
{
	*at++ = (unsigned char)(len >> 8);
	*at++ = (unsigned char)len;
	memcpy(at, text, len);
	return at + len;
}

size_t
raw_frame(unsigned char type, const unsigned char *body, size_t len, unsigned char *out)
{
	size_t n = 0;

	out[n++] = type;
	for (size_t rest = len; n == 1 || rest; rest >>= 7)
		out[n++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
	memcpy(out + n, body, len);
	return n + len;
}

size_t
raw_connect_packet(const struct raw_connect *c, unsigned char *out)
{
	static unsigned char body[140000];
	unsigned char *at = raw_put_text(body, "MQTT", 4);

	*at++ = 4;
	*at++ = (unsigned char)(0x80 | (c->password ? 0x40 : 0) | (c->keep_session ? 0 : 0x02));
	*at++ = 0;
	*at++ = 60;
	at = raw_put_text(at, c->client_id, strlen(c->client_id));
	at = raw_put_text(at, "unused", 6);
	if (c->password)
		at = raw_put_text(at, c->password, c->password_len);
	return raw_frame(0x10, body, (size_t)(at - body), out);
}

static bool
send_all(int fd, const unsigned char *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(fd, out + done, len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool
receive(int fd, unsigned char *in, size_t len)
{
	for (size_t done = 0; done < len;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&ready, 1, WAIT_MS) != 1)
			fail("the broker does not answer");
		n = recv(fd, in + done, len - done, 0);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* Sends a CONNECT; the CONNACK's code, or -1. */
static int
shake_hands(int fd, const struct raw_connect *c)
{
	static unsigned char out[150000];
	unsigned char in[4];

	if (!send_all(fd, out, raw_connect_packet(c, out)) || !receive(fd, in, sizeof(in)))
		return -1;
	if (in[0] != 0x20 || in[1] != 2)
		fail("the broker answers with something else than CONNACK");
	return in[3];
}

static int
open_socket(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		fail("cannot connect: %s", strerror(errno));
	return fd;
}

int
raw_connect(uint16_t port, const struct raw_connect *c)
{
	AUTO(auto_fd) int fd = open_socket(port);

	return shake_hands(fd, c);
}

/*
 * Reads one packet into gateway->in, with a NUL behind; returns its type, sets its length. 0 when
 * the broker closed the connection.
 */
static unsigned char
try_packet(struct raw_gateway *gateway, size_t *ret_len)
{
	unsigned char type, byte;
	size_t len = 0;
	int shift = 0;

	if (!receive(gateway->fd, &type, 1))
		return 0;
	do {
		if (!receive(gateway->fd, &byte, 1))
			return 0;
		len |= (size_t)(byte & 0x7f) << shift;
		shift += 7;
	} while (byte & 0x80);
	if (len >= sizeof(gateway->in))
		fail("the broker sends %zu bytes", len);
	if (len && !receive(gateway->fd, gateway->in, len))
		return 0;
	gateway->in[len] = '\0';
	*ret_len = len;
	return type;
}

static unsigned char
next_packet(struct raw_gateway *gateway, size_t *ret_len)
{
	unsigned char type = try_packet(gateway, ret_len);

	if (!type)
		fail("the broker closed the gateway's connection");
	return type;
}

size_t
raw_publish_packet(const char *device, const char *what, uint16_t id, const void *payload,
	size_t len, unsigned char *out)
{
	static unsigned char body[900000];
	char topic[400];
	unsigned char *at;

	snprintf(topic, sizeof(topic), "/devices/%s/%s", device, what);
	at = raw_put_text(body, topic, strlen(topic));
	*at++ = (unsigned char)(id >> 8);
	*at++ = (unsigned char)id;
	memcpy(at, payload, len);
	return raw_frame(0x32, body, (size_t)(at - body) + len, out);
}

static void
publish(struct raw_gateway *gateway, const char *device, const char *what, const void *payload,
	size_t len)
{
	static unsigned char out[900016];

	if (!send_all(gateway->fd, out, raw_publish_packet(device, what, 1, payload, len, out)))
		fail("the broker closed the gateway's connection");
}

struct raw_gateway *
raw_gateway_open(uint16_t port, const struct raw_connect *c, const char *id)
{
	struct raw_gateway *gateway = calloc(1, sizeof(*gateway));
	unsigned char body[128], out[160], *at = body;
	char topic[96];
	size_t len;

	if (!gateway)
		fail("memory ran out");
	gateway->fd = open_socket(port);
	snprintf(gateway->id, sizeof(gateway->id), "%s", id);
	if (shake_hands(gateway->fd, c))
		fail("the gateway is not let in");
	*at++ = 0;
	*at++ = 1;
	snprintf(topic, sizeof(topic), "/devices/%s/errors", id);
	at = raw_put_text(at, topic, strlen(topic));
	*at++ = 0;
	send_all(gateway->fd, out, raw_frame(0x82, body, (size_t)(at - body), out));
	if (next_packet(gateway, &len) != 0x90 || len != 3 || gateway->in[2] != 0)
		fail("the gateway cannot listen to its errors");
	return gateway;
}

void
raw_gateway_close(struct raw_gateway *gateway)
{
	if (!gateway)
		return;
	close(gateway->fd);
	free(gateway);
}

/* A JSON string; bytes that are no text go as they are, for the broker to refuse. */
static size_t
put_json(char *out, const char *token, size_t len)
{
	size_t n = (size_t)sprintf(out, "{\"authorization\":\"");

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)token[i];

		if (c < 0x20)
			n += (size_t)sprintf(out + n, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			n += (size_t)sprintf(out + n, "\\%c", c);
		else
			out[n++] = (char)c;
	}
	return n + (size_t)sprintf(out + n, "\"}");
}

/* How many errors came before the one about the marker; -1 when the connection was closed. */
static int
count_errors(struct raw_gateway *gateway)
{
	unsigned char type;
	size_t len;
	int errors = 0;

	while ((type = try_packet(gateway, &len))) {
		const char *text =
			(const char *)gateway->in + 2 + (gateway->in[0] << 8 | gateway->in[1]);

		if (type >> 4 != 3)
			continue;
		if (strstr(text, "\"device_id\":\"" MARKER "\""))
			return errors;
		errors++;
	}
	return -1;
}

/*
 * A device that was attached can be detached without an error; of one that was not there are two:
 * the attach's and the detach's.
 */
bool
raw_attach(struct raw_gateway *gateway, const char *device, const char *token, size_t len)
{
	static char payload[850000];
	size_t n = token ? put_json(payload, token, len) : 0;
	int errors;

	publish(gateway, device, "attach", payload, n);
	publish(gateway, device, "detach", "{}", 2);
	publish(gateway, MARKER, "detach", "{}", 2);
	errors = count_errors(gateway);
	if (errors != 0 && errors != 2)
		fail("%d errors for one attach and one detach", errors);
	return errors == 0;
}

bool
raw_stays_attached(struct raw_gateway *gateway, const char *device)
{
	int errors;

	publish(gateway, device, "attach", "{}", 2);
	publish(gateway, MARKER, "detach", "{}", 2);
	errors = count_errors(gateway);
	if (errors < 0)
		fail("the broker closed the gateway's connection");
	return errors == 0;
}

bool
raw_refused(struct raw_gateway *gateway, const char *topic, size_t len, const char *payload)
{
	static unsigned char body[70000], out[70016];
	unsigned char *at = raw_put_text(body, topic, len);

	*at++ = 0;
	*at++ = 7;
	memcpy(at, payload, strlen(payload));
	at += strlen(payload);
	send_all(gateway->fd, out, raw_frame(0x32, body, (size_t)(at - body), out));
	/* It may be closed already. */
	send_all(gateway->fd, out, raw_publish_packet(MARKER, "detach", 8, "{}", 2, out));
	return count_errors(gateway) != 0;
}
