#include "config.h"

#include "plugin/site_options.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "site/filter.h"
#include "spool/front.h"
#include "spool/timely.h"

static const struct setting table[] = {
	{"spool", 0, SETTING_TEXT, offsetof(struct site_options, spool),
		.preset = "/var/lib/p11-gateway/spool"},
	{"socket", 0, SETTING_TEXT, offsetof(struct site_options, socket),
		.preset = "/run/p11-gateway/site.sock"},
	{"identity", 0, SETTING_CHOICE, offsetof(struct site_options, identity),
		.preset = "client-id", .words = "client-id username"},
	{"trusted", 0, SETTING_LIST, offsetof(struct site_options, trusted)},
	{"topic", 0, SETTING_LIST, offsetof(struct site_options, topic)},
	{"max-size", 0, SETTING_SIZE, offsetof(struct site_options, max_size), .preset = "1G",
		.min = SPOOL_SIZE_MIN, .max = LONG_MAX},
	{"max-age", 0, SETTING_DURATION, offsetof(struct site_options, max_age_s), .preset = "30d",
		.min = 0, .max = 3650L * 86400},
	{"when-full", 0, SETTING_CHOICE, offsetof(struct site_options, when_full),
		.preset = "refuse", .words = "refuse drop-oldest drop-newest"},
	{"durability", 0, SETTING_CHOICE, offsetof(struct site_options, durability),
		.preset = "process", .words = "process power"},
	{"disk-timeout", 0, SETTING_NUMBER, offsetof(struct site_options, disk_timeout_ms),
		.preset = "2000", .min = TIMELY_QUICK_MS, .max = 60000},
	{"front", 0, SETTING_TEXT, offsetof(struct site_options, front)},
	{"hold", 0, SETTING_TEXT, offsetof(struct site_options, hold)},
	{"max-retained-size", 0, SETTING_SIZE, offsetof(struct site_options, max_retained_size),
		.preset = "64M", .min = 1024 * 1024, .max = LONG_MAX},
	{"max-new-devices-per-min", 0, SETTING_NUMBER,
		offsetof(struct site_options, new_devices.per_minute), .preset = "1000", .min = 0,
		.max = NAME_LIMIT_MAX},
	{"max-new-devices-per-address", 0, SETTING_NUMBER,
		offsetof(struct site_options, new_devices.per_address), .preset = "100", .min = 0,
		.max = NAME_LIMIT_MAX},
	{NULL},
};

static int
check_topics(const struct setting_list *topics, struct fault *f)
{
	for (size_t i = 0; i < topics->n; i++) {
		if (!filter_is_valid(topics->items[i]))
			return fault_set(f, FAULT_CONFIG, "plugin_opt_topic: '%.100s' is no filter",
				topics->items[i]);
		if (!strncmp(topics->items[i], "/devices/", strlen("/devices/")))
			return fault_set(f, FAULT_CONFIG,
				"plugin_opt_topic: '%.100s': devices' topics are taken anyway",
				topics->items[i]);
	}
	return 0;
}

/* Whether memory in a directory outlives this broker: not where its end is that of a container. */
static bool
outlives_us(const char *parent)
{
	int64_t most;

	return getpid() != 1 && access(parent, W_OK) == 0 && front_check(parent, &most, NULL) == 0;
}

/* Without an option it is where the socket is: who comes to that sees it. */
static int
choose_front(struct site_options *options, struct fault *f)
{
	bool told = options->front;
	int64_t most;
	char *slash;

	if (!told) {
		options->front = strdup(options->socket);
		if (!options->front)
			return fault_nomem(f);
		slash = strrchr(options->front, '/');
		*(slash ? slash : options->front) = '\0';
	}
	if (told ? strcmp(options->front, "none") != 0 : outlives_us(options->front))
		return front_check(options->front, &most, f);
	free(options->front);
	options->front = NULL;
	return 0;
}

int
site_options_read(
	struct site_options *options, const struct mosquitto_opt *given, int n, struct fault *f)
{
	if (options_read(table, options, given, n, "p11_site.so(8)", f) ||
		check_topics(&options->topic, f))
		return -1;
	return choose_front(options, f);
}

void
site_options_clear(struct site_options *options)
{
	setting_clear(table, options);
}

struct spool_options
site_options_spool(const struct site_options *options)
{
	const char *full = options->when_full;
	bool power = !strcmp(options->durability, "power");

	return (struct spool_options){
		.max_bytes = options->max_size,
		.max_age_s = options->max_age_s,
		.when_full = !strcmp(full, "refuse")	    ? SPOOL_REFUSE
			     : !strcmp(full, "drop-oldest") ? SPOOL_DROP_OLDEST
							    : SPOOL_DROP_NEWEST,
		.power = power,
		.hold = options->hold,
		.front = power ? NULL : options->front,
	};
}
