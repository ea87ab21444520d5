#include "config.h"

#include "gateway/attach_queue.h"

/* Answers that only known devices may wait for. */
#define RESERVED 4

void
attach_queue_init(struct attach_queue *queue)
{
	*queue = (struct attach_queue){
		.turn = ATTACH_STRANGER_REFUSED,
		.strangers = ATTACHING_MAX - RESERVED,
	};
}

void
attach_queue_clear(struct attach_queue *queue)
{
	heap_clear(&queue->later);
}

int
attach_queue_reserve(struct attach_queue *queue, size_t n, struct fault *f)
{
	return heap_reserve(&queue->later, n, f);
}

static void
leave_class(struct attach_queue *queue, struct attach_entry *entry)
{
	if (!entry->in_class.in)
		return;
	list_remove(&entry->in_class);
	queue->n_classes[entry->class]--;
}

static void
enter_class(struct attach_queue *queue, struct attach_entry *entry)
{
	list_append(&queue->classes[entry->class], &entry->in_class);
	queue->n_classes[entry->class]++;
}

void
attach_queue_put(struct attach_queue *queue, struct attach_entry *entry, enum attach_class class,
	int64_t due_ms)
{
	if (entry->in_class.in && entry->class == class)
		return;
	leave_class(queue, entry);
	entry->class = class;
	if (due_ms) {
		heap_put(&queue->later, &entry->later, due_ms);
	} else {
		heap_remove(&queue->later, &entry->later);
		enter_class(queue, entry);
	}
}

void
attach_queue_remove(struct attach_queue *queue, struct attach_entry *entry)
{
	leave_class(queue, entry);
	heap_remove(&queue->later, &entry->later);
}

/* Moves entries whose time has come to their classes. */
static void
wake(struct attach_queue *queue, int64_t now_ms)
{
	struct heap_link *first;

	while ((first = heap_first(&queue->later)) && first->key <= now_ms) {
		heap_remove(&queue->later, first);
		enter_class(queue, CONTAINER(first, struct attach_entry, later));
	}
}

static size_t
count_strangers(const struct attach_queue *queue)
{
	size_t n = 0;

	for (int i = ATTACH_KNOWN + 1; i < ATTACH_CLASSES; i++)
		n += queue->n_classes[i];
	return n;
}

size_t
attach_queue_count(const struct attach_queue *queue)
{
	return queue->n_classes[ATTACH_KNOWN] + count_strangers(queue) + queue->later.n;
}

size_t
attach_queue_due(struct attach_queue *queue, int64_t now_ms)
{
	size_t strangers;

	wake(queue, now_ms);
	strangers = count_strangers(queue);
	return queue->n_classes[ATTACH_KNOWN] +
	       (strangers < queue->strangers ? strangers : queue->strangers);
}

static void
refill(struct attach_queue *queue, long rate, int64_t now_ms)
{
	int64_t most = (int64_t)rate * 1000;

	if (!queue->rate_ms)
		queue->tokens = most;
	else
		queue->tokens += (now_ms - queue->rate_ms) * rate;
	queue->rate_ms = now_ms;
	if (queue->tokens > most)
		queue->tokens = most;
}

static bool
may_ask_stranger(const struct attach_queue *queue)
{
	size_t most = ATTACHING_MAX - RESERVED;

	if (queue->strangers < most)
		most = queue->strangers;
	return queue->n_asked < most && count_strangers(queue) > 0;
}

/* The next class of strangers, after the last one that had its turn, that is not empty. */
static struct list *
next_strangers(struct attach_queue *queue)
{
	enum attach_class class = queue->turn;

	do {
		class = class + 1 < ATTACH_CLASSES ? class + 1 : ATTACH_KNOWN + 1;
		if (queue->classes[class].head) {
			queue->turn = class;
			return &queue->classes[class];
		}
	} while (class != queue->turn);
	return NULL;
}

/* Strangers leave half of what may come in a burst to known devices that come later. */
static struct list *
choose(struct attach_queue *queue, long rate)
{
	int64_t reserve = rate > 1 ? (int64_t)rate * 500 : 0;
	bool known = queue->n_classes[ATTACH_KNOWN] > 0, stranger = may_ask_stranger(queue);

	if (queue->tokens < 1000)
		return NULL;
	if (known && (!stranger || queue->n_known < ATTACH_KNOWN_IN_A_ROW)) {
		queue->n_known = stranger ? queue->n_known + 1 : 0;
		return &queue->classes[ATTACH_KNOWN];
	}
	if (!stranger || (!known && queue->tokens < 1000 + reserve))
		return NULL;
	queue->n_known = 0;
	return next_strangers(queue);
}

struct attach_entry *
attach_queue_take(struct attach_queue *queue, long rate, int64_t now_ms)
{
	struct attach_entry *entry;
	struct list *from;

	wake(queue, now_ms);
	refill(queue, rate, now_ms);
	from = choose(queue, rate);
	if (!from)
		return NULL;
	entry = CONTAINER(from->head, struct attach_entry, in_class);
	leave_class(queue, entry);
	queue->tokens -= 1000;
	entry->asked_as_stranger = entry->class != ATTACH_KNOWN;
	queue->n_asked += entry->asked_as_stranger;
	return entry;
}

void
attach_queue_answered(
	struct attach_queue *queue, struct attach_entry *entry, enum attach_answer answer)
{
	if (!entry->asked_as_stranger)
		return;
	entry->asked_as_stranger = false;
	queue->n_asked--;
	if (answer == ATTACH_ACCEPTED && queue->strangers < ATTACH_STRANGERS_MAX)
		queue->strangers++;
	else if (answer == ATTACH_REFUSED)
		queue->strangers /= 2;
	if (queue->strangers < ATTACH_STRANGERS_MIN)
		queue->strangers = ATTACH_STRANGERS_MIN;
}
