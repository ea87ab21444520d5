/* attach_queue: which device the gateway attaches next, and how fast. Pure. */
#ifndef GATEWAY_ATTACH_QUEUE_H
#define GATEWAY_ATTACH_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/heap.h"
#include "base/list.h"

/* Attaches that may wait for their answers at the same time. */
#define ATTACHING_MAX 20

/*
 * The cloud attached a device of ATTACH_KNOWN before: such devices come first. All others are
 * strangers: whoever connects to the site's broker can make up any number of them. Each class is
 * first in, first out, and the classes of strangers take turns.
 */
enum attach_class {
	ATTACH_KNOWN,
	ATTACH_STRANGER_PRESENT, /* connected to the site's broker now */
	ATTACH_STRANGER_ABSENT,	 /* has left messages */
	ATTACH_STRANGER_REFUSED, /* the cloud refused it before */
	ATTACH_CLASSES,
};

/* Known devices that are attached one after the other while a stranger waits. */
#define ATTACH_KNOWN_IN_A_ROW 4

/*
 * Strangers that may be asked about at the same time, and that attached devices make room for. The
 * number grows while the cloud accepts strangers, and shrinks while it refuses them.
 */
#define ATTACH_STRANGERS_MIN 4
#define ATTACH_STRANGERS_MAX 100

/* Stands inside the device; all-zero is in no queue. The members are private to attach_queue.c. */
struct attach_entry {
	enum attach_class class;
	bool asked_as_stranger;
	struct list_link in_class;
	struct heap_link later;
};

/*
 * classes     entries that may be attached now, by class; n_classes counts them
 * later       entries whose next attempt is due later, by that time in milliseconds
 * n_known     known entries that were taken one after the other
 * turn        class that the last stranger was taken from
 * strangers   strangers that may be asked about at the same time
 * n_asked     strangers that are asked about
 * tokens      attaches that the rate has room for, times 1000, as of rate_ms
 */
struct attach_queue {
	struct list classes[ATTACH_CLASSES];
	size_t n_classes[ATTACH_CLASSES];
	struct heap later;
	unsigned n_known;
	enum attach_class turn;
	size_t strangers, n_asked;
	int64_t tokens, rate_ms;
};

void attach_queue_init(struct attach_queue *queue);

/* Frees the queue's own memory. */
void attach_queue_clear(struct attach_queue *queue);

/* Makes room for n entries. Returns 0; else FAULT_NOMEM. */
int attach_queue_reserve(struct attach_queue *queue, size_t n, struct fault *f);

/*
 * Adds an entry, or moves it to another class or time. One that waits in this class keeps
 * its place.
 *
 * due_ms  when it may be attached; 0: now
 */
void attach_queue_put(struct attach_queue *queue, struct attach_entry *entry,
	enum attach_class class, int64_t due_ms);

/* Takes an entry out, if it is in the queue. */
void attach_queue_remove(struct attach_queue *queue, struct attach_entry *entry);

/* Entries in the queue, whenever they are due. */
size_t attach_queue_count(const struct attach_queue *queue);

/* Entries that are due, of strangers no more than may be asked about at the same time. */
size_t attach_queue_due(struct attach_queue *queue, int64_t now_ms);

/*
 * Takes the next entry out. Its answer must be reported to attach_queue_answered().
 *
 * rate  attaches a second
 *
 * Returns NULL when no entry is due or the rate has no room.  Time: constant, but for entries that
 * became due.
 */
struct attach_entry *attach_queue_take(struct attach_queue *queue, long rate, int64_t now_ms);

enum attach_answer { ATTACH_ACCEPTED, ATTACH_REFUSED, ATTACH_GIVEN_UP };

/* What became of an entry that was taken; ATTACH_GIVEN_UP: the cloud did not answer. */
void attach_queue_answered(
	struct attach_queue *queue, struct attach_entry *entry, enum attach_answer answer);

#endif
