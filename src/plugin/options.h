/* options: what plugin_opt_NAME lines in mosquitto.conf set, by one table. */
#ifndef PLUGIN_OPTIONS_H
#define PLUGIN_OPTIONS_H

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "base/setting.h"

/* Rates are in a second, averaged over LIMITS_WINDOW_S; 0 is no limit. */
struct options {
	char *db_file;
	struct setting_list crl_file;
	long max_event_bytes;
	long max_state_bytes;
	long max_attached;
	long max_messages_per_s;
	long max_bytes_per_s;
	long max_states_per_s;
	long idle_s;
	bool attributes;
};

/*
 * Reads mosquitto's options, presets where there are none.
 *
 * options  zeroed before; empty it with options_clear() in any case
 *
 * Returns 0; else FAULT_CONFIG naming the option.
 */
int options_read(
	struct options *options, const struct mosquitto_opt *given, int n, struct fault *f);

void options_clear(struct options *options);

#endif
