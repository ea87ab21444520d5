#include "config.h"

#include "plugin/options.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "registry/rules.h"

#define OPTION_NAME_MAX 64

/* Named with three letters or more: mosquitto 2.0 takes no shorter option. */
static const struct setting table[] = {
	{"db-file", 0, SETTING_TEXT, offsetof(struct options, db_file)},
	{"crl-file", 0, SETTING_LIST, offsetof(struct options, crl_file)},
	{"max-event-bytes", 0, SETTING_NUMBER, offsetof(struct options, max_event_bytes),
		.preset = "262144", .min = 1, .max = 268435455},
	{"max-state-bytes", 0, SETTING_NUMBER, offsetof(struct options, max_state_bytes),
		.preset = "65536", .min = 1, .max = 268435455},
	{"max-attached", 0, SETTING_NUMBER, offsetof(struct options, max_attached),
		.preset = "1000", .min = 0, .max = 1000000},
	{"max-messages-per-s", 0, SETTING_NUMBER, offsetof(struct options, max_messages_per_s),
		.preset = "0", .min = 0, .max = 1000000},
	{"max-bytes-per-s", 0, SETTING_NUMBER, offsetof(struct options, max_bytes_per_s),
		.preset = "0", .min = 0, .max = INT_MAX},
	{"max-states-per-s", 0, SETTING_NUMBER, offsetof(struct options, max_states_per_s),
		.preset = "1", .min = 0, .max = 1000000},
	{"idle-s", 0, SETTING_NUMBER, offsetof(struct options, idle_s), .preset = "1200", .min = 1,
		.max = 604800},
	{"attributes", 0, SETTING_FLAG, offsetof(struct options, attributes), .preset = "true"},
	{NULL},
};

/* mosquitto's names have underscores where settings have dashes. */
static const struct setting *
find(const char *key)
{
	char name[OPTION_NAME_MAX];

	snprintf(name, sizeof(name), "%s", key);
	for (char *at = name; *at; at++)
		*at = *at == '_' ? '-' : *at;
	for (const struct setting *row = table; row->name; row++) {
		if (!strcmp(row->name, name))
			return row;
	}
	return NULL;
}

static int
set(struct options *options, const struct mosquitto_opt *given, int n, struct fault *f)
{
	if (setting_preset(table, options, f))
		return -1;
	for (int i = 0; i < n; i++) {
		const struct setting *row = find(given[i].key);

		if (!row)
			return fault_set(f, FAULT_CONFIG,
				"unknown option plugin_opt_%.64s: see p11_registry.so(8)",
				given[i].key);
		if (setting_set(row, options, given[i].value ? given[i].value : "", f))
			return -1;
	}
	return 0;
}

int
options_read(struct options *options, const struct mosquitto_opt *given, int n, struct fault *f)
{
	if (set(options, given, n, f)) {
		if (f && f->code == FAULT_USAGE)
			f->code = FAULT_CONFIG;
		return -1;
	}
	if (!options->db_file || !*options->db_file)
		return fault_set(f, FAULT_CONFIG,
			"plugin_opt_db_file is missing: name the file that p11-registry --db "
			"names");
	return 0;
}

void
options_clear(struct options *options)
{
	setting_clear(table, options);
}
