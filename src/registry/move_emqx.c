#include "config.h"

#include "registry/move.h"

#include <string.h>

#include "base/times.h"
#include "jwt/jwt.h"
#include "registry/look.h"

static int
add_key(json_t *keys, const json_t *credential, struct fault *f)
{
	const json_t *key = json_object_get(credential, "publicKey");
	const char *expires = json_string_value(json_object_get(credential, "expirationTime"));
	time_t at = 0;

	if (expires && times_read(expires, &at, f))
		return -1;
	return look_append(keys,
		json_pack("{s:O, s:O, s:I}", "key", json_object_get(key, "key"), "key_type",
			json_object_get(key, "format"), "expires_at", (json_int_t)at),
		f);
}

int
move_to_emqx(const json_t *device, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_json) json_t *entry = NULL;
	const json_t *configs = json_object_get(device, "configs"), *config, *credential;
	json_t *keys = json_array();
	size_t i;

	config = json_array_get(configs, json_array_size(configs) - 1);
	entry = json_pack("{s:O, s:s, s:s, s:s, s:o, s:O, s:s}", "deviceid",
		json_object_get(device, "id"), "project", at->project, "location", at->region,
		"registry", at->registry, "keys", keys, "blocked",
		json_object_get(device, "blocked"), "config",
		config ? json_string_value(json_object_get(config, "binaryData")) : "");
	if (!entry)
		return fault_nomem(f);
	json_array_foreach(json_object_get(device, "credentials"), i, credential)
	{
		if (add_key(keys, credential, f))
			return -1;
	}
	*ret = TAKE(entry);
	return 0;
}

/* A member that must be the registry's own, when it is there. */
static int
check_place(const json_t *entry, const char *member, const char *wanted, struct fault *f)
{
	const json_t *value = json_object_get(entry, member);

	if (!value || (json_is_string(value) && strcmp(json_string_value(value), wanted) == 0))
		return 0;
	return fault_set(f, FAULT_INVALID, "its %s is not '%s': import it into its own registry",
		member, wanted);
}

static int
add_credential(json_t *credentials, const json_t *key, struct fault *f)
{
	const json_t *expires = json_object_get(key, "expires_at");
	char time[32];
	json_t *one = json_pack("{s:{s:O, s:O}}", "publicKey", "format",
		json_object_get(key, "key_type"), "key", json_object_get(key, "key"));

	if (!one || (expires && !json_is_integer(expires))) {
		json_decref(one);
		return fault_set(
			f, FAULT_INVALID, "a key of it is not {key, key_type, expires_at}");
	}
	look_time(json_integer_value(expires), time, sizeof(time));
	if (*time)
		json_object_set_new(one, "expirationTime", json_string(time));
	return look_append(credentials, one, f);
}

int
move_from_emqx(const json_t *entry, const struct rules_client *at, json_t **ret, struct fault *f)
{
	const char *id = json_string_value(json_object_get(entry, "deviceid"));
	const json_t *blocked = json_object_get(entry, "blocked"), *key;
	const char *config = json_string_value(json_object_get(entry, "config"));
	AUTO(auto_json) json_t *device = NULL;
	json_t *credentials = json_array();
	size_t i;

	device = json_pack("{s:s, s:b, s:o}", "id", id ? id : "", "blocked", json_is_true(blocked),
		"credentials", credentials);
	if (!device)
		return fault_nomem(f);
	if (!id)
		return fault_set(f, FAULT_INVALID, "an entry has no deviceid");
	if (rules_is_number(id)) {
		*ret = NULL;
		return 0;
	}
	if (check_place(entry, "project", at->project, f) ||
		check_place(entry, "location", at->region, f) ||
		check_place(entry, "registry", at->registry, f))
		return -1;
	json_array_foreach(json_object_get(entry, "keys"), i, key)
	{
		if (add_credential(credentials, key, f))
			return -1;
	}
	if (config && *config &&
		json_object_set_new(device, "config", json_pack("{s:s}", "binaryData", config)))
		return fault_nomem(f);
	*ret = TAKE(device);
	return 0;
}
