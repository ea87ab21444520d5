#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "keys.h"
#include "base/times.h"

struct credential {
	struct place place;
	char *device;
	char *path;
	char *type;
	char *expires;
	long index;
};

#define CREDENTIAL_SETTINGS \
	REGISTRY_SETTINGS, \
	{ \
		"device", 0, SETTING_TEXT, offsetof(struct credential, device), \
			.value = "ID", .help = "the device's id" \
	}

static const struct setting create_settings[] = {
	CREDENTIAL_SETTINGS,
	{"path", 0, SETTING_TEXT, offsetof(struct credential, path), .value = "FILE",
		.help = "the public key or the certificate, in PEM"},
	{"type", 0, SETTING_TEXT, offsetof(struct credential, type), .value = "TYPE",
		.help = "es256-pem, es256-x509-pem, rsa-pem or rsa-x509-pem"},
	{"expiration-time", 0, SETTING_TEXT, offsetof(struct credential, expires), .value = "TIME",
		.help = "when it ends: 2027-01-01T00:00:00Z; never without it"},
	{NULL},
};

static const struct setting list_settings[] = {CREDENTIAL_SETTINGS, {NULL}};

#define INDEX_SETTINGS \
	CREDENTIAL_SETTINGS, \
	{ \
		"index", 0, SETTING_NUMBER, offsetof(struct credential, index), \
			.preset = "-1", .min = -1, .max = RULES_CREDENTIALS_MAX, .value = "N", \
			.help = "which one, counted from 0 as 'list' shows" \
	}

static const struct setting index_settings[] = {INDEX_SETTINGS, {NULL}};

static const struct setting update_settings[] = {
	INDEX_SETTINGS,
	{"expiration-time", 0, SETTING_TEXT, offsetof(struct credential, expires), .value = "TIME",
		.help = "when it ends: 2027-01-01T00:00:00Z"},
	{NULL},
};

static int
start(const struct credential *v, struct rules_client *at, struct registry **ret_registry,
	struct fault *f)
{
	if (require("device", v->device, f) ||
		name_things(&v->place, v->place.registry, v->device, at, f))
		return -1;
	return open_registry(&v->place, ret_registry, f);
}

static int
create(void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(key_flag_clear) struct key_flag key = {.pem = NULL};
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (require("path", v->path, f) || require("type", v->type, f) ||
		key_flag_set(v->path, v->type, v->expires, &key, f) ||
		start(v, &at, &registry, f) ||
		store_credential_create(registry, &at, &key.credential, time(NULL), f))
		return -1;
	log_info("added a credential to device [%s]", v->device);
	return 0;
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"INDEX", "index"}, {"FORMAT", "publicKey.format"},
		{"EXPIRATION_TIME", "expirationTime"}, {"SUBJECT", "x509Details.subject"}, {NULL}};
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;
	json_t *entry;
	size_t i;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) || store_credential_list(registry, &at, &all, f))
		return -1;
	json_array_foreach(all, i, entry)
	{
		if (json_object_set_new(entry, "index", json_integer((json_int_t)i)))
			return fault_nomem(f);
	}
	return put_list(&v->place, all, columns, f);
}

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;
	const json_t *one;

	if (read_index(argc ? argv[0] : NULL, v->index, RULES_CREDENTIALS_MAX, &v->index, f) ||
		start(v, &at, &registry, f) || store_credential_list(registry, &at, &all, f))
		return -1;
	one = json_array_get(all, (size_t)v->index);
	if (!one)
		return fault_set(f, FAULT_NOTFOUND,
			"device '%s' has no credential %ld: see 'devices credentials list'",
			v->device, v->index);
	return put_thing(&v->place, one, f);
}

static int
update(void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;
	time_t expires;

	if (read_index(argc ? argv[0] : NULL, v->index, RULES_CREDENTIALS_MAX, &v->index, f) ||
		require("expiration-time", v->expires, f) || times_read(v->expires, &expires, f) ||
		start(v, &at, &registry, f) ||
		store_credential_update(registry, &at, v->index, expires, time(NULL), f))
		return -1;
	log_info("credential %ld of device [%s] ends at %s", v->index, v->device, v->expires);
	return 0;
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	if (read_index(argc ? argv[0] : NULL, v->index, RULES_CREDENTIALS_MAX, &v->index, f) ||
		start(v, &at, &registry, f) || store_credential_delete(registry, &at, v->index, f))
		return -1;
	log_info("deleted credential %ld of device [%s]", v->index, v->device);
	return 0;
}

static int
clear(void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (start(v, &at, &registry, f) || store_credential_clear(registry, &at, f))
		return -1;
	log_info("deleted all credentials of device [%s]", v->device);
	return 0;
}

const struct command command_credentials_create = {
	.name = "devices credentials create",
	.operands = "",
	.settings = create_settings,
	.values_size = sizeof(struct credential),
	.summary = "Add a credential to a device, three at most",
	.run = create,
};

const struct command command_credentials_list = {
	.name = "devices credentials list",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct credential),
	.summary = "List a device's credentials",
	.run = list,
};

const struct command command_credentials_delete = {
	.name = "devices credentials delete",
	.operands = "[INDEX]",
	.max = 1,
	.settings = index_settings,
	.values_size = sizeof(struct credential),
	.summary = "Delete a credential of a device",
	.run = delete,
};

const struct command command_credentials_describe = {
	.name = "devices credentials describe",
	.operands = "[INDEX]",
	.max = 1,
	.settings = index_settings,
	.values_size = sizeof(struct credential),
	.summary = "Show a credential of a device",
	.run = describe,
};

const struct command command_credentials_update = {
	.name = "devices credentials update",
	.operands = "[INDEX]",
	.max = 1,
	.settings = update_settings,
	.values_size = sizeof(struct credential),
	.summary = "Change when a credential of a device ends",
	.run = update,
};

const struct command command_credentials_clear = {
	.name = "devices credentials clear",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct credential),
	.summary = "Delete all of a device's credentials",
	.run = clear,
};
