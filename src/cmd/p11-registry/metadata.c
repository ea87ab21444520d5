#include "config.h"

#include "metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "jwt/jwt.h"

#define VALUE_MAX (32 * 1024)

static int
set_value(json_t *metadata, const char *key, const char *value, size_t len, struct fault *f)
{
	json_t *text = json_stringn(value, len);

	if (!text || strlen(value) != len) {
		json_decref(text);
		return fault_set(
			f, FAULT_INVALID, "the metadata of '%.40s' is no text in UTF-8", key);
	}
	return json_object_set_new(metadata, key, text) ? fault_nomem(f) : 0;
}

static int
set_pair(json_t *metadata, char *pair, bool file, struct fault *f)
{
	AUTO(auto_free) char *data = NULL;
	char *value = strchr(pair, '=');
	size_t len;

	if (!value || value == pair)
		return fault_set(f, FAULT_USAGE, "--metadata%s: '%.40s' is not KEY=%s",
			file ? "-from-file" : "", pair, file ? "FILE" : "VALUE");
	*value++ = '\0';
	if (!file)
		return set_value(metadata, pair, value, strlen(value), f);
	if (file_read(value, VALUE_MAX, &data, &len, f))
		return -1;
	return set_value(metadata, pair, data, len, f);
}

static int
set_pairs(json_t *metadata, const struct setting_list *list, bool file, struct fault *f)
{
	for (size_t i = 0; i < list->n; i++) {
		AUTO(auto_free) char *copy = strdup(list->items[i]);
		char *rest = NULL;

		if (!copy)
			return fault_nomem(f);
		for (char *pair = strtok_r(copy, ",", &rest); pair;
			pair = strtok_r(NULL, ",", &rest)) {
			if (set_pair(metadata, pair, file, f))
				return -1;
		}
	}
	return 0;
}

int
metadata_flags_read(const struct setting_list *pairs, const struct setting_list *files,
	json_t **ret_metadata, struct fault *f)
{
	AUTO(auto_json) json_t *metadata = NULL;

	if (pairs->n == 0 && files->n == 0)
		return 0;
	metadata = json_object();
	if (!metadata)
		return fault_nomem(f);
	if (set_pairs(metadata, pairs, false, f) || set_pairs(metadata, files, true, f))
		return -1;
	*ret_metadata = TAKE(metadata);
	return 0;
}
