/* log: one line an event on standard error, fit for a terminal and for journald. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

/* The numbers are syslog's, so that journald can be told them. */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* The most talkative level that is still shown; LOG_LEVEL_INFO until set. */
void log_set_level(enum log_level level);

/*
 * Writes one line in a single write(), with `NAME: ` before it; to journald with the level's
 * prefix instead. The text is made fit to print (text.h). A secret never goes in here.
 *
 * Threads: any.
 */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
