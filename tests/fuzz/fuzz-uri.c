/* Settings and key URIs: both come from files and command lines that others may have written. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/setting.h"
#include "token/inside.h"

struct values {
	bool flag;
	char *text, *choice;
	long number, duration_s;
	struct setting_list list;
};

static const struct setting table[] = {
	{"flag", 'f', SETTING_FLAG, offsetof(struct values, flag)},
	{"text", 't', SETTING_TEXT, offsetof(struct values, text)},
	{"choice", 'c', SETTING_CHOICE, offsetof(struct values, choice), .words = "red green blue"},
	{"number", 'n', SETTING_NUMBER, offsetof(struct values, number), .min = -5, .max = 100},
	{"duration", 'd', SETTING_DURATION, offsetof(struct values, duration_s), .min = 1,
		.max = 86400},
	{"list", 'l', SETTING_LIST, offsetof(struct values, list)},
	{NULL},
};

/* Each line is one argument. */
static void
settings(char *text)
{
	char *argv[34] = {(char *)"fuzz"};
	struct values values = {0};
	struct fault f = FAULT_INIT;
	char *rest = NULL;
	int argc = 1, operands;

	for (const struct setting *row = table; row->name; row++)
		setting_set(row, &values, text, &f);
	for (char *arg = strtok_r(text, "\n", &rest); arg && argc < 33;
		arg = strtok_r(NULL, "\n", &rest))
		argv[argc++] = arg;
	setting_parse(table, &values, NULL, argc, argv, &operands, &f);
	setting_clear(table, &values);
}

static void
uri(const char *text)
{
	AUTO(auto_uri) P11KitUri *parsed = NULL, *again = NULL;
	AUTO(auto_free) char *written = NULL;
	struct fault f = FAULT_INIT;
	struct uri_parts parts = {.class = CK_UNAVAILABLE_INFORMATION};

	if (uri_parse(text, &parsed, &f)) {
		if (f.code == FAULT_NONE || f.text[0] == '\0' || strchr(f.text, '\n'))
			abort();
		return;
	}
	parts.token = p11_kit_uri_get_token_info(parsed);
	parts.label = p11_kit_uri_get_attribute(parsed, CKA_LABEL);
	parts.id = p11_kit_uri_get_attribute(parsed, CKA_ID);
	parts.module_path = p11_kit_uri_get_module_path(parsed);
	/* What we write, we take; encoding may only make it longer than we take. */
	if (uri_format(&parts, &written, &f) == 0 && strlen(written) <= TOKEN_URI_MAX &&
		uri_parse(written, &again, &f))
		abort();
	if (p11_kit_uri_get_pin_source(parsed))
		pin_source_check(p11_kit_uri_get_pin_source(parsed), &f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_free) char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	uri(text);
	settings(text);
	return 0;
}
