#include "config.h"

#include "gateway/ledger.h"

#include <stdlib.h>
#include <string.h>

#define SPAN_FIRST 4096

/* Of a message: TAKEN alone is under way. */
#define TAKEN 1
#define DONE  2

/*
 * A ring of two bits a message; that of `first` is at first % span.
 *
 * end   behind the last that was taken
 * done  how many from the first on are done with
 */
struct ledger {
	uint64_t first, end, done;
	size_t span;
	uint8_t *bits;
};

int
ledger_new(uint64_t first, struct ledger **ret_ledger, struct fault *f)
{
	AUTO(auto_ledger) struct ledger *ledger = calloc(1, sizeof(*ledger));

	if (!ledger)
		return fault_nomem(f);
	ledger->first = ledger->end = first;
	ledger->span = SPAN_FIRST;
	ledger->bits = calloc(1, SPAN_FIRST / 4);
	if (!ledger->bits)
		return fault_nomem(f);
	*ret_ledger = TAKE(ledger);
	return 0;
}

void
ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return;
	free(ledger->bits);
	free(ledger);
}

uint64_t
ledger_first(const struct ledger *ledger)
{
	return ledger->first;
}

void
ledger_restart(struct ledger *ledger, uint64_t first)
{
	memset(ledger->bits, 0, ledger->span / 4);
	ledger->first = ledger->end = first;
	ledger->done = 0;
}

static unsigned
get(const struct ledger *ledger, uint64_t seq)
{
	size_t at = seq & (ledger->span - 1);

	return ledger->bits[at / 4] >> at % 4 * 2 & 3;
}

uint64_t
ledger_done_early(const struct ledger *ledger, uint64_t from)
{
	uint64_t done = ledger->done;

	for (uint64_t seq = ledger->first; seq < ledger->end && seq < from; seq++)
		done -= (get(ledger, seq) & DONE) != 0;
	return done;
}

static void
set(struct ledger *ledger, uint64_t seq, unsigned value)
{
	size_t at = seq & (ledger->span - 1);
	uint8_t *byte = &ledger->bits[at / 4];

	*byte = (uint8_t)((*byte & ~(3U << at % 4 * 2)) | value << at % 4 * 2);
}

bool
ledger_has(const struct ledger *ledger, uint64_t seq)
{
	return seq < ledger->first || (seq < ledger->end && get(ledger, seq));
}

static int
grow(struct ledger *ledger, struct fault *f)
{
	struct ledger larger = *ledger;

	larger.span *= 2;
	larger.bits = calloc(1, larger.span / 4);
	if (!larger.bits)
		return fault_nomem(f);
	for (uint64_t seq = ledger->first; seq < ledger->end; seq++)
		set(&larger, seq, get(ledger, seq));
	free(ledger->bits);
	*ledger = larger;
	return 0;
}

int
ledger_take(struct ledger *ledger, uint64_t seq, struct fault *f)
{
	if (seq - ledger->first >= LEDGER_SPAN_MAX)
		return fault_set(f, FAULT_PRECONDITION, "%d messages wait for one that is held",
			LEDGER_SPAN_MAX);
	while (seq - ledger->first >= ledger->span) {
		if (grow(ledger, f))
			return -1;
	}
	set(ledger, seq, TAKEN);
	if (seq >= ledger->end)
		ledger->end = seq + 1;
	return 0;
}

/* What is done with at the beginning is forgotten, its bits ready for what comes. */
static void
advance(struct ledger *ledger)
{
	while (ledger->first < ledger->end && get(ledger, ledger->first) & DONE) {
		set(ledger, ledger->first++, 0);
		ledger->done--;
	}
}

void
ledger_done(struct ledger *ledger, uint64_t seq)
{
	if (seq < ledger->first || seq >= ledger->end)
		return;
	if (!(get(ledger, seq) & DONE))
		ledger->done++;
	set(ledger, seq, TAKEN | DONE);
	if (seq == ledger->first)
		advance(ledger);
}

int
ledger_lose(struct ledger *ledger, uint64_t from, uint64_t to, struct fault *f)
{
	if (ledger->first == ledger->end && from <= ledger->first) {
		if (to > ledger->first)
			ledger->first = ledger->end = to;
		return 0;
	}
	for (uint64_t seq = from; seq < to; seq++) {
		if (ledger_has(ledger, seq))
			continue;
		if (ledger_take(ledger, seq, f))
			return -1;
		ledger_done(ledger, seq);
	}
	return 0;
}

void
ledger_return(struct ledger *ledger, uint64_t seq)
{
	if (seq >= ledger->first && seq < ledger->end && get(ledger, seq) == TAKEN)
		set(ledger, seq, 0);
}

void
ledger_return_all(struct ledger *ledger)
{
	for (uint64_t seq = ledger->first; seq < ledger->end; seq++)
		ledger_return(ledger, seq);
}
