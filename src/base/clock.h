/* clock: the system's clocks as one number. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/*
 * The time of a clock (clock_gettime(2)) in milliseconds, and in microseconds. CLOCK_MONOTONIC
 * measures spans; CLOCK_MONOTONIC_COARSE does so more cheaply, in steps of some milliseconds;
 * CLOCK_BOOTTIME also counts while the system is suspended.
 *
 * Threads: any.
 */
int64_t clock_ms(clockid_t clock);
int64_t clock_us(clockid_t clock);

#endif
