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
	char line[1024];
	size_t room = sizeof(line) - 1;
	int n, m;
	va_list ap;

	if (level > shown)
		return;
	if (is_journal())
		n = snprintf(line, room, "<%d>", level);
	else
		n = snprintf(line, room, "%s: %s", program_invocation_short_name,
			level == LOG_LEVEL_WARN ? "warning: " : "");
	va_start(ap, format);
	m = vsnprintf(line + n, room - (size_t)n, format, ap);
	va_end(ap);
	if (m < 0)
		return;
	n = m < (int)room - n ? n + m : (int)room - 1;
	for (int i = 0; i < n; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	}
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nowhere left to say it */
}
