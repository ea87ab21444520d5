#include "config.h"

#include "plugin/journal_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* How many lines, and how many activities of devices that are gone, wait at most. */
#define EVENTS_MAX 2000
#define KEPT_MAX   2000

/* Devices whose activity is written in one transaction. */
#define WRITE_MAX 500

/* The activity of a device that is gone. */
struct kept {
	int64_t device_row;
	struct registry_activity activity;
};

/*
 * events        a ring: n_events from first_event on
 * lost          lines and activities for which there was no room
 */
struct journal_queue {
	struct registry *registry;
	struct roster *roster;
	struct registry_event *events;
	size_t first_event, n_events;
	struct kept *kept;
	size_t n_kept;
	unsigned long lost;
};

int
journal_queue_new(struct registry *registry, struct roster *roster,
	struct journal_queue **ret_queue, struct fault *f)
{
	AUTO(auto_journal_queue) struct journal_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return fault_nomem(f);
	queue->registry = registry;
	queue->roster = roster;
	queue->events = calloc(EVENTS_MAX, sizeof(*queue->events));
	queue->kept = calloc(KEPT_MAX, sizeof(*queue->kept));
	if (!queue->events || !queue->kept)
		return fault_nomem(f);
	*ret_queue = TAKE(queue);
	return 0;
}

/* Removes the n oldest of what is kept. */
static void
drop_kept(struct journal_queue *queue, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(queue->kept[i].activity.error_text);
	queue->n_kept -= n;
	memmove(queue->kept, queue->kept + n, queue->n_kept * sizeof(*queue->kept));
}

void
journal_queue_free(struct journal_queue *queue)
{
	if (!queue)
		return;
	if (queue->kept)
		drop_kept(queue, queue->n_kept);
	free(queue->events);
	free(queue->kept);
	free(queue);
}

/* What a transaction has written; the activities are those of the devices. */
struct written {
	size_t n_events, n_kept, n_devices;
	struct device *devices[WRITE_MAX];
};

static bool
is_left(const struct journal_queue *queue, const struct written *w)
{
	return w->n_events < queue->n_events || w->n_kept < queue->n_kept ||
	       roster_any_noted(queue->roster);
}

/* One of each kind, so that none of them waits for the end of another. */
static int
write_next(struct journal_queue *queue, struct written *w, struct fault *f)
{
	struct registry *registry = queue->registry;
	struct device *device = roster_take_noted(queue->roster);

	if (device)
		w->devices[w->n_devices++] = device;
	if (device && registry_keep_activity(
			      registry, device->admission.device_row, &device->activity, f))
		return -1;
	if (w->n_kept < queue->n_kept) {
		const struct kept *kept = &queue->kept[w->n_kept++];

		if (registry_keep_activity(registry, kept->device_row, &kept->activity, f))
			return -1;
	}
	if (w->n_events < queue->n_events) {
		size_t at = (queue->first_event + w->n_events++) % EVENTS_MAX;

		return registry_keep_event(registry, &queue->events[at], f);
	}
	return 0;
}

static int
transact(struct journal_queue *queue, int64_t most_us, struct written *w, struct fault *f)
{
	int64_t began_us;

	if (registry_begin(queue->registry, f))
		return -1;
	began_us = clock_us(CLOCK_MONOTONIC);
	do {
		if (write_next(queue, w, f))
			return -1;
	} while (is_left(queue, w) && w->n_devices < WRITE_MAX &&
		 clock_us(CLOCK_MONOTONIC) - began_us < most_us);
	return registry_commit(queue->registry, f);
}

int
journal_queue_write(struct journal_queue *queue, int64_t most_us, struct fault *f)
{
	struct written w = {.n_events = 0};

	if (transact(queue, most_us, &w, f)) {
		registry_rollback(queue->registry);
		for (size_t i = 0; i < w.n_devices; i++)
			roster_note(queue->roster, w.devices[i]);
		return -1;
	}
	for (size_t i = 0; i < w.n_devices; i++) {
		free(w.devices[i]->activity.error_text);
		w.devices[i]->activity = (struct registry_activity){0};
	}
	queue->first_event = (queue->first_event + w.n_events) % EVENTS_MAX;
	queue->n_events -= w.n_events;
	drop_kept(queue, w.n_kept);
	return 0;
}

struct registry_event *
journal_queue_event(struct journal_queue *queue)
{
	struct registry_event *event;

	if (queue->n_events >= EVENTS_MAX &&
		journal_queue_write(queue, JOURNAL_QUEUE_WRITE_US, NULL)) {
		queue->lost++;
		return NULL;
	}
	event = &queue->events[(queue->first_event + queue->n_events++) % EVENTS_MAX];
	memset(event, 0, sizeof(*event));
	return event;
}

void
journal_queue_keep(struct journal_queue *queue, struct device *device)
{
	struct kept *kept;

	if (roster_is_noted(device) && queue->n_kept >= KEPT_MAX &&
		journal_queue_write(queue, JOURNAL_QUEUE_WRITE_US, NULL)) {
		queue->lost++;
		return;
	}
	/* It may have been among what was just written. */
	if (!roster_is_noted(device))
		return;
	kept = &queue->kept[queue->n_kept++];
	kept->device_row = device->admission.device_row;
	kept->activity = device->activity;
	device->activity = (struct registry_activity){0};
}

bool
journal_queue_is_empty(const struct journal_queue *queue)
{
	return !queue->n_events && !queue->n_kept && !roster_any_noted(queue->roster);
}

unsigned long
journal_queue_take_lost(struct journal_queue *queue)
{
	unsigned long lost = queue->lost;

	queue->lost = 0;
	return lost;
}
