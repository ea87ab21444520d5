/*
 * Sends messages to one broker on 127.0.0.1, takes them from another, and prints how the way
 * between them did.
 *
 * usage: bench-hop rate --from P --to P --topic T     messages a second
 *        bench-hop fill --from P --topic T            only sends
 *        bench-hop drain --to P --topic T             only takes: messages a second, from the first
 *        bench-hop latency --from P --to P --topic T  microseconds that half of them took at most,
 *                                                     and that 99 of 100 did
 *        bench-hop relay --from P --to P              passes on what one connection to P brings:
 *                                                     the least that one more process costs
 *        bench-hop tail --spool DIR --to P            publishes what comes into a spool, nothing
 *                                                     else: the least that one behind it costs
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/setting.h"
#include "spool/spool.h"
#include "wire.h"

struct options {
	long from, to, size, window, messages, rate;
	char *topic, *spool;
};

static const struct setting settings[] = {
	{"from", 0, SETTING_NUMBER, offsetof(struct options, from), .min = 1, .max = 65535,
		.value = "N", .help = "port of the broker that messages are sent to"},
	{"to", 0, SETTING_NUMBER, offsetof(struct options, to), .min = 1, .max = 65535,
		.value = "N", .help = "port of the broker that they are taken from"},
	{"topic", 0, SETTING_TEXT, offsetof(struct options, topic), .preset = "t", .value = "TOPIC",
		.help = "topic"},
	{"spool", 0, SETTING_TEXT, offsetof(struct options, spool), .value = "DIR",
		.help = "spool that messages are read from"},
	{"size", 0, SETTING_NUMBER, offsetof(struct options, size), .preset = "256", .min = 8,
		.max = 8192, .value = "N", .help = "bytes of a payload"},
	{"messages", 0, SETTING_NUMBER, offsetof(struct options, messages), .preset = "30000",
		.min = 1, .max = 10000000, .value = "N", .help = "how many"},
	{"window", 0, SETTING_NUMBER, offsetof(struct options, window), .preset = "1000", .min = 1,
		.max = 1000, .value = "N", .help = "messages in flight"},
	{"rate", 0, SETTING_NUMBER, offsetof(struct options, rate), .preset = "0", .min = 0,
		.max = 1000000, .value = "N", .help = "messages a second at most; 0: no limit"},
	{NULL},
};

static struct options options;
static double *took;
static double began, ended;

static void
sleep_until(double at)
{
	const struct timespec ts = {(time_t)at, (long)((at - (double)(time_t)at) * 1e9)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static void
send_all(void)
{
	uint8_t body[WIRE_MAX] = {0}, packet[WIRE_MAX + 5];
	int fd = wire_connect(options.from, "load", NULL, NULL);
	size_t head = wire_put_text(body, options.topic), held = 0;
	long in_flight = 0;
	double start = wire_now();

	for (long i = 0; i < options.messages; i++) {
		unsigned id = (unsigned)(i % 65535) + 1;
		double now;

		if (options.rate)
			sleep_until(start + (double)i / (double)options.rate);
		while (in_flight >= options.window)
			in_flight -= wire_pubacks(fd, &held, true);
		now = wire_now();
		body[head] = (uint8_t)(id >> 8);
		body[head + 1] = (uint8_t)id;
		memcpy(body + head + 2, &now, sizeof(now));
		wire_write_all(fd, packet,
			wire_put_packet(packet, 0x32, body, head + 2 + (size_t)options.size));
		in_flight++;
		if (i % 50 == 0)
			in_flight -= wire_pubacks(fd, &held, false);
	}
	while (in_flight > 0)
		in_flight -= wire_pubacks(fd, &held, true);
}

static void *
take_all(void *inbox)
{
	for (long i = 0; i < options.messages; i++) {
		size_t len;
		const uint8_t *payload = wire_next(inbox, &len);
		double sent, now = wire_now();

		if (i == 0)
			began = now;
		memcpy(&sent, payload, sizeof(sent));
		took[i] = (now - sent) * 1e6;
		ended = now;
	}
	return NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print_latency(void)
{
	qsort(took, (size_t)options.messages, sizeof(*took), compare);
	printf("%.0f %.0f\n", took[options.messages / 2], took[options.messages / 100 * 99]);
}

/* Each message as it was written; how many in flight is not counted. */
static void
publish_all(struct spool_reader *reader, int cloud)
{
	static uint16_t id;
	uint8_t body[WIRE_MAX], packet[WIRE_MAX + 5];
	struct spool_message message;
	struct fault f = FAULT_INIT;
	bool any;
	size_t n;

	while (!spool_next(reader, &message, &any, &f) && any) {
		n = wire_put_text(body, message.topic);
		id = id == UINT16_MAX ? 1 : id + 1;
		body[n++] = (uint8_t)(id >> 8);
		body[n++] = (uint8_t)id;
		memcpy(body + n, message.payload, message.len);
		wire_write_all(cloud, packet, wire_put_packet(packet, 0x32, body, n + message.len));
	}
	if (f.code)
		wire_die(f.text);
}

/* Until the broker is gone. */
static void
tail(void)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	int fds[2], ready = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN};
	uint8_t answers[4096];
	struct fault f = FAULT_INIT;

	if (spool_reader_open(options.spool, "tail", &reader, &f))
		wire_die(f.text);
	fds[0] = spool_reader_fd(reader);
	fds[1] = wire_connect(options.to, "tail", NULL, NULL);
	for (uint32_t i = 0; i < 2; i++) {
		event.data.u32 = i;
		if (epoll_ctl(ready, EPOLL_CTL_ADD, fds[i], &event) < 0)
			wire_die("epoll_ctl");
	}
	publish_all(reader, fds[1]);
	for (;;) {
		if (epoll_wait(ready, &event, 1, -1) < 0)
			wire_die("epoll_wait");
		if (event.data.u32 == 0)
			publish_all(reader, fds[1]);
		else if (read(fds[1], answers, sizeof(answers)) <= 0)
			return;
	}
}

int
main(int argc, char **argv)
{
	struct fault fault = FAULT_INIT;
	static struct wire_inbox inbox;
	pthread_t taker;
	const char *mode;
	double start;
	int first;

	if (setting_preset(settings, &options, NULL, &fault) ||
		setting_parse(settings, &options, NULL, argc, argv, &first, &fault)) {
		fprintf(stderr, "bench-hop: %s\n", fault.text);
		return 2;
	}
	if (first != argc - 1)
		return 2;
	mode = argv[first];
	if (!strcmp(mode, "relay")) {
		wire_relay(options.from, options.to);
		return 0;
	}
	if (!strcmp(mode, "tail")) {
		tail();
		return 0;
	}
	took = calloc((size_t)options.messages, sizeof(*took));
	if (!took)
		wire_die("memory");
	if (options.to) {
		inbox.fd = wire_connect(options.to, "taker", NULL, NULL);
		wire_subscribe(inbox.fd, options.topic);
		if (pthread_create(&taker, NULL, take_all, &inbox))
			wire_die("pthread_create");
	}
	start = wire_now();
	if (options.from)
		send_all();
	if (!options.to)
		return 0;
	if (!options.from) {
		puts("ready");
		fflush(stdout);
	}
	pthread_join(taker, NULL);
	if (!strcmp(mode, "latency"))
		print_latency();
	else
		printf("%.0f\n",
			(double)options.messages / (ended - (options.from ? start : began)));
	return 0;
}
