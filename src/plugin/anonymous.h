/*
 * anonymous: whether mosquitto's configuration lets clients in that have not proved who they are.
 * mosquitto does not tell plugins, so its file is read.
 */
#ifndef PLUGIN_ANONYMOUS_H
#define PLUGIN_ANONYMOUS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

/*
 * The configuration file of a mosquitto.
 *
 * args      its command line as in /proc/PID/cmdline, arguments that end in NUL; len bytes
 *
 * Returns the file, within args; NULL without one.
 */
const char *anonymous_file(const char *args, size_t len);

/*
 * Reads `allow_anonymous` in a configuration file and the directories that it includes. With
 * `per_listener_settings true` only the listeners count that load the plugin.
 *
 * plugin       the plugin's file name, without its directory
 * ret_allowed  receives what is set, or mosquitto's default: true only without any listener
 *
 * Returns 0; else as file_read_regular().  Blocks: on the files.
 */
int anonymous_read(const char *path, const char *plugin, bool *ret_allowed, struct fault *f);

/* The same for the mosquitto that this process is. FAULT_NOTFOUND when its file is not known. */
int anonymous_read_own(const char *plugin, bool *ret_allowed, struct fault *f);

#endif
