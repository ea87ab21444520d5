/* waker: makes a broker call us that has no clock for plugins. Knows threads and signals. */
#ifndef PLUGIN_WAKER_H
#define PLUGIN_WAKER_H

#include <time.h>

#include "base/auto.h"
#include "base/fault.h"

/*
 * With per_listener_settings true mosquitto before 2.0.15 never calls a plugin's tick: nothing
 * would happen until a packet comes. A thread of its own then looks whether something is due: a
 * change in the registry's file, the end of a token, a connection to be closed. It asks the broker
 * to reload its settings (SIGHUP), at most once a second, which is the one thing that makes it call
 * us.
 *
 * A broker that ticks is left without the thread: a second thread makes each of its system calls
 * and allocations slower, which costs it a tenth of what it can carry.
 */
struct waker;

/*
 * path  the registry's file, which the thread opens once more, for reading what changed
 *
 * Returns 0; else FAULT_NOMEM.
 */
int waker_new(const char *path, struct waker **ret_waker, struct fault *f);

/* Ends the thread and waits for it. NULL is allowed. */
void waker_free(struct waker *waker);

AUTO_DEFINE(waker, struct waker, waker_free);

/*
 * Says that the broker called us for a client. One that ticks has done so by then: a connection is
 * accepted in one pass of its loop and read in a later one. Starts the thread, once, if it has not.
 *
 * Returns 0; else once FAULT_IO when there can be no thread, and once what the thread could not
 * open the file for: it tries again, and until then looks only whether something is due.
 */
int waker_called(struct waker *waker, struct fault *f);

/* Says that the broker called our tick. Costs nothing. */
void waker_ticked(struct waker *waker);

/* Says when something is due next, in Unix seconds: 0 for nothing, 1 for now. */
void waker_set_due(struct waker *waker, time_t due);

#endif
