/* settings: what `p11-gateway run` is told, by a file and the command line, by one table. */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <stdbool.h>

#include "base/setting.h"

/* Rows of the table, without its last. */
#define GATEWAY_SETTINGS_MAX 60

/*
 * Rows are named SECTION.NAME: `[uplink] url = ...` in the file, --uplink.url=... before it.
 *
 * file     name of the settings file; NULL without one. No row of the table: a program may have one
 * origins  where each row's value was given, in the order of the table
 */
struct gateway_settings {
	char *file;
	struct setting_origin origins[GATEWAY_SETTINGS_MAX];
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

/*
 * Reads a file of settings into values that hold none yet, or only presets and the environment's;
 * see base/ini.h for its form. A list is written by repeating the setting; any other setting may be
 * given once.
 *
 * Returns 0; else FAULT_CONFIG with FILE:LINE before the text, FAULT_NOTFOUND, FAULT_IO,
 * FAULT_NOMEM.
 */
int gateway_settings_read(const char *path, struct gateway_settings *values, struct fault *f);

/* The same for the text of a file, as ini_parse(). */
int gateway_settings_parse(
	const char *path, char *text, size_t len, struct gateway_settings *values, struct fault *f);

/*
 * Fills in what follows from the profile and from other settings, expands the templates, and checks
 * each value by itself.
 *
 * name  the file's name without folder and end, for what is not set; NULL without a file
 *
 * Returns 0; else FAULT_CONFIG with the place of the setting before the text, FAULT_NOMEM.
 */
int gateway_settings_finish(struct gateway_settings *values, const char *name, struct fault *f);

/*
 * Puts before a fault which setting it is about, and where that was given: "FILE:LINE: NAME",
 * "--NAME", "environment variable VARIABLE", or NAME for a preset.
 *
 * name  of a row: "uplink.url"
 * item  of a list, from 0; 0 for others
 *
 * Returns -1, always.
 */
int gateway_settings_blame(
	const struct gateway_settings *values, const char *name, size_t item, struct fault *f);

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

/* Whether the password has a JSON Web Token in it. If not, the gateway's own key is not used. */
bool gateway_settings_signs(const struct gateway_settings *values);

/*
 * The password for the broker.
 *
 * jwt         what {jwt} stands for; NULL when the password has none
 * ret_secret  a secret; free with secret_free()
 *
 * Returns 0; else FAULT_CONFIG, FAULT_NOMEM.
 */
int gateway_settings_password(
	const struct gateway_settings *values, const char *jwt, char **ret_secret, struct fault *f);

#endif
