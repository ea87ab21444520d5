/* A gateway's settings file: another program, or another user, may have written it. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/ini.h"
#include "base/secret.h"
#include "gateway/settings.h"

/* Each line is told from what the reader makes of it: the two must agree. */
struct lines {
	const char *text;
	size_t len;
};

/* The line with this number, without its end. */
static const char *
line_at(const struct lines *lines, int number, size_t *ret_len)
{
	const char *at = lines->text, *end = lines->text + lines->len, *feed;

	while (--number > 0) {
		feed = memchr(at, '\n', (size_t)(end - at));
		if (!feed)
			abort();
		at = feed + 1;
	}
	feed = memchr(at, '\n', (size_t)(end - at));
	*ret_len = (size_t)((feed ? feed : end) - at);
	return at;
}

/* A setting stands in the line that is said: never in a comment, and whole. */
static int
see(void *with, const char *section, const char *name, const char *value, int line, struct fault *f)
{
	const char *at;
	size_t len;

	(void)f;
	at = line_at(with, line, &len);
	if (!*section || !*name || len > INI_LINE_MAX + 1 || !memmem(at, len, name, strlen(name)) ||
		!memmem(at, len, value, strlen(value)))
		abort();
	at += line == 1 && len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	at += strspn(at, " \t");
	if (*at == '#' || *at == ';' || *at == '[')
		abort();
	return 0;
}

static void
check_fault(const struct fault *f)
{
	if (f->code == FAULT_NONE || !*f->text || strchr(f->text, '\n'))
		abort();
}

static void
settings(char *text, size_t len)
{
	struct gateway_settings values = {0};
	AUTO(auto_secret) char *password = NULL;
	struct fault f = FAULT_INIT;

	if (setting_preset(gateway_settings_table, &values, values.origins, &f))
		abort();
	if (gateway_settings_parse("fuzz", text, len, &values, &f) ||
		gateway_settings_finish(&values, "fuzz", &f))
		check_fault(&f);
	/* What was checked can be used. */
	else if (gateway_settings_password(
			 &values, gateway_settings_signs(&values) ? "a.b.c" : NULL, &password, &f))
		abort();
	gateway_settings_clear(&values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_free) char *text = malloc(size + 1), *again = malloc(size + 1);
	struct lines lines = {(const char *)data, size};
	struct fault f = FAULT_INIT;

	if (!text || !again)
		return 0;
	memcpy(text, data, size);
	memcpy(again, data, size);
	text[size] = again[size] = '\0';
	if (ini_parse("fuzz", text, size, see, &lines, &f))
		check_fault(&f);
	settings(again, size);
	return 0;
}
