/*
 * suspects: messages that the cloud ends the connection for. Pure.
 *
 * A broker may answer what it does not take by closing, and be sent the same again for ever.
 * When connections end one after the other with nothing acknowledged, messages go one at a time;
 * one that was alone each time is left out for a while, in which the others pass. Nothing is given
 * up: it may have been the broker's own trouble.
 */
#ifndef GATEWAY_SUSPECTS_H
#define GATEWAY_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages that are left out at once. */
#define SUSPECTS_MAX 16

/* All-zero suspects nobody. fruitless: connections in a row that ended without a PUBACK */
struct suspects {
	struct suspect {
		uint64_t seq; /* 0: none */
		unsigned times;
		int64_t until_ms;
	} items[SUSPECTS_MAX];
	unsigned fruitless;
};

/*
 * The connection ended.
 *
 * fruitful  something was acknowledged while it lasted
 * n, seq    how many were in flight, and the number of one that is a message; 0: none is
 *
 * Returns how long that one is left out from now on, in milliseconds; 0: it is not.
 */
int64_t suspects_lost(
	struct suspects *suspects, bool fruitful, size_t n, uint64_t seq, int64_t now_ms);

/* Whether messages are to go one at a time. */
bool suspects_alone(const struct suspects *suspects);

/* Whether a message is left out now. */
bool suspects_has(const struct suspects *suspects, uint64_t seq, int64_t now_ms);

/* Whether the time of one is over, which is told once: it may be sent again. */
bool suspects_due(struct suspects *suspects, int64_t now_ms);

/* A message was acknowledged. */
void suspects_clear(struct suspects *suspects, uint64_t seq);

#endif
