/* site_options: what p11_site.so is told in mosquitto.conf. */
#ifndef PLUGIN_SITE_OPTIONS_H
#define PLUGIN_SITE_OPTIONS_H

#include "plugin/name_limit.h"
#include "plugin/options.h"
#include "spool/spool.h"

/*
 * spool       the directory that messages go to
 * socket      where gateways connect
 * identity    "client-id" or "username": what says which device a client is
 * trusted     user names of clients that may speak for, and listen to, every device
 * topic       filters of what goes to the spool besides devices' topics
 * disk_timeout_ms  how long the broker waits for the disk
 * front       where messages are in memory first; NULL when they are not
 * max_retained_size  bytes of the retained messages that gateways brought, all together
 * new_devices  device names that may be new in a minute
 * max_size, max_age_s, when_full, durability, hold  as struct spool_options has them
 */
struct site_options {
	char *spool;
	char *socket;
	char *identity;
	struct setting_list trusted;
	struct setting_list topic;
	long max_size;
	long max_age_s;
	char *when_full;
	char *durability;
	long disk_timeout_ms;
	char *front;
	char *hold;
	long max_retained_size;
	struct name_limit_options new_devices;
};

/*
 * Reads mosquitto's options, presets where there are none.
 *
 * options  zeroed before; empty it with site_options_clear() in any case
 *
 * Returns 0; else FAULT_CONFIG naming the option.
 */
int site_options_read(
	struct site_options *options, const struct mosquitto_opt *given, int n, struct fault *f);

void site_options_clear(struct site_options *options);

/* What of them is the spool's; `hold` and `front` are borrowed. */
struct spool_options site_options_spool(const struct site_options *options);

#endif
