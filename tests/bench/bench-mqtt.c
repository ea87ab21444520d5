/*
 * Loads a broker on 127.0.0.1 and prints how many connections or messages a second it took. Speaks
 * MQTT 3.1.1 by hand, so that the client costs as little as can be.
 *
 * usage: bench-mqtt connect|publish --port P --client-id ID [--password-file F] ...
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/setting.h"

#define THREADS_MAX 16
#define PACKET_MAX  20000

struct options {
	long port, seconds, threads, qos, size, window, devices, step, messages;
	char *client_id, *username, *password_file, *topic;
};

static const struct setting settings[] = {
	{"port", 'p', SETTING_NUMBER, offsetof(struct options, port), .min = 1, .max = 65535,
		.value = "N", .help = "the broker's port"},
	{"client-id", 0, SETTING_TEXT, offsetof(struct options, client_id), .value = "ID",
		.help = "client id; the thread's number is put behind it"},
	{"username", 0, SETTING_TEXT, offsetof(struct options, username), .preset = "unused",
		.value = "NAME", .help = "user name"},
	{"password-file", 0, SETTING_TEXT, offsetof(struct options, password_file), .value = "FILE",
		.help = "its first line is the password"},
	{"topic", 0, SETTING_TEXT, offsetof(struct options, topic), .preset = "t", .value = "TOPIC",
		.help = "topic; a '%' in it becomes the thread's number"},
	{"seconds", 0, SETTING_NUMBER, offsetof(struct options, seconds), .preset = "2", .min = 1,
		.max = 60, .value = "N", .help = "how long"},
	{"threads", 0, SETTING_NUMBER, offsetof(struct options, threads), .preset = "1", .min = 1,
		.max = THREADS_MAX, .value = "N", .help = "connections at a time"},
	{"qos", 0, SETTING_NUMBER, offsetof(struct options, qos), .preset = "0", .min = 0, .max = 1,
		.value = "N", .help = "quality of service"},
	{"size", 0, SETTING_NUMBER, offsetof(struct options, size), .preset = "256", .min = 1,
		.max = 8192, .value = "N", .help = "bytes of a payload"},
	{"devices", 0, SETTING_NUMBER, offsetof(struct options, devices), .preset = "0", .min = 0,
		.max = 100000000, .value = "N",
		.help = "connect as each of so many in turn, not as the thread's number"},
	{"step", 0, SETTING_NUMBER, offsetof(struct options, step), .preset = "1", .min = 1,
		.max = 1000000, .value = "N", .help = "their numbers are so far apart"},
	{"messages", 0, SETTING_NUMBER, offsetof(struct options, messages), .preset = "0", .min = 0,
		.max = 100000000, .value = "N", .help = "end after so many; 0: by time alone"},
	{"window", 0, SETTING_NUMBER, offsetof(struct options, window), .preset = "100", .min = 1,
		.max = 1000, .value = "N", .help = "messages in flight"},
	{NULL},
};

static struct options options;
static char *password;
static atomic_ullong total;
static double end_at;

static void
die(const char *what)
{
	fprintf(stderr, "bench-mqtt: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static size_t
put_text(uint8_t *at, const char *text)
{
	size_t len = strlen(text);

	at[0] = (uint8_t)(len >> 8);
	at[1] = (uint8_t)len;
	memcpy(at + 2, text, len);
	return len + 2;
}

/* A packet: its first byte, its remaining length and its body. Returns its length. */
static size_t
put_packet(uint8_t *at, uint8_t first, const uint8_t *body, size_t len)
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

static void
write_all(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t put = send(fd, data, len, MSG_NOSIGNAL);

		if (put < 0)
			die("send");
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
			die("the broker closed the connection");
		data += got;
		len -= (size_t)got;
	}
}

static int
connect_mqtt(const char *client_id)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)options.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct linger reset = {1, 0}; /* no TIME_WAIT: ports would run out */
	uint8_t body[PACKET_MAX], packet[PACKET_MAX + 5], answer[4];
	size_t n = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	n += put_text(body, "MQTT");
	body[n++] = 4;
	body[n++] = (uint8_t)(0x02 | (password ? 0xc0 : 0));
	body[n++] = 0;
	body[n++] = 60;
	n += put_text(body + n, client_id);
	if (password) {
		n += put_text(body + n, options.username);
		n += put_text(body + n, password);
	}
	write_all(fd, packet, put_packet(packet, 0x10, body, n));
	read_all(fd, answer, 4);
	if (answer[0] != 0x20 || answer[3] != 0) {
		fprintf(stderr, "bench-mqtt: CONNACK %d\n", answer[3]);
		exit(1);
	}
	return fd;
}

static void
client_id_of(char *buffer, size_t size, long thread)
{
	snprintf(buffer, size, "%s%ld", options.client_id, thread);
}

static void *
connects(void *thread)
{
	static const uint8_t disconnect[] = {0xe0, 0};
	char id[1024];

	client_id_of(id, sizeof(id), (long)thread);
	for (long i = 0; now() < end_at; i++) {
		int fd;

		/* All over the file: a prime number of steps comes by each of them. */
		if (options.devices)
			client_id_of(id, sizeof(id),
				((long)thread * 104729 + i * 7919) % options.devices *
					options.step);
		fd = connect_mqtt(id);

		write_all(fd, disconnect, sizeof(disconnect));
		close(fd);
		total++;
	}
	return NULL;
}

/* Reads the PUBACKs that are there, at least one when `wait`; every packet back is one of them. */
static long
read_pubacks(int fd, size_t *held, bool wait)
{
	uint8_t buffer[4096];
	ssize_t got = recv(fd, buffer, sizeof(buffer), wait ? 0 : MSG_DONTWAIT);
	long n;

	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (got <= 0)
		die("the broker closed the connection");
	*held += (size_t)got;
	n = (long)(*held / 4);
	*held %= 4;
	return n;
}

static void *
publishes(void *thread)
{
	char id[1024], topic[512];
	uint8_t body[PACKET_MAX], packet[PACKET_MAX + 5];
	const char *percent = strchr(options.topic, '%');
	unsigned packet_id = 0;
	long in_flight = 0;
	size_t held = 0, head, n;
	int fd;

	client_id_of(id, sizeof(id), (long)thread);
	snprintf(topic, sizeof(topic), percent ? "%.*s%ld%s" : "%.*s",
		(int)(percent ? percent - options.topic : (long)strlen(options.topic)),
		options.topic, (long)thread, percent ? percent + 1 : "");
	fd = connect_mqtt(id);
	memset(body, 'x', sizeof(body));
	head = put_text(body, topic);
	while (now() < end_at && (!options.messages || total < (unsigned long)options.messages)) {
		/* QoS 0 ends each burst with a QoS 1 message, so that what counts was taken. */
		for (long i = 0; i < 50; i++) {
			bool acked = options.qos || i == 49;

			while (acked && in_flight >= options.window)
				in_flight -= read_pubacks(fd, &held, true);
			n = head;
			if (acked) {
				packet_id = packet_id % 65535 + 1;
				body[n++] = (uint8_t)(packet_id >> 8);
				body[n++] = (uint8_t)packet_id;
				in_flight++;
			}
			n = put_packet(packet, acked ? 0x32 : 0x30, body, n + (size_t)options.size);
			write_all(fd, packet, n);
			total++;
		}
		in_flight -= read_pubacks(fd, &held, false);
	}
	while (in_flight > 0)
		in_flight -= read_pubacks(fd, &held, true);
	close(fd);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct fault fault = FAULT_INIT;
	pthread_t threads[THREADS_MAX];
	void *(*run)(void *);
	int first;
	double start;

	if (setting_preset(settings, &options, &fault) ||
		setting_parse(settings, &options, argc, argv, &first, &fault) ||
		(options.password_file &&
			file_read_secret(options.password_file, 16384, &password, &fault))) {
		fprintf(stderr, "bench-mqtt: %s\n", fault.text);
		return 2;
	}
	if (first != argc - 1 || !options.client_id)
		return 2;
	run = strcmp(argv[first], "connect") == 0 ? connects : publishes;
	start = now();
	end_at = start + (double)options.seconds;
	for (long i = 0; i < options.threads; i++) {
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			die("pthread_create");
	}
	for (long i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f\n", (double)total / (now() - start));
	return 0;
}
