/* metadata: the pairs that an operator keeps with a device, and their limits. Private. */
#ifndef REGISTRY_METADATA_H
#define REGISTRY_METADATA_H

#include <jansson.h>

#include "base/fault.h"

/*
 * Checks pairs and writes them as they stand in the file.
 *
 * metadata  an object of texts; NULL is an empty one
 * ret_text  receives JSON, or NULL for no pairs; free with free()
 *
 * Returns 0; else FAULT_USAGE naming the key that is wrong or the limit that is passed.
 */
int metadata_write(const json_t *metadata, char **ret_text, struct fault *f);

/* Reads them again; free with json_decref(). FAULT_CONFIG when the file holds something else. */
int metadata_read(const char *text, json_t **ret_metadata, struct fault *f);

#endif
