/* settings: what `p11-gateway run` is told, by a file and the command line, by one table. */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <stdbool.h>

#include "base/setting.h"

/* Rows are named SECTION.NAME: `[uplink] url = ...` in the file, --uplink.url=... before it. */
struct gateway_settings {
	struct {
		char *key;
		char *module;
		char *pin_source;
		char *device_key;
	} token;
	struct {
		char *name;
		char *profile;
		struct setting_list url;
		char *ca_file;
		char *alpn;
		char *project;
		char *region;
		char *registry;
		char *device;
		char *mqtt_version;
		char *client_id;
		char *username;
		char *password;
		char *audience;
		struct setting_list claim;
		struct setting_list header;
		long lifetime_s;
		long keep_alive_s;
		long timeout_s;
		long retry_max_s;
		long drain_rate;
		long max_qos;
		long device_rate;
		long device_byte_rate;
	} uplink;
	struct {
		char *socket;
		char *attach;
		long attach_max;
		long attach_rate;
		long idle_s;
		long refused_hold_s;
		long state_interval_ms;
		struct setting_list out;
		struct setting_list in;
	} site;
	struct {
		char *path;
	} spool;
	struct {
		char *socket;
		char *metrics_listen;
	} status;
	struct {
		char *level;
	} log;
};

extern const struct setting gateway_settings_table[];

/* Rows of the table, without its last. */
#define GATEWAY_SETTINGS_MAX 60

/*
 * Reads a file of settings into values that hold none yet or only presets: INI, `#` and `;` begin
 * comments, a line a setting, lists by repeating it.
 *
 * Returns 0; else FAULT_CONFIG with FILE:LINE before it, FAULT_NOTFOUND, FAULT_IO, FAULT_NOMEM.
 */
int gateway_settings_read(const char *path, struct gateway_settings *values, struct fault *f);

/*
 * Fills in what follows from the profile and from other settings, and checks the whole.
 *
 * name  the file's name without folder and end, for what is not set; NULL without a file
 *
 * Returns 0; else FAULT_CONFIG naming the setting, FAULT_NOMEM.
 */
int gateway_settings_finish(struct gateway_settings *values, const char *name, struct fault *f);

void gateway_settings_clear(struct gateway_settings *values);

/*
 * Whether the settings of a section ("uplink"), or one of them ("site.in"), are the same in both.
 *
 * except  names of those that do not count, and a NULL; NULL: all count
 */
bool gateway_settings_same(const struct gateway_settings *a, const struct gateway_settings *b,
	const char *what, const char *const *except);

/* Whether devices are attached, and config and commands subscribed to, as Cloud IoT Core has it. */
bool gateway_settings_attaches(const struct gateway_settings *values);

#endif
