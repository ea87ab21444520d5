#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum log_level shown = LOG_LEVEL_INFO;

void
log_set_level(enum log_level level)
{
	shown = level;
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
	if (getenv("JOURNAL_STREAM"))
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
