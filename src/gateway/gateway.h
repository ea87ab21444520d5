/* gateway: `p11-gateway run`: carries a site's devices to the cloud, until it is told to stop. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/fault.h"
#include "gateway/settings.h"

/* Reads the settings again, into values that are zero; as the program did at its start. */
typedef int gateway_reload_fn(void *with, struct gateway_settings *values, struct fault *f);

/*
 * Runs until SIGTERM or SIGINT; SIGHUP reads the settings again.
 *
 * settings  finished; taken over, and left empty
 *
 * Returns 0 when it was asked to stop; else FAULT_PIN and FAULT_LOCKED when the token refuses the
 * PIN.
 * Before it runs: FAULT_PRECONDITION when another gateway has this uplink's place in the spool,
 * FAULT_IO, FAULT_NOMEM.  Threads: main only.
 */
int gateway_run(
	struct gateway_settings *settings, gateway_reload_fn *reload, void *with, struct fault *f);

#endif
