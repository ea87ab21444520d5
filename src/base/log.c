#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static enum log_level shown = LOG_LEVEL_INFO;

void
log_set_level(enum log_level level)
{
	shown = level;
}

/*
 * Whether standard error is journald's (systemd.exec(5)): programs whose standard error was sent
 * elsewhere inherit the variable too.
 */
static bool
is_journal(void)
{
	const char *journal = getenv("JOURNAL_STREAM");
	char own[48];
	struct stat st;

	if (!journal || fstat(STDERR_FILENO, &st))
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return !strcmp(journal, own);
}

void
log_line(enum log_level level, const char *format, ...)
{
	char text[1024], line[2048];
	size_t n;
	va_list ap;

	if (level > shown)
		return;
	if (is_journal())
		snprintf(line, sizeof(line), "<%d>", level);
	else
		snprintf(line, sizeof(line), "%.200s: %s", program_invocation_short_name,
			level == LOG_LEVEL_WARN ? "warning: " : "");
	va_start(ap, format);
	if (vsnprintf(text, sizeof(text), format, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	n = strlen(line);
	text_show(text, line + n, sizeof(line) - n);
	n += strlen(line + n);
	/* In place of the NUL. */
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nowhere left to say it */
}
