#include "config.h"

#include "plugin/options.h"

#include <stdio.h>
#include <string.h>

#define OPTION_NAME_MAX 64

static const struct setting *
find(const struct setting *table, const char *key)
{
	char name[OPTION_NAME_MAX];

	snprintf(name, sizeof(name), "%s", key);
	for (char *at = name; *at; at++)
		*at = *at == '_' ? '-' : *at;
	for (const struct setting *row = table; row->name && row < table + SETTING_ROWS_MAX;
		row++) {
		if (!strcmp(row->name, name))
			return row;
	}
	return NULL;
}

/* Only a list may be given twice: mosquitto does not say which of two options should win. */
static int
set_one(const struct setting *row, void *values, bool *seen, const struct mosquitto_opt *given,
	struct fault *f)
{
	int rc = *seen && row->type != SETTING_LIST
			 ? fault_set(f, FAULT_CONFIG, "it is given twice")
			 : setting_set(row, values, given->value ? given->value : "", f);

	*seen = true;
	return rc ? fault_prefix(f, "plugin_opt_%.64s", given->key) : 0;
}

static int
set(const struct setting *table, void *values, const struct mosquitto_opt *given, int n,
	const char *page, struct fault *f)
{
	bool seen[SETTING_ROWS_MAX] = {false};

	if (setting_preset(table, values, NULL, f))
		return -1;
	for (int i = 0; i < n; i++) {
		const struct setting *row = find(table, given[i].key);

		if (!row)
			return fault_set(f, FAULT_CONFIG, "unknown option plugin_opt_%.64s: see %s",
				given[i].key, page);
		if (set_one(row, values, &seen[row - table], &given[i], f))
			return -1;
	}
	return 0;
}

int
options_read(const struct setting *table, void *values, const struct mosquitto_opt *given, int n,
	const char *page, struct fault *f)
{
	if (!set(table, values, given, n, page, f))
		return 0;
	if (f && f->code == FAULT_USAGE)
		f->code = FAULT_CONFIG;
	return -1;
}
