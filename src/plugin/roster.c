#include "config.h"

#include "plugin/roster.h"

#include <stdlib.h>

/* heap_at of a device that is not in the heap */
#define NOWHERE ((size_t)-1)

/*
 * gone  what devices had used that went
 * heap  those whose time ends, the one that expires first on top
 * look  the one longest not looked at first: stale ones stand before fresh ones
 * busy  those whose activity is to be written down
 */
struct roster {
	struct table by_row;
	struct allowances *gone;
	struct device **heap;
	size_t n_heap, heap_size;
	struct list look, busy;
	unsigned long epoch;
};

static void
heap_set(struct roster *roster, size_t at, struct device *device)
{
	roster->heap[at] = device;
	device->heap_at = at;
}

static bool
before(const struct device *a, const struct device *b)
{
	return a->admission.until < b->admission.until;
}

static void
heap_up(struct roster *roster, size_t at, struct device *device)
{
	while (at && before(device, roster->heap[(at - 1) / 2])) {
		heap_set(roster, at, roster->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(roster, at, device);
}

static void
heap_down(struct roster *roster, size_t at, struct device *device)
{
	for (size_t child; (child = 2 * at + 1) < roster->n_heap; at = child) {
		if (child + 1 < roster->n_heap &&
			before(roster->heap[child + 1], roster->heap[child]))
			child++;
		if (!before(roster->heap[child], device))
			break;
		heap_set(roster, at, roster->heap[child]);
	}
	heap_set(roster, at, device);
}

static int
heap_reserve(struct roster *roster, struct fault *f)
{
	size_t size = roster->heap_size ? roster->heap_size * 2 : 64;
	struct device **heap;

	/* Room for all: one that has no end now may be given one later. */
	if (roster->by_row.n < roster->heap_size)
		return 0;
	heap = reallocarray(roster->heap, size, sizeof(struct device *));
	if (!heap)
		return fault_nomem(f);
	roster->heap = heap;
	roster->heap_size = size;
	return 0;
}

static void
heap_remove(struct roster *roster, struct device *device)
{
	size_t at = device->heap_at;
	struct device *last;

	if (at == NOWHERE)
		return;
	device->heap_at = NOWHERE;
	last = roster->heap[--roster->n_heap];
	if (last == device)
		return;
	if (at && before(last, roster->heap[(at - 1) / 2]))
		heap_up(roster, at, last);
	else
		heap_down(roster, at, last);
}

int
roster_new(struct roster **ret_roster, struct fault *f)
{
	AUTO(auto_roster) struct roster *roster = calloc(1, sizeof(*roster));

	if (!roster)
		return fault_nomem(f);
	if (allowances_new(&roster->gone, f))
		return -1;
	*ret_roster = TAKE(roster);
	return 0;
}

void
roster_free(struct roster *roster)
{
	if (!roster)
		return;
	table_clear(&roster->by_row);
	allowances_free(roster->gone);
	free(roster->heap);
	free(roster);
}

static uint64_t
hash_row(int64_t row)
{
	return table_hash_number((uint64_t)row);
}

/* The broker tells of a device's new connection before it tells of the old one's end. */
static struct allowance
used_by(struct roster *roster, int64_t row)
{
	const struct device *other = roster_of(roster, row, NULL);

	return other ? other->allowance : allowances_take(roster->gone, row);
}

int
roster_add(struct roster *roster, struct device *device, struct fault *f)
{
	device->allowance = used_by(roster, device->admission.device_row);
	device->heap_at = NOWHERE;
	device->epoch = roster->epoch;
	device->config_qos = device->commands_qos = DEVICE_NO_QOS;
	if (heap_reserve(roster, f) || table_add(&roster->by_row, &device->by_row,
					       hash_row(device->admission.device_row), f))
		return -1;
	if (device->admission.until)
		heap_up(roster, roster->n_heap++, device);
	list_append(&roster->look, &device->look);
	return 0;
}

void
roster_remove(struct roster *roster, struct device *device)
{
	if (!device->look.in)
		return;
	allowances_keep(roster->gone, device->admission.device_row, &device->allowance);
	heap_remove(roster, device);
	list_remove(&device->look);
	list_remove(&device->busy);
	table_remove(&roster->by_row, &device->by_row);
}

void
roster_renew(
	struct roster *roster, struct device *device, const struct registry_admission *admission)
{
	heap_remove(roster, device);
	device->admission = *admission;
	/* There is room: a device has had a place since roster_add(). */
	if (device->admission.until)
		heap_up(roster, roster->n_heap++, device);
	roster_fresh(roster, device);
}

struct device *
roster_of(const struct roster *roster, int64_t row, const struct device *after)
{
	struct table_link *link =
		after ? table_next(&after->by_row) : table_first(&roster->by_row, hash_row(row));

	for (; link; link = table_next(link)) {
		struct device *device = CONTAINER(link, struct device, by_row);

		if (device->admission.device_row == row)
			return device;
	}
	return NULL;
}

struct device *
roster_expired(const struct roster *roster, time_t now)
{
	if (!roster->n_heap || roster->heap[0]->admission.until > now)
		return NULL;
	return roster->heap[0];
}

time_t
roster_next_end(const struct roster *roster)
{
	return roster->n_heap ? roster->heap[0]->admission.until : 0;
}

void
roster_make_stale(struct roster *roster)
{
	roster->epoch++;
}

bool
roster_is_stale(const struct roster *roster, const struct device *device)
{
	return device->epoch != roster->epoch;
}

struct device *
roster_stale(const struct roster *roster)
{
	struct device *oldest;

	if (!roster->look.head)
		return NULL;
	oldest = CONTAINER(roster->look.head, struct device, look);
	return roster_is_stale(roster, oldest) ? oldest : NULL;
}

void
roster_fresh(struct roster *roster, struct device *device)
{
	device->epoch = roster->epoch;
	list_append(&roster->look, &device->look);
}

void
roster_note(struct roster *roster, struct device *device)
{
	if (!device->busy.in)
		list_append(&roster->busy, &device->busy);
}

struct device *
roster_take_noted(struct roster *roster)
{
	struct list_link *link = roster->busy.head;

	if (!link)
		return NULL;
	list_remove(link);
	return CONTAINER(link, struct device, busy);
}

bool
roster_is_noted(const struct device *device)
{
	return device->busy.in != NULL;
}

bool
roster_any_noted(const struct roster *roster)
{
	return roster->busy.head != NULL;
}
