/*
 * Loads a broker on 127.0.0.1 and prints how many connections or messages a second it took. Speaks
 * MQTT 3.1.1 by hand, so that the client costs as little as can be.
 *
 * usage: bench-mqtt connect|publish --port P --client-id ID [--password-file F] ...
 */
#include "config.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "wire.h"

#include "base/auto.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/setting.h"

#define THREADS_MAX 16

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
	for (long i = 0; wire_now() < end_at; i++) {
		int fd;

		/* All over the file: a prime number of steps comes by each of them. */
		if (options.devices)
			client_id_of(id, sizeof(id),
				((long)thread * 104729 + i * 7919) % options.devices *
					options.step);
		fd = wire_connect(options.port, id, options.username, password);

		wire_write_all(fd, disconnect, sizeof(disconnect));
		close(fd);
		total++;
	}
	return NULL;
}

static void *
publishes(void *thread)
{
	char id[1024], topic[512];
	uint8_t body[WIRE_MAX], packet[WIRE_MAX + 5];
	const char *percent = strchr(options.topic, '%');
	unsigned packet_id = 0;
	long in_flight = 0;
	size_t held = 0, head, n;
	int fd;

	client_id_of(id, sizeof(id), (long)thread);
	snprintf(topic, sizeof(topic), percent ? "%.*s%ld%s" : "%.*s",
		(int)(percent ? percent - options.topic : (long)strlen(options.topic)),
		options.topic, (long)thread, percent ? percent + 1 : "");
	fd = wire_connect(options.port, id, options.username, password);
	memset(body, 'x', sizeof(body));
	head = wire_put_text(body, topic);
	while (wire_now() < end_at &&
		(!options.messages || total < (unsigned long)options.messages)) {
		/* QoS 0 ends each burst with a QoS 1 message, so that what counts was taken. */
		for (long i = 0; i < 50; i++) {
			bool acked = options.qos || i == 49;

			while (acked && in_flight >= options.window)
				in_flight -= wire_pubacks(fd, &held, true);
			n = head;
			if (acked) {
				packet_id = packet_id % 65535 + 1;
				body[n++] = (uint8_t)(packet_id >> 8);
				body[n++] = (uint8_t)packet_id;
				in_flight++;
			}
			n = wire_put_packet(
				packet, acked ? 0x32 : 0x30, body, n + (size_t)options.size);
			wire_write_all(fd, packet, n);
			total++;
		}
		in_flight -= wire_pubacks(fd, &held, false);
	}
	while (in_flight > 0)
		in_flight -= wire_pubacks(fd, &held, true);
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

	if (setting_preset(settings, &options, NULL, &fault) ||
		setting_parse(settings, &options, NULL, argc, argv, &first, &fault) ||
		(options.password_file &&
			file_read_secret(options.password_file, 16384, &password, &fault))) {
		fprintf(stderr, "bench-mqtt: %s\n", fault.text);
		return 2;
	}
	if (first != argc - 1 || !options.client_id)
		return 2;
	run = strcmp(argv[first], "connect") == 0 ? connects : publishes;
	start = wire_now();
	end_at = start + (double)options.seconds;
	for (long i = 0; i < options.threads; i++) {
		if (pthread_create(&threads[i], NULL, run, (void *)i))
			wire_die("pthread_create");
	}
	for (long i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f\n", (double)total / (wire_now() - start));
	return 0;
}
