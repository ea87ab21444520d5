/*
 * mqtt/ against a broker, for mqtt-broker.sh: connects, publishes numbered messages, and prints how
 * it went: "delivered N failed M", then "ok" or the fault's name, number and text.
 *
 * usage: mqtt-client [OPTION...]
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/setting.h"
#include "mqtt/mqtt.h"

struct options {
	char *url, *ca_file, *password, *topic;
	long version, qos, count, cancel_after_ms, timeout_s;
};

static const struct setting settings[] = {
	{"url", 0, SETTING_TEXT, offsetof(struct options, url)},
	{"ca-file", 0, SETTING_TEXT, offsetof(struct options, ca_file)},
	{"password", 0, SETTING_TEXT, offsetof(struct options, password), .preset = "device"},
	{"topic", 0, SETTING_TEXT, offsetof(struct options, topic), .preset = "/devices/d/events"},
	{"version", 0, SETTING_NUMBER, offsetof(struct options, version), .preset = "4", .min = 4,
		.max = 5},
	{"qos", 0, SETTING_NUMBER, offsetof(struct options, qos), .preset = "1", .min = 0,
		.max = 1},
	{"count", 0, SETTING_NUMBER, offsetof(struct options, count), .preset = "1", .min = 0,
		.max = 10000000},
	{"cancel-after-ms", 0, SETTING_NUMBER, offsetof(struct options, cancel_after_ms),
		.preset = "0", .min = 0, .max = 60000},
	{"timeout", 0, SETTING_NUMBER, offsetof(struct options, timeout_s), .preset = "20",
		.min = 1, .max = 60},
	{NULL},
};

static struct options options;
static uint64_t delivered, failed;
static int64_t started_ms;

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool
cancelled(void)
{
	return options.cancel_after_ms && now_ms() > started_ms + options.cancel_after_ms;
}

static void
on_done(void *with, uint64_t tag, const struct fault *fault)
{
	(void)with, (void)tag;
	if (fault)
		failed++;
	else
		delivered++;
}

static int
run(struct fault *f)
{
	const struct mqtt_options how = {
		.url = options.url,
		.client_id = "d",
		.username = "device",
		.password = options.password,
		.version = (int)options.version,
		.ca_file = options.ca_file,
		.keep_alive_s = 60,
		.timeout_s = (int)options.timeout_s,
		.cancelled = cancelled,
	};
	AUTO(auto_mqtt) struct mqtt *mqtt = NULL;
	char payload[24];

	if (mqtt_connect(&how, &mqtt, f))
		return -1;
	mqtt_on_done(mqtt, on_done, NULL);
	for (long i = 1; i <= options.count; i++) {
		int len = snprintf(payload, sizeof(payload), "%ld", i);

		if (mqtt_publish(mqtt, options.topic, payload, (size_t)len, (int)options.qos,
			    (uint64_t)i, f))
			return -1;
	}
	return mqtt_drain(mqtt, f);
}

int
main(int argc, char **argv)
{
	struct fault f = FAULT_INIT;
	int first, rc;

	if (setting_preset(settings, &options, NULL, &f) ||
		setting_parse(settings, &options, NULL, argc, argv, &first, &f)) {
		fprintf(stderr, "%s\n", f.text);
		return 2;
	}
	started_ms = now_ms();
	rc = run(&f);
	printf("delivered %" PRIu64 " failed %" PRIu64 "\n", delivered, failed);
	if (rc)
		printf("%s %lu %s\n", fault_name(f.code), f.native, f.text);
	else
		printf("ok\n");
	setting_clear(settings, &options);
	return rc ? 1 : 0;
}
