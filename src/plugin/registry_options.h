/* registry_options: what p11_registry.so is told in mosquitto.conf. */
#ifndef PLUGIN_REGISTRY_OPTIONS_H
#define PLUGIN_REGISTRY_OPTIONS_H

#include "plugin/options.h"

/* Rates are in a second, averaged over LIMITS_WINDOW_S; 0 means no limit. */
struct registry_options {
	char *db_file;
	struct setting_list crl_file;
	long max_event_bytes;
	long max_state_bytes;
	long max_attached;
	long max_messages_per_s;
	long max_bytes_per_s;
	long max_states_per_s;
	long max_subscription_messages;
	long max_subscription_bytes;
	long max_device_bytes;
	long message_retention_s;
	long idle_s;
	long clock_skew_s;
	bool strict;
	bool attributes;
};

/*
 * Reads mosquitto's options, presets where there are none.
 *
 * options  zeroed before; empty it with registry_options_clear() in any case
 *
 * Returns 0; else FAULT_CONFIG naming the option.
 */
int registry_options_read(struct registry_options *options, const struct mosquitto_opt *given,
	int n, struct fault *f);

void registry_options_clear(struct registry_options *options);

#endif
