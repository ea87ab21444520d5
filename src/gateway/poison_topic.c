#include "config.h"

#include "gateway/poison_topic.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Each try may cost everybody the connection: time between two of them. */
#define RETRY_GAP_MS 10000

int
poison_new(struct poison **ret_poison, struct fault *f)
{
	struct poison *poison = calloc(1, sizeof(*poison));

	if (!poison)
		return fault_nomem(f);
	poison->pass = 1;
	*ret_poison = poison;
	return 0;
}

void
poison_drop_topic(struct poison *poison, struct poison_topic *topic)
{
	poison->n_blocked -= topic->blocked;
	poison->n_attaches -= topic->attaches;
	if (poison->failed == topic)
		poison->failed = NULL;
	table_remove(&poison->by_device, &topic->by_device);
	list_remove(&topic->among);
	free(topic);
}

void
poison_free(struct poison *poison)
{
	if (!poison)
		return;
	while (poison->topics.head)
		poison_drop_topic(
			poison, CONTAINER(poison->topics.head, struct poison_topic, among));
	table_clear(&poison->by_device);
	free(poison);
}

/* The next topic of a device: NULL begins, NULL ends. */
struct poison_topic *
poison_next_of(const struct poison *poison, const char *device, const struct poison_topic *after)
{
	struct table_link *l = after ? table_next(&after->by_device)
				     : table_first(&poison->by_device, table_hash_text(device));

	for (; l; l = table_next(l)) {
		struct poison_topic *topic = CONTAINER(l, struct poison_topic, by_device);

		if (!strcmp(topic->device, device))
			return topic;
	}
	return NULL;
}

struct poison_topic *
poison_find(const struct poison *poison, const char *device, const char *topic, bool attaches)
{
	char cut[POISON_TOPIC_MAX + 1];
	struct poison_topic *t = NULL;

	if (!poison->by_device.n)
		return NULL;
	text_cut(topic, cut, sizeof(cut));
	while ((t = poison_next_of(poison, device, t))) {
		if (t->attaches == attaches && (!*t->topic || !strcmp(t->topic, cut)))
			return t;
	}
	return NULL;
}

/* Makes room by what is under suspicion only, else by what is tried again first. */
static void
make_room(struct poison *poison)
{
	struct poison_topic *least = NULL;

	for (struct list_link *l = poison->topics.head; l; l = l->next) {
		struct poison_topic *t = CONTAINER(l, struct poison_topic, among);

		if (!least || t->blocked < least->blocked ||
			(t->blocked == least->blocked && t->due_ms < least->due_ms))
			least = t;
	}
	if (least)
		poison_drop_topic(poison, least);
}

/* The topic, which is made when it is not known; NULL when memory ran out. */
struct poison_topic *
poison_meet(struct poison *poison, const struct poison_item *sent)
{
	struct poison_topic *t = poison_find(poison, sent->device, sent->topic, !sent->seq);

	if (t)
		return t;
	if (poison->by_device.n >= POISON_TOPICS_MAX)
		make_room(poison);
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	memcpy(t->device, sent->device, sizeof(t->device));
	memcpy(t->topic, sent->topic, sizeof(t->topic));
	t->attaches = !sent->seq;
	if (table_add(&poison->by_device, &t->by_device, table_hash_text(t->device), NULL)) {
		free(t);
		return NULL;
	}
	list_append(&poison->topics, &t->among);
	poison->n_attaches += t->attaches;
	return t;
}

/* A device that is refused whatever its topic is would be found out topic by topic. */
static void
widen(struct poison *poison, struct poison_topic *t)
{
	struct poison_topic *other = NULL, *next;
	unsigned n = 0;

	while ((other = poison_next_of(poison, t->device, other)))
		n += other->blocked && !other->attaches;
	if (t->attaches || n < POISON_DEVICE_TOPICS_MAX)
		return;
	for (other = poison_next_of(poison, t->device, NULL); other; other = next) {
		next = poison_next_of(poison, t->device, other);
		if (other == t || other->attaches)
			continue;
		if (other->blocked && other->since_ms < t->since_ms)
			t->since_ms = other->since_ms;
		t->dropped += other->dropped;
		poison_drop_topic(poison, other);
	}
	t->topic[0] = '\0';
	t->is_topic = true;
}

/* A blocked topic was refused, for the first time or once more. */
static void
fail(struct poison *poison, struct poison_topic *t, const struct poison_item *sent, int64_t now_ms)
{
	int64_t wait_ms = POISON_RETRY_FIRST_MS;

	for (unsigned i = 0; i < t->failures && wait_ms < POISON_RETRY_MOST_MS; i++)
		wait_ms *= 2;
	t->failures++;
	t->due_ms = now_ms + (wait_ms < POISON_RETRY_MOST_MS ? wait_ms : POISON_RETRY_MOST_MS);
	t->is_topic |= t->seq && t->seq != sent->seq;
	t->seq = sent->seq;
	t->sent_before = poison->sent;
	t->holds = true;
	t->tried = t->has_expired = false;
	poison->broad |= poison->failed && poison->failed != t;
	poison->failed = t;
	if (t->closing)
		poison->gap_ms = now_ms + RETRY_GAP_MS;
}

void
poison_block(struct poison *poison, struct poison_topic *t, const struct poison_item *sent,
	const char *reason, unsigned long code, int64_t now_ms)
{
	bool is_new = !t->blocked;

	if (is_new) {
		t->blocked = true;
		t->since_ms = now_ms;
		poison->n_blocked++;
	}
	t->code = code;
	text_cut(reason, t->reason, sizeof(t->reason));
	fail(poison, t, sent, now_ms);
	if (is_new)
		widen(poison, t);
}

const struct poison_topic *
poison_next(const struct poison *poison, const struct poison_topic *after)
{
	struct list_link *l = after ? after->among.next : poison->topics.head;

	for (; l; l = l->next) {
		const struct poison_topic *t = CONTAINER(l, struct poison_topic, among);

		if (t->blocked)
			return t;
	}
	return NULL;
}

size_t
poison_blocked(const struct poison *poison)
{
	return poison->n_blocked;
}
