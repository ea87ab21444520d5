#include "config.h"

#include "gateway/poison.h"

#include "gateway/poison_topic.h"

/* Refusals of one message until it is dropped, where devices are attached. */
#define STRIKES_MAX 3

/* How long a topic is remembered after its last message. */
#define SUSPECT_IDLE_MS 600000
#define BLOCKED_IDLE_MS (2 * POISON_RETRY_MOST_MS)

void
poison_configure(struct poison *poison, int64_t hold_ms)
{
	poison->hold_ms = hold_ms;
}

void
poison_begin_pass(struct poison *poison)
{
	poison->pass++;
}

void
poison_forget_messages(struct poison *poison)
{
	for (struct list_link *l = poison->topics.head; l; l = l->next)
		CONTAINER(l, struct poison_topic, among)->seq = 0;
	poison_begin_pass(poison);
}

static bool
is_held(const struct poison *poison, const char *device)
{
	const struct poison_topic *t = NULL;

	while ((t = poison_next_of(poison, device, t))) {
		if (t->tried || t->held_in == poison->pass)
			return true;
	}
	return false;
}

static bool
is_due(const struct poison *poison, const struct poison_topic *t, int64_t now_ms)
{
	return now_ms >= t->due_ms && (!t->closing || now_ms >= poison->gap_ms);
}

static bool
is_expired(const struct poison *poison, const struct poison_topic *t, int64_t now_ms)
{
	return now_ms - t->since_ms >= poison->hold_ms;
}

/* Whether its time is over and something of it is still to be dropped for it. */
static bool
expires(const struct poison *poison, const struct poison_topic *t, int64_t now_ms)
{
	return is_expired(poison, t, now_ms) && (t->is_topic || !t->has_expired);
}

/*
 * Once the time is over, the message that was refused is dropped and the next one is tried. When
 * that is refused too, the topic is what the broker means, and all of it is dropped.
 */
static enum poison_verdict
judge_blocked(struct poison *poison, struct poison_topic *t, uint64_t seq, int64_t now_ms)
{
	bool expired = is_expired(poison, t, now_ms);

	if (expired && !t->is_topic && !t->has_expired) {
		t->has_expired = true;
		t->due_ms = now_ms;
	}
	if (expired && !t->is_topic && seq == t->seq) {
		t->dropped++;
		return POISON_DROP;
	}
	if (is_due(poison, t, now_ms))
		return POISON_ALONE;
	if (expired && t->is_topic) {
		t->dropped++;
		return POISON_DROP;
	}
	t->holds = true;
	t->held_in = poison->pass;
	return POISON_HOLD;
}

enum poison_verdict
poison_judge(
	struct poison *poison, const char *device, const char *topic, uint64_t seq, int64_t now_ms)
{
	struct poison_topic *t;

	if (!poison->by_device.n)
		return POISON_SEND;
	if (is_held(poison, device))
		return POISON_HOLD;
	t = poison_find(poison, device, topic, false);
	if (t && t->blocked)
		return judge_blocked(poison, t, seq, now_ms);
	return t && t->closed_with >= POISON_CLOSED_WITH_MAX ? POISON_ALONE : POISON_SEND;
}

bool
poison_tick(struct poison *poison, int64_t now_ms)
{
	struct list_link *next;
	bool again = false;

	for (struct list_link *l = poison->topics.head; l; l = next) {
		struct poison_topic *t = CONTAINER(l, struct poison_topic, among);

		next = l->next;
		if (now_ms - t->used_ms >= (t->blocked ? BLOCKED_IDLE_MS : SUSPECT_IDLE_MS)) {
			again |= t->holds;
			poison_drop_topic(poison, t);
		} else if (t->blocked && t->holds &&
			   (is_due(poison, t, now_ms) || expires(poison, t, now_ms))) {
			t->holds = false;
			again = true;
		}
	}
	return again;
}

bool
poison_strike(struct poison_strikes *strikes, uint64_t seq, bool is_over)
{
	if (strikes->seq == seq)
		strikes->times++;
	else if (!strikes->seq || is_over)
		*strikes = (struct poison_strikes){seq, 1};
	return strikes->seq == seq && strikes->times >= STRIKES_MAX;
}
