/* notify: what systemd is told of a service (sd_notify(3)); nothing without systemd. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/*
 * Sends lines of NAME=VALUE to $NOTIFY_SOCKET, if there is one.
 *
 * Threads: any.  Blocks: never.
 */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * How often to say WATCHDOG=1: twice in the time that systemd waits for it, $WATCHDOG_USEC, as it
 * advises; 0 when it waits for none.
 */
int64_t notify_watchdog_ms(void);

#endif
