#include "config.h"

#include "plugin/journal_queue.h"

#include <stdlib.h>
#include <string.h>

/* How many lines, and how many activities of devices that are gone, wait at most. */
#define EVENTS_MAX 2000
#define KEPT_MAX   2000

/* How many of each are written in one transaction: the broker serves nobody meanwhile. */
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

static int
write_events(struct journal_queue *queue, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = (queue->first_event + i) % EVENTS_MAX;

		if (registry_keep_event(queue->registry, &queue->events[at], f))
			return -1;
	}
	return 0;
}

static int
write_kept(struct journal_queue *queue, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (registry_keep_activity(queue->registry, queue->kept[i].device_row,
			    &queue->kept[i].activity, f))
			return -1;
	}
	return 0;
}

static int
write_activities(struct journal_queue *queue, struct device **devices, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (registry_keep_activity(queue->registry, devices[i]->admission.device_row,
			    &devices[i]->activity, f))
			return -1;
	}
	return 0;
}

static size_t
at_most(size_t n)
{
	return n < WRITE_MAX ? n : WRITE_MAX;
}

int
journal_queue_write(struct journal_queue *queue, struct fault *f)
{
	size_t n = 0, n_events = at_most(queue->n_events), n_kept = at_most(queue->n_kept);
	struct device *devices[WRITE_MAX];

	if (registry_begin(queue->registry, f))
		return -1;
	while (n < WRITE_MAX && (devices[n] = roster_take_noted(queue->roster)))
		n++;
	if (write_events(queue, n_events, f) || write_kept(queue, n_kept, f) ||
		write_activities(queue, devices, n, f) || registry_commit(queue->registry, f)) {
		registry_rollback(queue->registry);
		for (size_t i = 0; i < n; i++)
			roster_note(queue->roster, devices[i]);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		free(devices[i]->activity.error_text);
		devices[i]->activity = (struct registry_activity){0};
	}
	queue->first_event = (queue->first_event + n_events) % EVENTS_MAX;
	queue->n_events -= n_events;
	drop_kept(queue, n_kept);
	return 0;
}

struct registry_event *
journal_queue_event(struct journal_queue *queue)
{
	struct registry_event *event;

	if (queue->n_events >= EVENTS_MAX && journal_queue_write(queue, NULL)) {
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
		journal_queue_write(queue, NULL)) {
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
