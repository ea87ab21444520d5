#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <time.h>

#include "base/auto.h"
#include "base/log.h"
#include "keys.h"

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

static const struct setting delete_settings[] = {
	CREDENTIAL_SETTINGS,
	{"index", 0, SETTING_NUMBER, offsetof(struct credential, index), .preset = "-1", .min = -1,
		.max = RULES_CREDENTIALS_MAX, .value = "N",
		.help = "which one, counted from 0 as 'list' shows"},
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

/* gcloud names it by an operand. */
static int
read_index(struct credential *v, const char *operand, struct fault *f)
{
	static const struct setting row = {"index", 0, SETTING_NUMBER,
		offsetof(struct credential, index), .min = 0, .max = RULES_CREDENTIALS_MAX};

	if (operand && setting_set(&row, v, operand, f))
		return -1;
	if (v->index < 0)
		return fault_set(f, FAULT_USAGE,
			"say which credential: 'devices credentials list' shows their indexes");
	return 0;
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct credential *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	if (read_index(v, argc ? argv[0] : NULL, f))
		return -1;
	if (start(v, &at, &registry, f) || store_credential_delete(registry, &at, v->index, f))
		return -1;
	log_info("deleted credential %ld of device [%s]", v->index, v->device);
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
	.settings = delete_settings,
	.values_size = sizeof(struct credential),
	.summary = "Delete a credential of a device",
	.run = delete,
};
