#include "config.h"

#include "plugin/devices.h"

#include <stdlib.h>

/* heap_at of a device that is not in the heap */
#define NOWHERE ((size_t)-1)

/*
 * heap  those whose time ends, the one that expires first on top
 * look  the one longest not looked at first: stale ones stand before fresh ones
 * busy  those whose activity is to be written down
 */
struct devices {
	struct table by_row;
	struct device **heap;
	size_t n_heap, heap_size;
	struct list look, busy;
	unsigned long epoch;
};

static void
heap_set(struct devices *devices, size_t at, struct device *device)
{
	devices->heap[at] = device;
	device->heap_at = at;
}

static bool
before(const struct device *a, const struct device *b)
{
	return a->admission.until < b->admission.until;
}

static void
heap_up(struct devices *devices, size_t at, struct device *device)
{
	while (at && before(device, devices->heap[(at - 1) / 2])) {
		heap_set(devices, at, devices->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(devices, at, device);
}

static void
heap_down(struct devices *devices, size_t at, struct device *device)
{
	for (size_t child; (child = 2 * at + 1) < devices->n_heap; at = child) {
		if (child + 1 < devices->n_heap &&
			before(devices->heap[child + 1], devices->heap[child]))
			child++;
		if (!before(devices->heap[child], device))
			break;
		heap_set(devices, at, devices->heap[child]);
	}
	heap_set(devices, at, device);
}

static int
heap_reserve(struct devices *devices, struct fault *f)
{
	size_t size = devices->heap_size ? devices->heap_size * 2 : 64;
	struct device **heap;

	/* Room for all: one that has no end now may be given one later. */
	if (devices->by_row.n < devices->heap_size)
		return 0;
	heap = reallocarray(devices->heap, size, sizeof(struct device *));
	if (!heap)
		return fault_nomem(f);
	devices->heap = heap;
	devices->heap_size = size;
	return 0;
}

static void
heap_remove(struct devices *devices, struct device *device)
{
	size_t at = device->heap_at;
	struct device *last;

	if (at == NOWHERE)
		return;
	device->heap_at = NOWHERE;
	last = devices->heap[--devices->n_heap];
	if (last == device)
		return;
	if (at && before(last, devices->heap[(at - 1) / 2]))
		heap_up(devices, at, last);
	else
		heap_down(devices, at, last);
}

int
devices_new(struct devices **ret_devices, struct fault *f)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices)
		return fault_nomem(f);
	*ret_devices = devices;
	return 0;
}

void
devices_free(struct devices *devices)
{
	if (!devices)
		return;
	table_clear(&devices->by_row);
	free(devices->heap);
	free(devices);
}

static uint64_t
hash_row(int64_t row)
{
	return table_hash_number((uint64_t)row);
}

int
devices_add(struct devices *devices, struct device *device, struct fault *f)
{
	device->heap_at = NOWHERE;
	device->epoch = devices->epoch;
	device->config_qos = device->commands_qos = DEVICE_NO_QOS;
	if (heap_reserve(devices, f) || table_add(&devices->by_row, &device->by_row,
						hash_row(device->admission.device_row), f))
		return -1;
	if (device->admission.until)
		heap_up(devices, devices->n_heap++, device);
	list_append(&devices->look, &device->look);
	return 0;
}

void
devices_remove(struct devices *devices, struct device *device)
{
	if (!device->look.in)
		return;
	heap_remove(devices, device);
	list_remove(&device->look);
	list_remove(&device->busy);
	table_remove(&devices->by_row, &device->by_row);
}

void
devices_renew(
	struct devices *devices, struct device *device, const struct registry_admission *admission)
{
	heap_remove(devices, device);
	device->admission = *admission;
	/* There is room: a device has had a place since devices_add(). */
	if (device->admission.until)
		heap_up(devices, devices->n_heap++, device);
	devices_fresh(devices, device);
}

struct device *
devices_of(const struct devices *devices, int64_t row, const struct device *after)
{
	struct table_link *link =
		after ? table_next(&after->by_row) : table_first(&devices->by_row, hash_row(row));

	for (; link; link = table_next(link)) {
		struct device *device = CONTAINER(link, struct device, by_row);

		if (device->admission.device_row == row)
			return device;
	}
	return NULL;
}

struct device *
devices_expired(const struct devices *devices, time_t now)
{
	if (!devices->n_heap || devices->heap[0]->admission.until > now)
		return NULL;
	return devices->heap[0];
}

void
devices_make_stale(struct devices *devices)
{
	devices->epoch++;
}

bool
devices_is_stale(const struct devices *devices, const struct device *device)
{
	return device->epoch != devices->epoch;
}

struct device *
devices_stale(const struct devices *devices)
{
	struct device *oldest;

	if (!devices->look.head)
		return NULL;
	oldest = CONTAINER(devices->look.head, struct device, look);
	return devices_is_stale(devices, oldest) ? oldest : NULL;
}

void
devices_fresh(struct devices *devices, struct device *device)
{
	device->epoch = devices->epoch;
	list_append(&devices->look, &device->look);
}

void
devices_note(struct devices *devices, struct device *device)
{
	if (!device->busy.in)
		list_append(&devices->busy, &device->busy);
}

struct device *
devices_take_noted(struct devices *devices)
{
	struct list_link *link = devices->busy.head;

	if (!link)
		return NULL;
	list_remove(link);
	return CONTAINER(link, struct device, busy);
}

bool
devices_is_noted(const struct device *device)
{
	return device->busy.in != NULL;
}

bool
devices_any_noted(const struct devices *devices)
{
	return devices->busy.head != NULL;
}
