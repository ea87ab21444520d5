#include "config.h"

#include "plugin/registry_options.h"

#include <limits.h>

#include "registry/rules.h"

static const struct setting table[] = {
	{"db-file", 0, SETTING_TEXT, offsetof(struct registry_options, db_file)},
	{"crl-file", 0, SETTING_LIST, offsetof(struct registry_options, crl_file)},
	{"max-event-bytes", 0, SETTING_NUMBER, offsetof(struct registry_options, max_event_bytes),
		.preset = "262144", .min = 1, .max = 268435455},
	{"max-state-bytes", 0, SETTING_NUMBER, offsetof(struct registry_options, max_state_bytes),
		.preset = "65536", .min = 1, .max = 268435455},
	{"max-attached", 0, SETTING_NUMBER, offsetof(struct registry_options, max_attached),
		.preset = "1000", .min = 0, .max = 1000000},
	{"max-messages-per-s", 0, SETTING_NUMBER,
		offsetof(struct registry_options, max_messages_per_s), .preset = "100", .min = 0,
		.max = 1000000},
	{"max-bytes-per-s", 0, SETTING_NUMBER, offsetof(struct registry_options, max_bytes_per_s),
		.preset = "524288", .min = 0, .max = INT_MAX},
	{"max-states-per-s", 0, SETTING_NUMBER, offsetof(struct registry_options, max_states_per_s),
		.preset = "1", .min = 0, .max = 1000000},
	{"max-subscription-messages", 0, SETTING_NUMBER,
		offsetof(struct registry_options, max_subscription_messages), .preset = "1000000",
		.min = 1, .max = 1000000000},
	{"max-subscription-bytes", 0, SETTING_SIZE,
		offsetof(struct registry_options, max_subscription_bytes), .preset = "1G",
		.min = 1048576, .max = 1L << 40},
	{"max-device-bytes", 0, SETTING_SIZE, offsetof(struct registry_options, max_device_bytes),
		.preset = "64M", .min = 1048576, .max = 1L << 40},
	{"message-retention", 0, SETTING_DURATION,
		offsetof(struct registry_options, message_retention_s), .preset = "7d", .min = 60,
		.max = 365L * 86400},
	{"idle-s", 0, SETTING_NUMBER, offsetof(struct registry_options, idle_s), .preset = "1200",
		.min = 1, .max = 604800},
	{"clock-skew", 0, SETTING_NUMBER, offsetof(struct registry_options, clock_skew_s),
		.preset = "600", .min = 0, .max = RULES_SKEW_S},
	{"strict", 0, SETTING_FLAG, offsetof(struct registry_options, strict), .preset = "false"},
	{"attributes", 0, SETTING_FLAG, offsetof(struct registry_options, attributes),
		.preset = "true"},
	{NULL},
};

int
registry_options_read(
	struct registry_options *options, const struct mosquitto_opt *given, int n, struct fault *f)
{
	if (options_read(table, options, given, n, "p11_registry.so(8)", f))
		return -1;
	if (!options->db_file || !*options->db_file)
		return fault_set(f, FAULT_CONFIG,
			"plugin_opt_db_file is missing: name the file that p11-registry --db "
			"names");
	return 0;
}

void
registry_options_clear(struct registry_options *options)
{
	setting_clear(table, options);
}
