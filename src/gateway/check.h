/* check: whether the gateway could run with its settings, as far as that shows beforehand. */
#ifndef GATEWAY_CHECK_H
#define GATEWAY_CHECK_H

#include "base/fault.h"
#include "gateway/settings.h"

/*
 * Looks for what would keep a gateway from connecting: values that another room refuses, and files
 * that cannot be read by this user. It neither opens the token nor connects.
 *
 * settings  finished
 *
 * Returns 0; else FAULT_CONFIG with the place of the setting before the text, FAULT_NOMEM,
 * FAULT_IO, FAULT_CRYPTO.  Blocks: on the files.  Threads: any.
 */
int gateway_check(const struct gateway_settings *settings, struct fault *f);

#endif
