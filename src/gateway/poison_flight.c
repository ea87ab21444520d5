/* What was sent, and what became of it: the evidence. */
#include "config.h"

#include "gateway/poison.h"

#include <string.h>

#include "base/text.h"
#include "gateway/poison_topic.h"

/* Connections that end with one of its messages alone in flight, until it is blocked. */
#define CLOSED_ALONE_MAX 3

/* Connections that may end in a row with nothing acknowledged, before the back-off grows. */
#define IN_VAIN_MAX 32

static void
note(struct poison *poison, struct poison_item *at, const struct poison_sent *sent)
{
	at->number = ++poison->sent;
	at->seq = sent->seq;
	text_cut(sent->device, at->device, sizeof(at->device));
	text_cut(sent->topic, at->topic, sizeof(at->topic));
}

void
poison_sent(struct poison *poison, size_t flight, const struct poison_sent *sent)
{
	struct poison_topic *t = poison_find(poison, sent->device, sent->topic, !sent->seq);

	if (sent->qos == 0) {
		size_t at = poison->n_unanswered++ % POISON_UNANSWERED_MAX;

		note(poison, &poison->unanswered[at], sent);
		return;
	}
	poison->n_in_flight += !poison->flights[flight].number;
	note(poison, &poison->flights[flight], sent);
	if (sent->alone)
		poison->alone = flight + 1;
	if (t && t->blocked)
		t->tried = true;
}

size_t
poison_in_flight(const struct poison *poison)
{
	return poison->n_in_flight;
}

bool
poison_is_alone(const struct poison *poison)
{
	return poison->alone != 0;
}

bool
poison_attaches_alone(const struct poison *poison)
{
	if (!poison->n_attaches)
		return false;
	for (const struct list_link *l = poison->topics.head; l; l = l->next) {
		const struct poison_topic *t = CONTAINER(l, struct poison_topic, among);

		if (t->attaches && (t->blocked || t->closed_with >= POISON_CLOSED_WITH_MAX))
			return true;
	}
	return false;
}

static struct poison_item
land(struct poison *poison, size_t flight)
{
	struct poison_item sent = poison->flights[flight];

	poison->n_in_flight -= sent.number != 0;
	poison->flights[flight].number = 0;
	if (poison->alone == flight + 1)
		poison->alone = 0;
	return sent;
}

/* When several failed and now something passes, the broker was the reason: all are tried again. */
static void
pardon(struct poison *poison, int64_t now_ms)
{
	if (poison->broad) {
		for (struct list_link *l = poison->topics.head; l; l = l->next) {
			struct poison_topic *t = CONTAINER(l, struct poison_topic, among);

			if (t->due_ms > now_ms)
				t->due_ms = now_ms;
		}
	}
	poison->broad = false;
	poison->failed = NULL;
	poison->in_vain = 0;
}

bool
poison_arrived(struct poison *poison, size_t flight, int64_t now_ms, struct poison_topic *ret_topic)
{
	const struct poison_item sent = land(poison, flight);
	struct poison_topic *t;
	bool ends;

	pardon(poison, now_ms);
	if (!sent.number)
		return false;
	/* What was sent before it was accepted too. */
	for (size_t i = 0; i < POISON_UNANSWERED_MAX; i++) {
		if (poison->unanswered[i].number < sent.number)
			poison->unanswered[i].number = 0;
	}
	t = poison_find(poison, sent.device, sent.topic, !sent.seq);
	ends = t && t->blocked && sent.number > t->sent_before;
	if (ends)
		*ret_topic = *t;
	if (t && (ends || !t->blocked))
		poison_drop_topic(poison, t);
	return ends;
}

const struct poison_topic *
poison_refused(struct poison *poison, size_t flight, const struct fault *why, int64_t now_ms)
{
	const struct poison_item sent = land(poison, flight);
	struct poison_topic *t = poison_meet(poison, &sent);

	if (!t)
		return NULL;
	/* One that was under way when the topic was blocked adds nothing. */
	if (t->blocked && sent.number <= t->sent_before)
		return NULL;
	t->used_ms = now_ms;
	t->closing = false;
	poison_block(poison, t, &sent, why->text, why->native, now_ms);
	return t;
}

void
poison_forget(struct poison *poison, size_t flight)
{
	const struct poison_item sent = land(poison, flight);
	struct poison_topic *t =
		sent.number ? poison_find(poison, sent.device, sent.topic, !sent.seq) : NULL;

	if (t)
		t->tried = false;
}

/* --- a connection ended ---------------------------------------------------------------------- */

/* MQTT 5 section 3.14.2.1. */
enum poison_end
poison_end_of(unsigned long code)
{
	switch (code) {
	case 0x00: /* before MQTT 5 there is no reason */
	case 0x80: /* unspecified error */
	case 0x81: /* malformed packet */
	case 0x82: /* protocol error */
	case 0x83: /* implementation specific error */
	case 0x87: /* not authorized */
		return POISON_END_CLOSED;
	case 0x90: /* topic name invalid */
	case 0x95: /* packet too large */
	case 0x99: /* payload format invalid */
	case 0x9a: /* retain not supported */
	case 0x9b: /* QoS not supported */
		return POISON_END_BLAMES;
	default:
		return POISON_END_INNOCENT;
	}
}

static size_t
count_unanswered(const struct poison *poison)
{
	size_t n = 0;

	for (size_t i = 0; i < POISON_UNANSWERED_MAX; i++)
		n += poison->unanswered[i].number != 0;
	return n;
}

/* What was alone in flight; an attach is its message and its subscription. NULL: several were. */
static const struct poison_item *
find_only(const struct poison *poison)
{
	const struct poison_item *first = NULL;

	for (size_t i = 0; i < POISON_FLIGHTS_MAX; i++) {
		const struct poison_item *item = &poison->flights[i];

		if (!item->number)
			continue;
		if (first && (item->seq || first->seq || strcmp(item->device, first->device)))
			return NULL;
		if (!first || item->number < first->number)
			first = item;
	}
	return first;
}

static void
suspect(struct poison *poison, const struct poison_item *sent, size_t n, unsigned weight,
	int64_t now_ms)
{
	for (size_t i = 0; i < n; i++) {
		struct poison_topic *t = sent[i].number ? poison_meet(poison, &sent[i]) : NULL;

		if (!t || t->ended_in == poison->ends)
			continue;
		t->ended_in = poison->ends;
		t->closed_with += weight;
		t->used_ms = now_ms;
	}
}

/* It was alone: so it is the reason, or nothing that was sent is. */
static const struct poison_topic *
accuse(struct poison *poison, const struct poison_item *sent, bool blamed, const struct fault *why,
	int64_t now_ms)
{
	struct poison_topic *t = poison_meet(poison, sent);

	if (!t)
		return NULL;
	t->used_ms = now_ms;
	t->closed_with++;
	t->closed_alone++;
	if (!t->blocked && !blamed && t->closed_alone < CLOSED_ALONE_MAX)
		return NULL;
	t->closing = true;
	poison_block(poison, t, sent,
		why->native ? why->text : "the broker closes the connection when it is sent",
		why->native, now_ms);
	return t;
}

static void
land_all(struct poison *poison)
{
	for (size_t i = 0; i < POISON_FLIGHTS_MAX; i++)
		poison->flights[i].number = 0;
	poison->n_in_flight = 0;
	for (size_t i = 0; i < POISON_UNANSWERED_MAX; i++)
		poison->unanswered[i].number = 0;
	for (struct list_link *l = poison->topics.head; l; l = l->next)
		CONTAINER(l, struct poison_topic, among)->tried = false;
	poison->alone = 0;
}

bool
poison_closed(struct poison *poison, enum poison_end end, const struct fault *why, int64_t now_ms,
	const struct poison_topic **ret_topic)
{
	size_t unanswered = count_unanswered(poison);
	const struct poison_item *only = unanswered ? NULL : find_only(poison);
	bool blamed = end == POISON_END_BLAMES;

	*ret_topic = NULL;
	poison->ends++;
	if (end == POISON_END_INNOCENT || !(poison->n_in_flight + unanswered)) {
		land_all(poison);
		return false;
	}
	if (only) {
		*ret_topic = accuse(poison, only, blamed, why, now_ms);
	} else {
		const unsigned weight = blamed ? POISON_CLOSED_WITH_MAX : 1;

		suspect(poison, poison->flights, POISON_FLIGHTS_MAX, weight, now_ms);
		suspect(poison, poison->unanswered, POISON_UNANSWERED_MAX, weight, now_ms);
	}
	land_all(poison);
	return poison->in_vain++ < IN_VAIN_MAX;
}
