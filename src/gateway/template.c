#include "config.h"

#include "gateway/template.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

static int
find(const struct template_value *values, const char *name, size_t len, const char **ret_value,
	struct fault *f)
{
	for (const struct template_value *v = values; v->name; v++) {
		if (strlen(v->name) != len || strncmp(v->name, name, len) != 0)
			continue;
		if (!v->value)
			return fault_set(f, FAULT_CONFIG, "{%s} has no value here", v->name);
		*ret_value = v->value;
		return 0;
	}
	return fault_set(f, FAULT_CONFIG, "{%.*s} is no name that is known here", (int)len, name);
}

int
template_expand(
	const char *text, const struct template_value *values, char **ret_text, struct fault *f)
{
	AUTO(auto_free) char *expanded = NULL;
	size_t size;
	FILE *to = open_memstream(&expanded, &size);
	int rc = 0;

	if (!to)
		return fault_nomem(f);
	while (*text && !rc) {
		const char *value, *end;

		if (*text != '{' || text[1] == '{') {
			fputc(*text, to);
			text += *text == '{' ? 2 : 1;
			continue;
		}
		end = strchr(text, '}');
		if (!end) {
			rc = fault_set(f, FAULT_CONFIG, "'%s' has no closing brace", text);
			break;
		}
		rc = find(values, text + 1, (size_t)(end - text - 1), &value, f);
		if (!rc)
			fputs(value, to);
		text = end + 1;
	}
	if (fclose(to) && !rc)
		rc = fault_nomem(f);
	if (!rc)
		*ret_text = TAKE(expanded);
	return rc;
}
