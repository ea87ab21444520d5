#include "config.h"

#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void
wire_die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

double
wire_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

size_t
wire_put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	memcpy(at + 2, text, len);
	return len + 2;
}

size_t
wire_put_packet(uint8_t *at, uint8_t first, const uint8_t *body, size_t len)
{
	size_t n = 1, rest = len;

	at[0] = first;
	do {
		at[n++] = (uint8_t)(rest & 127) | (rest > 127 ? 128 : 0);
		rest >>= 7;
	} while (rest);
	memcpy(at + n, body, len);
	return n + len;
}

void
wire_write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t put = send(fd, data, len, MSG_NOSIGNAL);

		if (put < 0)
			wire_die("send");
		data += put;
		len -= (size_t)put;
	}
}

static void
read_all(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t got = recv(fd, data, len, 0);

		if (got <= 0)
			wire_die("the broker closed the connection");
		data += got;
		len -= (size_t)got;
	}
}

static struct sockaddr_in
loopback(long port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void
set_no_delay(int fd)
{
	const int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		wire_die("setsockopt");
}

static int
connect_to(long port)
{
	struct sockaddr_in to = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		wire_die("connect");
	set_no_delay(fd);
	return fd;
}

static int
accept_one(long port)
{
	struct sockaddr_in at = loopback(port);
	int listening = socket(AF_INET, SOCK_STREAM, 0), fd = -1;

	if (listening < 0 || bind(listening, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(listening, 1) < 0 || (fd = accept(listening, NULL, NULL)) < 0)
		wire_die("accept");
	close(listening);
	set_no_delay(fd);
	return fd;
}

void
wire_relay(long from, long to)
{
	static uint8_t bytes[65536];
	int sides[2], ready = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	ssize_t len;

	sides[0] = accept_one(from);
	sides[1] = connect_to(to);
	for (uint32_t i = 0; i < 2; i++) {
		event.data.u32 = i;
		if (epoll_ctl(ready, EPOLL_CTL_ADD, sides[i], &event) < 0)
			wire_die("epoll_ctl");
	}
	for (;;) {
		if (epoll_wait(ready, &event, 1, -1) < 0)
			wire_die("epoll_wait");
		len = read(sides[event.data.u32], bytes, sizeof(bytes));
		if (len <= 0)
			return;
		wire_write_all(sides[!event.data.u32], bytes, (size_t)len);
	}
}

int
wire_connect(long port, const char *client_id, const char *username, const char *password)
{
	const struct linger reset = {1, 0}; /* no TIME_WAIT: ports would run out */
	uint8_t body[WIRE_MAX], packet[WIRE_MAX + 5], answer[4];
	size_t n = 0;
	int fd = connect_to(port);

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	n += wire_put_text(body, "MQTT");
	body[n++] = 4;
	body[n++] = (uint8_t)(0x02 | (password ? 0xc0 : 0));
	body[n++] = 0;
	body[n++] = 60;
	n += wire_put_text(body + n, client_id);
	if (password) {
		n += wire_put_text(body + n, username);
		n += wire_put_text(body + n, password);
	}
	wire_write_all(fd, packet, wire_put_packet(packet, 0x10, body, n));
	read_all(fd, answer, 4);
	if (answer[0] != 0x20 || answer[3] != 0) {
		fprintf(stderr, "bench: CONNACK %d\n", answer[3]);
		exit(1);
	}
	return fd;
}

void
wire_subscribe(int fd, const char *filter)
{
	uint8_t body[WIRE_MAX] = {0, 1}, packet[WIRE_MAX + 5], answer[5];
	size_t n = 2 + wire_put_text(body + 2, filter);

	body[n++] = 1;
	wire_write_all(fd, packet, wire_put_packet(packet, 0x82, body, n));
	read_all(fd, answer, sizeof(answer));
	if (answer[0] != 0x90 || answer[4] > 1) {
		fprintf(stderr, "bench: SUBACK %d\n", answer[4]);
		exit(1);
	}
}

/* The length of the packet that begins at the inbox's place; 0 when it is not there whole. */
static size_t
packet_length(const struct wire_inbox *in, size_t *ret_head)
{
	size_t len = 0, head = 1;

	for (unsigned shift = 0;; shift += 7, head++) {
		if (in->at + head >= in->len)
			return 0;
		len |= (size_t)(in->bytes[in->at + head] & 127) << shift;
		if (!(in->bytes[in->at + head] & 128))
			break;
	}
	*ret_head = head + 1;
	return in->at + head + 1 + len <= in->len ? head + 1 + len : 0;
}

static void
fill(struct wire_inbox *in)
{
	ssize_t got;

	memmove(in->bytes, in->bytes + in->at, in->len - in->at);
	in->len -= in->at;
	in->at = 0;
	got = recv(in->fd, in->bytes + in->len, sizeof(in->bytes) - in->len, 0);
	if (got <= 0)
		wire_die("the broker closed the connection");
	in->len += (size_t)got;
}

const uint8_t *
wire_next(struct wire_inbox *in, size_t *ret_len)
{
	static _Thread_local uint8_t acks[sizeof(in->bytes)];
	static _Thread_local size_t n;
	size_t len, head;

	for (;;) {
		const uint8_t *packet, *body;
		size_t topic;

		while (!(len = packet_length(in, &head))) {
			wire_write_all(in->fd, acks, n);
			n = 0;
			fill(in);
		}
		packet = in->bytes + in->at;
		body = packet + head;
		in->at += len;
		if (packet[0] >> 4 != 3)
			continue;
		topic = 2 + (size_t)(body[0] << 8 | body[1]);
		if (packet[0] & 6) {
			const uint8_t ack[] = {0x40, 2, body[topic], body[topic + 1]};

			memcpy(acks + n, ack, sizeof(ack));
			n += sizeof(ack);
			topic += 2;
		}
		*ret_len = len - head - topic;
		return body + topic;
	}
}

long
wire_pubacks(int fd, size_t *held, bool wait)
{
	uint8_t buffer[4096];
	ssize_t got = recv(fd, buffer, sizeof(buffer), wait ? 0 : MSG_DONTWAIT);
	long n;

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (got <= 0)
		wire_die("the broker closed the connection");
	*held += (size_t)got;
	n = (long)(*held / 4);
	*held %= 4;
	return n;
}
