#include "config.h"

#include "registry/metadata.h"

#include <string.h>

#include "jwt/jwt.h"
#include "registry/rules.h"

#define PAIRS_MAX 500
#define KEY_MAX	  128
#define VALUE_MAX (32 * 1024)
#define TOTAL_MAX (256 * 1024)

static int
check_key(const char *key, struct fault *f)
{
	size_t len = strlen(key);
	bool good = len >= 1 && len <= KEY_MAX &&
		    ((key[0] >= 'a' && key[0] <= 'z') || (key[0] >= 'A' && key[0] <= 'Z'));

	for (size_t i = 0; good && i < len; i++)
		good = rules_is_id_char(key[i]);
	if (good)
		return 0;
	return fault_set(f, FAULT_USAGE,
		"'%.40s' is no key of metadata: a letter, then letters, digits and -._+~%%, at "
		"most %d in all",
		key, KEY_MAX);
}

int
metadata_write(const json_t *metadata, char **ret_text, struct fault *f)
{
	char *text = NULL;
	const char *key;
	json_t *value;
	size_t total = 0;

	if (json_object_size(metadata) > PAIRS_MAX)
		return fault_set(f, FAULT_USAGE,
			"a device has at most %d pairs of metadata, not %zu", PAIRS_MAX,
			json_object_size(metadata));
	json_object_foreach((json_t *)metadata, key, value)
	{
		if (check_key(key, f))
			return -1;
		if (!json_is_string(value) || json_string_length(value) > VALUE_MAX)
			return fault_set(f, FAULT_USAGE,
				"the metadata of '%.40s' is no text of at most %d bytes", key,
				VALUE_MAX);
		total += strlen(key) + json_string_length(value);
	}
	if (total > TOTAL_MAX)
		return fault_set(f, FAULT_USAGE, "a device's metadata is at most %d bytes, not %zu",
			TOTAL_MAX, total);
	if (json_object_size(metadata)) {
		text = json_dumps(metadata, JSON_COMPACT | JSON_SORT_KEYS);
		if (!text)
			return fault_nomem(f);
	}
	*ret_text = text;
	return 0;
}

int
metadata_read(const char *text, json_t **ret_metadata, struct fault *f)
{
	json_t *metadata = *text ? json_loads(text, JSON_ALLOW_NUL, NULL) : json_object();

	if (!json_is_object(metadata)) {
		json_decref(metadata);
		return fault_set(f, FAULT_CONFIG,
			"a device's metadata in the registry's file is damaged: set it again");
	}
	*ret_metadata = metadata;
	return 0;
}
