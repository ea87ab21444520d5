#include "config.h"

#include "gateway/tally.h"

#include <string.h>

const int tally_bounds_ms[TALLY_BOUNDS] = {5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

void
tally_time(struct tally_times *times, int64_t took_us)
{
	size_t i = 0;

	while (i < TALLY_BOUNDS && took_us > tally_bounds_ms[i] * INT64_C(1000))
		i++;
	times->n[i]++;
	times->sum_us += (uint64_t)took_us;
}

void
tally_fault(struct tally_faults *faults, const char *ckr, enum fault_code code)
{
	struct tally_fault *at = faults->items;
	size_t i = 0;

	while (i < faults->n && (strcmp(at[i].ckr, ckr) || at[i].code != code))
		i++;
	if (i >= TALLY_FAULTS_MAX - 1) {
		i = TALLY_FAULTS_MAX - 1;
		at[i].ckr = TALLY_OTHERS;
		at[i].code = FAULT_NONE;
	} else {
		at[i].ckr = ckr;
		at[i].code = code;
	}
	if (i == faults->n)
		faults->n++;
	at[i].n++;
}

void
tally_sample(struct tally_rate *rate, uint64_t count, int64_t now_ms)
{
	const size_t room = TALLY_RATE_S + 1;

	rate->last = rate->n ? (rate->last + 1) % room : 0;
	rate->samples[rate->last].at_ms = now_ms;
	rate->samples[rate->last].count = count;
	if (rate->n < room)
		rate->n++;
}

double
tally_per_s(const struct tally_rate *rate, int span_s)
{
	const size_t room = TALLY_RATE_S + 1;
	size_t back = (size_t)span_s < rate->n ? (size_t)span_s : rate->n ? rate->n - 1 : 0;
	size_t from = (rate->last + room - back) % room;
	int64_t took_ms = rate->samples[rate->last].at_ms - rate->samples[from].at_ms;
	uint64_t grew = rate->samples[rate->last].count - rate->samples[from].count;

	return took_ms > 0 ? (double)grew * 1000 / (double)took_ms : 0;
}
