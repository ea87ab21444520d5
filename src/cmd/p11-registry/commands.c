#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/file.h"

int
require(const char *name, const char *value, struct fault *f)
{
	if (value && *value)
		return 0;
	return fault_set(f, FAULT_USAGE, "--%s is missing", name);
}

bool
is_json(const struct place *place)
{
	return strcmp(place->format, "json") == 0;
}

int
create_registry(const struct place *place, struct registry **ret_registry, struct fault *f)
{
	if (!place->db || !*place->db)
		return fault_set(f, FAULT_USAGE,
			"name the registry's file with --db or the variable P11_REGISTRY_DB");
	if (!place->project || !*place->project)
		return fault_set(f, FAULT_USAGE,
			"name the project with --project or the variable P11_REGISTRY_PROJECT");
	return registry_open(place->db, ret_registry, f);
}

int
open_registry(const struct place *place, struct registry **ret_registry, struct fault *f)
{
	if (place->db && *place->db && access(place->db, F_OK) != 0)
		return fault_set(f, FAULT_NOTFOUND,
			"no registry's file '%.128s': 'registries create' and 'pubsub topics "
			"create' make it",
			place->db);
	return create_registry(place, ret_registry, f);
}

static int
copy(const char *what, const char *from, char *to, struct fault *f)
{
	if (strlen(from) > RULES_ID_MAX)
		return fault_set(
			f, FAULT_USAGE, "the %s is longer than %d characters", what, RULES_ID_MAX);
	strcpy(to, from);
	return 0;
}

int
name_things(const struct place *place, const char *registry, const char *device,
	struct rules_client *ret, struct fault *f)
{
	struct rules_client names = {{0}, {0}, {0}, {0}};

	if (require("project", place->project, f) || require("region", place->region, f) ||
		require("registry", registry, f) ||
		copy("project", place->project, names.project, f) ||
		copy("region", place->region, names.region, f) ||
		copy("registry", registry, names.registry, f) ||
		(device && copy("device", device, names.device, f)))
		return -1;
	*ret = names;
	return 0;
}

static int
find_key(const char *const *names, const char *key, size_t len)
{
	for (int i = 0; names[i]; i++) {
		if (strlen(names[i]) == len && strncmp(names[i], key, len) == 0)
			return i;
	}
	return -1;
}

int
split_flag(const char *flag, const char *text, const char *const *names, char **values,
	struct fault *f)
{
	while (*text) {
		size_t key = strcspn(text, "=,"), value;
		int i = find_key(names, text, key);

		if (i < 0 || text[key] != '=')
			return fault_set(f, FAULT_USAGE,
				"--%s: '%.*s' is not KEY=VALUE with a key "
				"that is known",
				flag, (int)strcspn(text, ","), text);
		text += key + 1;
		value = strcspn(text, ",");
		free(values[i]);
		values[i] = strndup(text, value);
		if (!values[i])
			return fault_nomem(f);
		text += value + (text[value] == ',');
	}
	return 0;
}

int
read_data(const char *what, const char *data, const char *file, size_t max, char **ret_data,
	size_t *ret_len, struct fault *f)
{
	char *bytes;

	if (data && file)
		return fault_set(
			f, FAULT_USAGE, "--%s-data and --%s-file: give one of them", what, what);
	if (file)
		return file_read(file, max, ret_data, ret_len, f);
	if (!data)
		return 0;
	bytes = strdup(data);
	if (!bytes)
		return fault_nomem(f);
	*ret_len = strlen(bytes);
	*ret_data = bytes;
	return 0;
}

int
read_index(const char *operand, long flag, long max, long *ret, struct fault *f)
{
	const struct setting row = {"index", 0, SETTING_NUMBER, 0, .min = 0, .max = max};

	if (operand && setting_set(&row, &flag, operand, f))
		return fault_prefix(f, "index");
	if (flag < 0)
		return fault_set(f, FAULT_USAGE,
			"say which credential: 'credentials list' shows their indexes");
	*ret = flag;
	return 0;
}

void
to_upper(char *word)
{
	for (; word && *word; word++) {
		if (*word >= 'a' && *word <= 'z')
			*word = (char)(*word - 'a' + 'A');
	}
}
