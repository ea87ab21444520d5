/* options: what plugin_opt_NAME lines in mosquitto.conf set, by a table of settings. */
#ifndef PLUGIN_OPTIONS_H
#define PLUGIN_OPTIONS_H

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "base/setting.h"

/*
 * Reads mosquitto's options into a struct of values, presets where there are none.
 *
 * table   of settings; their names have dashes where mosquitto's have underscores, and three
 *         letters or more, for mosquitto 2.0 takes no shorter ones
 * values  zeroed before; to be emptied with setting_clear() in any case
 * page    the man page that knows them, for the fault
 *
 * Returns 0; else FAULT_CONFIG naming the option, FAULT_NOMEM.
 */
int options_read(const struct setting *table, void *values, const struct mosquitto_opt *given,
	int n, const char *page, struct fault *f);

#endif
