#include "config.h"

#include "commands.h"

#include <time.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "pki/cert.h"

struct ca {
	struct place place;
	char *path;
	long index;
};

static const struct setting create_settings[] = {
	REGISTRY_SETTINGS,
	{"path", 0, SETTING_TEXT, offsetof(struct ca, path), .value = "FILE",
		.help = "the CA's certificate, in PEM"},
	{NULL},
};

static const struct setting list_settings[] = {REGISTRY_SETTINGS, {NULL}};

static const struct setting index_settings[] = {
	REGISTRY_SETTINGS,
	{"index", 0, SETTING_NUMBER, offsetof(struct ca, index), .preset = "-1", .min = -1,
		.max = RULES_REGISTRY_CAS_MAX, .value = "N",
		.help = "which one, counted from 0 as 'list' shows"},
	{NULL},
};

static int
start(const struct place *place, struct rules_client *at, struct registry **ret_registry,
	struct fault *f)
{
	if (name_things(place, place->registry, NULL, at, f))
		return -1;
	return open_registry(place, ret_registry, f);
}

static int
create(void *values, int argc, char **argv, struct fault *f)
{
	struct ca *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_free) char *pem = NULL;
	struct rules_client at;
	size_t len;

	(void)argc, (void)argv;
	if (require("path", v->path, f) || file_read(v->path, CERT_MAX, &pem, &len, f) ||
		start(&v->place, &at, &registry, f) ||
		store_ca_create(registry, &at, pem, time(NULL), f))
		return -1;
	log_info("registry [%s] trusts another CA", at.registry);
	return 0;
}

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"INDEX", "index"},
		{"SUBJECT", "publicKeyCertificate.x509Details.subject"},
		{"NOT_AFTER", "publicKeyCertificate.x509Details.notAfter"}, {NULL}};
	struct place *place = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;
	json_t *entry;
	size_t i;

	(void)argc, (void)argv;
	if (start(place, &at, &registry, f) || store_ca_list(registry, &at, &all, f))
		return -1;
	json_array_foreach(all, i, entry)
	{
		if (json_object_set_new(entry, "index", json_integer((json_int_t)i)))
			return fault_nomem(f);
	}
	return put_list(place, all, columns, f);
}

static int
describe(void *values, int argc, char **argv, struct fault *f)
{
	struct ca *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;
	const json_t *one;

	if (read_index(argc ? argv[0] : NULL, v->index, RULES_REGISTRY_CAS_MAX, &v->index, f) ||
		start(&v->place, &at, &registry, f) || store_ca_list(registry, &at, &all, f))
		return -1;
	one = json_array_get(all, (size_t)v->index);
	if (!one)
		return fault_set(f, FAULT_NOTFOUND,
			"registry '%s' has no credential %ld: see 'registries credentials list'",
			at.registry, v->index);
	return put_thing(&v->place, one, f);
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct ca *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	struct rules_client at;

	if (read_index(argc ? argv[0] : NULL, v->index, RULES_REGISTRY_CAS_MAX, &v->index, f) ||
		start(&v->place, &at, &registry, f) || store_ca_delete(registry, &at, v->index, f))
		return -1;
	log_info("registry [%s] trusts CA %ld no longer; its devices stay", at.registry, v->index);
	return 0;
}

const struct command command_cas_create = {
	.name = "registries credentials create",
	.operands = "",
	.settings = create_settings,
	.values_size = sizeof(struct ca),
	.summary = "Let a registry trust another CA, ten at most",
	.run = create,
};

const struct command command_cas_describe = {
	.name = "registries credentials describe",
	.operands = "[INDEX]",
	.max = 1,
	.settings = index_settings,
	.values_size = sizeof(struct ca),
	.summary = "Show a CA of a registry",
	.run = describe,
};

const struct command command_cas_list = {
	.name = "registries credentials list",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct place),
	.summary = "List a registry's CAs",
	.run = list,
};

const struct command command_cas_delete = {
	.name = "registries credentials delete",
	.operands = "[INDEX]",
	.max = 1,
	.settings = index_settings,
	.values_size = sizeof(struct ca),
	.summary = "Let a registry trust a CA no longer",
	.description =
		"Devices whose certificates it signed stay as they are: a CA is asked when a\n"
		"credential is added. To lock a device out, block or delete it.",
	.run = delete,
};
