/* tally: what is counted over time: how long something took, how often what happened, how fast. */
#ifndef GATEWAY_TALLY_H
#define GATEWAY_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* How often what failed, by what the caller could do. */
#define TALLY_COUNT(name, status, meaning) +1
struct tally_codes {
	uint64_t n[FAULT_CODES(TALLY_COUNT)];
};

/* Upper bounds of a histogram's buckets, in milliseconds; what is above them has one more. */
#define TALLY_BOUNDS 11
extern const int tally_bounds_ms[TALLY_BOUNDS];

/*
 * n       how often, for each bucket by itself
 * sum_us  of all, microseconds
 */
struct tally_times {
	uint64_t n[TALLY_BOUNDS + 1];
	uint64_t sum_us;
};

void tally_time(struct tally_times *times, int64_t took_us);

/* Kinds of failure that are told apart; those of more are counted together, as the last. */
#define TALLY_FAULTS_MAX 32
#define TALLY_OTHERS	 "others"

/*
 * ckr   the token's name of it; a static string
 * code  what the caller could do
 */
struct tally_faults {
	struct tally_fault {
		const char *ckr;
		enum fault_code code;
		uint64_t n;
	} items[TALLY_FAULTS_MAX];
	size_t n;
};

void tally_fault(struct tally_faults *faults, const char *ckr, enum fault_code code);

/* Seconds that a rate looks back at most. */
#define TALLY_RATE_S 60

/* A counter's value, about once a second. */
struct tally_rate {
	struct {
		int64_t at_ms;
		uint64_t count;
	} samples[TALLY_RATE_S + 1];
	size_t n, last;
};

/* Notes a counter that only grows; now_ms is monotonic. */
void tally_sample(struct tally_rate *rate, uint64_t count, int64_t now_ms);

/* How much it grew in a second, over the last `span_s` or as long as it is known. */
double tally_per_s(const struct tally_rate *rate, int span_s);

#endif
