/* metadata: gcloud's --metadata and --metadata-from-file. */
#ifndef CMD_P11_REGISTRY_METADATA_H
#define CMD_P11_REGISTRY_METADATA_H

#include <jansson.h>

#include "base/fault.h"
#include "base/setting.h"

/*
 * Reads KEY=VALUE,... and KEY=FILE,... into one object; the last of a key counts.
 *
 * ret_metadata  free with json_decref(); NULL when no flag is given
 *
 * Returns 0; else FAULT_USAGE for what is no pair, FAULT_INVALID for a value that is no UTF-8 text,
 * or file_read()'s.
 */
int metadata_flags_read(const struct setting_list *pairs, const struct setting_list *files,
	json_t **ret_metadata, struct fault *f);

#endif
