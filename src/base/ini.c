#include "config.h"

#include "base/ini.h"

#include <stdbool.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"

/* Returns the text without the spaces around it; the spaces after it are cut off. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len && strchr(" \t", text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* Tabs are the only control characters that belong into a line: an editor shows no other one. */
static int
check_bytes(const char *line, size_t len, struct fault *f)
{
	if (len > INI_LINE_MAX)
		return fault_set(f, FAULT_CONFIG, "the line is longer than %d bytes", INI_LINE_MAX);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return fault_set(f, FAULT_CONFIG,
				"byte %zu of the line is the control character 0x%02x", i + 1, c);
	}
	return 0;
}

/* Cuts the brackets off; the name of the section stays in place. */
static int
read_section(char *line, const char **ret_section, struct fault *f)
{
	size_t len = strcspn(line + 1, "[]");

	if (len == 0 || strcmp(line + 1 + len, "]") != 0)
		return fault_set(
			f, FAULT_CONFIG, "a section is written as [NAME], alone on a line");
	line[1 + len] = '\0';
	*ret_section = line + 1;
	return 0;
}

static int
read_line(char *text, int number, const char **section, ini_setting *each, void *with,
	struct fault *f)
{
	char *line = trim(text), *equals;

	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return read_section(line, section, f);
	equals = strchr(line, '=');
	if (!equals || equals == line)
		return fault_set(f, FAULT_CONFIG,
			"the line is neither [SECTION] nor NAME = VALUE nor a comment");
	if (!*section)
		return fault_set(f, FAULT_CONFIG, "a [SECTION] must come before the first setting");
	*equals = '\0';
	return each(with, *section, trim(line), trim(equals + 1), number, f);
}

int
ini_parse(const char *path, char *text, size_t len, ini_setting *each, void *with, struct fault *f)
{
	static const char mark[] = "\xef\xbb\xbf";
	char *end = text + len;
	const char *section = NULL;

	if (len >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
		text += strlen(mark);
	for (int number = 1; text < end; number++) {
		char *feed = memchr(text, '\n', (size_t)(end - text));
		char *line_end = feed ? feed : end;

		if (feed && feed > text && feed[-1] == '\r')
			line_end--;
		*line_end = '\0';
		if (check_bytes(text, (size_t)(line_end - text), f) ||
			read_line(text, number, &section, each, with, f))
			return fault_prefix(f, "%s:%d", path, number);
		text = feed ? feed + 1 : end;
	}
	return 0;
}

int
ini_read(const char *path, ini_setting *each, void *with, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;
	size_t len;

	if (file_read(path, INI_FILE_MAX, &text, &len, f)) {
		if (f && f->code == FAULT_INVALID)
			f->code = FAULT_CONFIG;
		return -1;
	}
	return ini_parse(path, text, len, each, with, f);
}
