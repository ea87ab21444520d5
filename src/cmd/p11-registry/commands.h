/* commands: what p11-registry's subcommands share: their entries, where the registry is, output. */
#ifndef CMD_P11_REGISTRY_COMMANDS_H
#define CMD_P11_REGISTRY_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "base/command.h"
#include "base/fault.h"
#include "jwt/jwt.h"
#include "registry/store.h"

extern const struct command command_registries_create;
extern const struct command command_registries_describe;
extern const struct command command_registries_list;
extern const struct command command_registries_update;
extern const struct command command_registries_delete;
extern const struct command command_cas_create;
extern const struct command command_cas_describe;
extern const struct command command_cas_list;
extern const struct command command_cas_delete;
extern const struct command command_devices_create;
extern const struct command command_devices_describe;
extern const struct command command_devices_list;
extern const struct command command_devices_update;
extern const struct command command_devices_delete;
extern const struct command command_credentials_create;
extern const struct command command_credentials_describe;
extern const struct command command_credentials_list;
extern const struct command command_credentials_update;
extern const struct command command_credentials_delete;
extern const struct command command_credentials_clear;
extern const struct command command_configs_update;
extern const struct command command_configs_describe;
extern const struct command command_configs_get_value;
extern const struct command command_configs_list;
extern const struct command command_commands_send;
extern const struct command command_states_list;
extern const struct command command_gateways_bind;
extern const struct command command_gateways_unbind;
extern const struct command command_gateways_list;
extern const struct command command_topics_create;
extern const struct command command_topics_list;
extern const struct command command_topics_delete;
extern const struct command command_subscriptions_create;
extern const struct command command_subscriptions_describe;
extern const struct command command_subscriptions_list;
extern const struct command command_subscriptions_delete;
extern const struct command command_subscriptions_pull;
extern const struct command command_logs;
extern const struct command command_export;
extern const struct command command_import;

/* Where things are; the first member of every command's values. */
struct place {
	char *db;
	char *project;
	char *region;
	char *registry;
	char *format;
	bool quiet;
};

#define PROJECT_SETTINGS \
	{"db", 0, SETTING_TEXT, offsetof(struct place, db), .env = "P11_REGISTRY_DB", \
		.value = "FILE", .help = "the registry's file"}, \
		{"project", 0, SETTING_TEXT, offsetof(struct place, project), \
			.env = "P11_REGISTRY_PROJECT", .value = "ID", .help = "the project's id"}, \
		{"format", 0, SETTING_CHOICE, offsetof(struct place, format), .preset = "table", \
			.words = "table json", .value = "FORMAT", \
			.help = "for people or for programs"}, \
	{ \
		"quiet", 'q', SETTING_FLAG, offsetof(struct place, quiet), \
			.help = "taken for gcloud's sake: nothing is ever asked" \
	}

#define REGION_SETTINGS \
	PROJECT_SETTINGS, \
	{ \
		"region", 0, SETTING_TEXT, offsetof(struct place, region), \
			.env = "P11_REGISTRY_REGION", .value = "REGION", \
			.help = "the registry's region" \
	}

#define REGISTRY_SETTINGS \
	REGION_SETTINGS, \
	{ \
		"registry", 0, SETTING_TEXT, offsetof(struct place, registry), \
			.value = "ID", .help = "the registry's id" \
	}

/* FAULT_USAGE when a setting that the command cannot do without has no value. */
int require(const char *name, const char *value, struct fault *f);

/* Whether --format says json: what was made or changed is then shown too. */
bool is_json(const struct place *place);

/* Opens the file that --db names; --project is there when this returns 0. */
int open_registry(const struct place *place, struct registry **ret_registry, struct fault *f);

/* The same, making the file when it is not there. */
int create_registry(const struct place *place, struct registry **ret_registry, struct fault *f);

/* The names as the store wants them; device may be NULL. */
int name_things(const struct place *place, const char *registry, const char *device,
	struct rules_client *ret, struct fault *f);

/*
 * A column of a table: its heading, and the member it shows; "a.b" is member b of a. Of a path such
 * as projects/P/locations/R/..., what stands behind `part` when it is not NULL.
 */
struct column {
	const char *heading;
	const char *member;
	const char *part;
};

/*
 * Prints a list: JSON, or a table with a line each. Both are made fit to print (text.h).
 */
int put_list(const struct place *place, const json_t *list, const struct column *columns,
	struct fault *f);

/* Prints one thing: JSON, or its members, a line each. */
int put_thing(const struct place *place, const json_t *thing, struct fault *f);

/* Prints text of several lines, each made fit to print. Returns 0; else FAULT_NOMEM. */
int put_lines(const char *text, size_t len, struct fault *f);

/*
 * Decodes what the store gave in base64.
 *
 * ret_data  free with free(); it may hold NULs and one stands behind it
 */
int decode(const char *base64, char **ret_data, size_t *ret_len, struct fault *f);

/*
 * For people: replaces a member in base64 by the text it stands for; it stays as it is when that is
 * no text.
 */
int show_text(json_t *thing, const char *member, struct fault *f);

/* The same in each thing of a list. */
int show_texts(json_t *list, const char *member, struct fault *f);

/*
 * Reads what two flags name, of which one may be given: bytes themselves, or a file of them.
 *
 * what      the flags' name before -data and -file
 * max       bytes it may have
 * ret_data  free with free(); NULL when neither flag is given
 *
 * Returns 0; else FAULT_USAGE for both, FAULT_INVALID for too much, or file_read()'s.
 */
int read_data(const char *what, const char *data, const char *file, size_t max, char **ret_data,
	size_t *ret_len, struct fault *f);

/* The index of a credential, given by operand or flag; FAULT_USAGE without one. */
int read_index(const char *operand, long flag, long max, long *ret, struct fault *f);

/* gcloud's words in small letters as REST has them: "info" is "INFO"; NULL stays NULL. */
void to_upper(char *word);

/*
 * Takes KEY=VALUE,KEY=VALUE apart, as gcloud's flags are.
 *
 * names   the keys that are known, ended by NULL
 * values  receives a copy of each value, in the order of names; NULL where it is not given
 *
 * Returns 0; else FAULT_USAGE naming the flag.
 */
int split_flag(const char *flag, const char *text, const char *const *names, char **values,
	struct fault *f);

#endif
