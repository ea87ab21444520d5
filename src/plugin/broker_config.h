/*
 * broker_config: what mosquitto's configuration decides beside a plugin. mosquitto does not tell
 * plugins, so its file is read.
 */
#ifndef PLUGIN_BROKER_CONFIG_H
#define PLUGIN_BROKER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

/*
 * With `per_listener_settings true` only the listeners count that load the plugin.
 *
 * allow_anonymous  what a listener sets, or mosquitto's default: true only without any listener
 * denies_topics    a listener has no `acl_file` and no second plugin that could decide, so that
 *                  mosquitto denies each topic that the plugin does not decide about
 */
struct broker_config {
	bool allow_anonymous;
	bool denies_topics;
};

/*
 * The configuration file of a mosquitto.
 *
 * args      its command line as in /proc/PID/cmdline, arguments that end in NUL; len bytes
 *
 * Returns the file, within args; NULL without one.
 */
const char *broker_config_file(const char *args, size_t len);

/*
 * Reads a configuration file and the directories that it includes.
 *
 * plugin  the plugin's file name, without its directory
 *
 * Returns 0; else as file_read_regular().  Blocks: on the files.
 */
int broker_config_read(
	const char *path, const char *plugin, struct broker_config *ret, struct fault *f);

/* The same for the mosquitto that this process is. FAULT_NOTFOUND when its file is not known. */
int broker_config_read_own(const char *plugin, struct broker_config *ret, struct fault *f);

#endif
