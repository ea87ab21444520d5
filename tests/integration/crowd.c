/*
 * Many devices at once, speaking MQTT 3.1.1 by hand, each with a token signed by the same key.
 *
 * crowd PORT KEY devices N [ROUNDS]  N devices, crowd-0 to crowd-(N-1), connect all at once, then
 *                                    each publishes ROUNDS events and waits for each PUBACK
 * crowd PORT KEY gateway N [ROUNDS]  the gateway crowd-gw attaches them and publishes for each
 * crowd PORT KEY takeover N          N connections of crowd-0 at once: one is left, and works
 *
 * Prints "connected" and "done" when they are so. Exit status 0 when all was answered.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/auto.h"
#include "broker-token.h"
#include "raw-mqtt.h"

#define DEVICES "projects/crowd/locations/us-central1/registries/reg/devices/"
#define HEADER	"{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
#define CLAIMS	"{\"iat\":{-10},\"exp\":{3000},\"aud\":\"crowd\"}"
#define WAIT_S	120

/* Messages of the gateway that wait for their PUBACK. */
#define WINDOW 100

struct connection {
	int fd;
	int rounds; /* PUBACKs that came */
	bool open;  /* CONNACK 0 came */
	unsigned char in[256];
	size_t n_in;
};

static uint16_t port;
static EVP_PKEY *key;
static int epoll;
static time_t deadline;

static void
start_clock(void)
{
	deadline = time(NULL) + WAIT_S;
}

static void
send_packet(struct connection *c, const unsigned char *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = send(c->fd, out + done, len - done, MSG_NOSIGNAL);

		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return;
		if (n < 0 && errno != EAGAIN)
			fail("send: %s", strerror(errno));
		if (time(NULL) > deadline)
			fail("the broker takes nothing");
		done += n > 0 ? (size_t)n : 0;
	}
}

static void
open_connection(struct connection *c, const char *device)
{
	static unsigned char out[8192];
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
	AUTO(auto_free) char *claims = with_times(CLAIMS);
	AUTO(auto_free) char *input = token_input(HEADER, claims, strlen(claims));
	AUTO(auto_free) char *token = token_signed(input, key, SIGN_AS_JOSE);
	AUTO(auto_free) char *id = NULL;

	if (asprintf(&id, DEVICES "%s", device) < 0)
		fail("memory ran out");
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof(address)) ||
		fcntl(c->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event))
		fail("cannot connect: %s", strerror(errno));
	send_packet(c, out,
		raw_connect_packet(&(struct raw_connect){id, token, strlen(token), false}, out));
}

/* Reads what is there: CONNACKs and PUBACKs, four bytes each. Returns whether it is open still. */
static bool
read_answers(struct connection *c)
{
	ssize_t n = recv(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in, 0);

	if (n < 0 && errno == EAGAIN)
		return true;
	if (n <= 0)
		return false;
	c->n_in += (size_t)n;
	for (; c->n_in >= 4; c->n_in -= 4, memmove(c->in, c->in + 4, c->n_in)) {
		if (c->in[0] == 0x20 && c->in[3] == 0)
			c->open = true;
		else if (c->in[0] == 0x40)
			c->rounds++;
		else
			fail("the broker answers with 0x%02x, code %d", c->in[0], c->in[3]);
	}
	return true;
}

static void
publish(struct connection *c, const char *device, uint16_t id)
{
	static unsigned char out[1024];

	send_packet(c, out, raw_publish_packet(device, "events", id, "hello", 5, out));
}

/* Waits for answers and hands each connection that has some, or is closed, to `answered`. */
static void
pump(void (*answered)(struct connection *c, bool is_open))
{
	struct epoll_event events[256];
	int n = epoll_wait(epoll, events, 256, 1000);

	if (time(NULL) > deadline)
		fail("not all was answered in %d s", WAIT_S);
	for (int i = 0; i < n; i++) {
		struct connection *c = events[i].data.ptr;

		answered(c, read_answers(c));
	}
}

static struct connection *all;
static int n_open, n_done, n_rounds;

static void
name_of(const struct connection *c, char *name, size_t size)
{
	snprintf(name, size, "crowd-%d", (int)(c - all));
}

static void
device_answered(struct connection *c, bool is_open)
{
	static const int opened = -1;
	char name[32];

	if (!is_open)
		fail("the broker closed a connection");
	if (n_done == opened) {
		n_open += c->open;
		return;
	}
	if (c->rounds < n_rounds) {
		name_of(c, name, sizeof(name));
		publish(c, name, 1);
	} else {
		n_done++;
	}
}

static void
devices(int n)
{
	char name[32];

	start_clock();
	n_done = -1;
	for (int i = 0; i < n; i++) {
		name_of(&all[i], name, sizeof(name));
		open_connection(&all[i], name);
	}
	while (n_open < n)
		pump(device_answered);
	printf("connected\n");
	fflush(stdout);
	n_done = 0;
	start_clock();
	for (int i = 0; i < n && n_rounds; i++) {
		name_of(&all[i], name, sizeof(name));
		publish(&all[i], name, 1);
	}
	while (n_rounds && n_done < n)
		pump(device_answered);
}

static void
gateway_answered(struct connection *c, bool is_open)
{
	(void)c;
	if (!is_open)
		fail("the broker closed the gateway's connection");
}

/* Sends one message for each device, a window at a time. */
static void
for_each(struct connection *c, int n, const char *what)
{
	static unsigned char out[1024];
	char name[32];

	c->rounds = 0;
	for (int i = 0; i < n || c->rounds < n;) {
		if (i < n && i - c->rounds < WINDOW) {
			snprintf(name, sizeof(name), "crowd-%d", i);
			send_packet(c, out,
				raw_publish_packet(
					name, what, (uint16_t)(1 + i % WINDOW), "{}", 2, out));
			i++;
		} else {
			pump(gateway_answered);
		}
	}
}

static void
gateway(int n)
{
	start_clock();
	open_connection(&all[0], "crowd-gw");
	while (!all[0].open)
		pump(gateway_answered);
	for_each(&all[0], n, "attach");
	printf("connected\n");
	fflush(stdout);
	for (int i = 0; i < n_rounds; i++)
		for_each(&all[0], n, "events");
}

static struct connection *last;

static void
rival_answered(struct connection *c, bool is_open)
{
	if (is_open)
		return;
	epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
	n_done++;
}

/* The one that is let in and not closed; its CONNACK may come after the others' ends. */
static bool
find_last(int n)
{
	char byte;

	for (int i = 0; i < n; i++) {
		if (all[i].open && recv(all[i].fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN)
			last = &all[i];
	}
	return last != NULL;
}

static void
takeover(int n)
{
	start_clock();
	for (int i = 0; i < n; i++)
		open_connection(&all[i], "crowd-0");
	while (n_done < n - 1 || !find_last(n))
		pump(rival_answered);
	publish(last, "crowd-0", 1);
	while (!last->rounds)
		pump(rival_answered);
}

int
main(int argc, char **argv)
{
	struct rlimit limit;
	int n;

	if (argc < 5)
		fail("usage: crowd PORT KEY devices|gateway|takeover N [ROUNDS]");
	port = (uint16_t)atoi(argv[1]);
	key = read_key(argv[2]);
	n = atoi(argv[4]);
	n_rounds = argc > 5 ? atoi(argv[5]) : 0;
	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	all = calloc((size_t)n, sizeof(*all));
	epoll = epoll_create1(0);
	if (!all || epoll < 0 || n < 1)
		fail("memory ran out");
	if (!strcmp(argv[3], "devices"))
		devices(n);
	else if (!strcmp(argv[3], "gateway"))
		gateway(n);
	else
		takeover(n);
	printf("done\n");
	for (int i = 0; i < n; i++) {
		if (all[i].fd)
			close(all[i].fd);
	}
	free(all);
	EVP_PKEY_free(key);
	return 0;
}
