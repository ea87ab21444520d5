/* name_file: keeps the device names that a site's broker knows over its restarts. */
#ifndef PLUGIN_NAME_FILE_H
#define PLUGIN_NAME_FILE_H

#include "plugin/name_limit.h"

/* Name of the file in the spool's directory: a name a line, in the order of last use. */
#define NAME_FILE_NAME "known-devices"

struct name_file;

/*
 * Reads the names that were known before. Lines that are not valid names are skipped, and so is a
 * file that cannot be read.
 *
 * dir    the spool's directory
 * limit  remembers the names; borrowed until name_file_close()
 *
 * Returns 0; else FAULT_NOMEM.  Blocks: on the disk.
 */
int name_file_open(
	const char *dir, struct name_limit *limit, struct name_file **ret_file, struct fault *f);

/* Writes names that are new, and waits for the disk. NULL is allowed. */
void name_file_close(struct name_file *file);

AUTO_DEFINE(name_file, struct name_file, name_file_close);

/*
 * Has a thread write the file when there are new names, a minute after the last time or later. Not
 * synced: a loss of power may cost the last names.
 *
 * now_ms  by a clock that never goes back
 *
 * Returns 0; else what the last attempt failed for, once: FAULT_IO, FAULT_NOMEM.
 */
int name_file_tick(struct name_file *file, int64_t now_ms, struct fault *f);

#endif
