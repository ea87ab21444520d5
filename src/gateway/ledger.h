/* ledger: which messages of the spool are under way or done with, out of their order. Pure. */
#ifndef GATEWAY_LEDGER_H
#define GATEWAY_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"

/*
 * The spool knows of a reader one number: every message before it is done with. Messages are not
 * done with in their order, for a device that is not attached yet holds its own and lets others'
 * pass. Two bits a message, from the first that is not done with on.
 */
struct ledger;

/* Messages from the first that is not done with to the last that was taken, at most. */
#define LEDGER_SPAN_MAX (8 * 1024 * 1024)

/* Returns 0; else FAULT_NOMEM. */
int ledger_new(uint64_t first, struct ledger **ret_ledger, struct fault *f);

/* NULL is allowed. */
void ledger_free(struct ledger *ledger);

AUTO_DEFINE(ledger, struct ledger, ledger_free);

/* The first message that is not done with. */
uint64_t ledger_first(const struct ledger *ledger);

/* How many from a message on are done with, though the first is not. */
uint64_t ledger_done_early(const struct ledger *ledger, uint64_t from);

/* Forgets everything, for a spool that begins there now. */
void ledger_restart(struct ledger *ledger, uint64_t first);

/* Whether a message is under way or done with. */
bool ledger_has(const struct ledger *ledger, uint64_t seq);

/*
 * Takes a message under way.
 *
 * Returns 0; else FAULT_PRECONDITION when it is too far from the first, FAULT_NOMEM.
 */
int ledger_take(struct ledger *ledger, uint64_t seq, struct fault *f);

/*
 * The messages from one up to another are not there any more: they are done with.
 *
 * Returns as ledger_take().
 */
int ledger_lose(struct ledger *ledger, uint64_t from, uint64_t to, struct fault *f);

/* A message that was taken is done with. */
void ledger_done(struct ledger *ledger, uint64_t seq);

/* A message that was taken is to be taken again. */
void ledger_return(struct ledger *ledger, uint64_t seq);

/* Every message that is under way is to be taken again. */
void ledger_return_all(struct ledger *ledger);

#endif
