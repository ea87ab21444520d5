/* times: points in time and spans as flags have them. */
#ifndef BASE_TIMES_H
#define BASE_TIMES_H

#include <time.h>

#include "base/fault.h"

/* RFC 3339: 2027-01-01T00:00:00Z; a fraction of a second is passed over, an offset counts. */
int times_read(const char *text, time_t *ret, struct fault *f);

/*
 * A point in time as above, or a span before now: 90s, 15m, 12h, 7d.
 *
 * Returns 0; else FAULT_USAGE.
 */
int times_read_since(const char *text, time_t now, time_t *ret, struct fault *f);

#endif
