/* Which devices are known: how they are found, added and forgotten. */
#include "config.h"

#include "gateway/devices_inside.h"

#include <stdlib.h>
#include <string.h>

int
devices_new(const struct devices_options *options, struct devices **ret, struct fault *f)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices)
		return fault_nomem(f);
	devices->options = *options;
	/* held_in of a new device is 0, which must be older than the previous pass. */
	devices->pass = 2;
	devices->resume_ms = INT64_MAX;
	attach_queue_init(&devices->queue);
	*ret = devices;
	return 0;
}

static void
forget(struct devices *devices, struct device *device)
{
	devices_set_accepted(devices, device, false);
	devices_set_refused(devices, device, false);
	devices_set_state(devices, device, DEVICE_DETACHED);
	table_remove(&devices->by_name, &device->by_name);
	table_remove(&devices->by_id, &device->by_id);
	attach_queue_answered(&devices->queue, &device->attach, ATTACH_GIVEN_UP);
	attach_queue_remove(&devices->queue, &device->attach);
	heap_remove(&devices->due, &device->due);
	list_remove(&device->among);
	list_remove(&device->by_use);
	device_set_body(device, NULL, 0);
	device_set_reason(device, "");
	free(device);
}

void
devices_free(struct devices *devices)
{
	if (!devices)
		return;
	while (devices->all.head)
		forget(devices, CONTAINER(devices->all.head, struct device, among));
	table_clear(&devices->by_name);
	table_clear(&devices->by_id);
	attach_queue_clear(&devices->queue);
	heap_clear(&devices->due);
	free(devices);
}

struct device *
devices_find(const struct devices *devices, const char *name)
{
	uint64_t hash = table_hash_text(name);

	for (struct table_link *l = table_first(&devices->by_name, hash); l; l = table_next(l)) {
		struct device *device = CONTAINER(l, struct device, by_name);

		if (!strcmp(device->name, name))
			return device;
	}
	return NULL;
}

struct device *
devices_by_id(const struct devices *devices, uint32_t id)
{
	uint64_t hash = table_hash_number(id);

	for (struct table_link *l = table_first(&devices->by_id, hash); l; l = table_next(l)) {
		struct device *device = CONTAINER(l, struct device, by_id);

		if (device->id == id)
			return device;
	}
	return NULL;
}

/*
 * The least recently used device of a list, if the gateway may forget it. A device with a message
 * held in this pass over the spool may not be forgotten. Neither may one that was held in the
 * previous pass, because this pass may not have reached its message yet.
 */
static struct device *
oldest_forgettable(const struct devices *devices, const struct list *list)
{
	struct device *device = list->head ? CONTAINER(list->head, struct device, by_use) : NULL;

	return device && device->held_in + 1 < devices->pass ? device : NULL;
}

struct device *
devices_find_forgettable(const struct devices *devices)
{
	struct device *victim = oldest_forgettable(devices, &devices->strangers);

	if (!victim && devices->by_name.n - devices->n_accepted < DEVICES_STRANGERS_MIN)
		victim = oldest_forgettable(devices, &devices->known);
	return victim;
}

/* Adds a new device to all indexes. On failure it is in none of them. */
static int
add(struct devices *devices, struct device *device)
{
	size_t n = devices->by_name.n + 1;

	if (attach_queue_reserve(&devices->queue, n, NULL) ||
		heap_reserve(&devices->due, n, NULL) ||
		table_add(&devices->by_name, &device->by_name, table_hash_text(device->name), NULL))
		return -1;
	if (table_add(&devices->by_id, &device->by_id, table_hash_number(device->id), NULL)) {
		table_remove(&devices->by_name, &device->by_name);
		return -1;
	}
	list_append(&devices->all, &device->among);
	devices_place(devices, device);
	return 0;
}

/* Notes that messages of an unknown device stay in the spool until another pass. */
static void
note_overflow(struct devices *devices)
{
	if (devices->overflow_in == devices->pass)
		return;
	devices->overflow_in = devices->pass;
	devices->overflow_id = devices->last_id;
}

/*
 * Makes room for one more device if all places are in use. A connected device takes the place of a
 * stranger that is not connected. The stranger's messages stay in the spool until another pass.
 */
static bool
make_room(struct devices *devices, bool is_connected)
{
	struct device *victim;

	if (devices->by_name.n < DEVICES_MAX)
		return true;
	victim = devices_find_forgettable(devices);
	if (!victim && is_connected && devices->strangers.head) {
		victim = CONTAINER(devices->strangers.head, struct device, by_use);
		note_overflow(devices);
	}
	if (!victim)
		return false;
	forget(devices, victim);
	devices->counts.forgotten++;
	return true;
}

static struct device *
make(struct devices *devices, const char *name, int64_t now_ms)
{
	size_t size = strlen(name) + 1;
	struct device *device = calloc(1, sizeof(*device) + size);

	if (!device)
		return NULL;
	memcpy(device->name, name, size);
	device->id = ++devices->last_id;
	device->used_ms = now_ms;
	device->state_ms = INT64_MIN / 2;
	device->reason = "";
	if (!add(devices, device))
		return device;
	free(device);
	return NULL;
}

static struct device *
meet(struct devices *devices, const char *name, bool is_connected, int64_t now_ms)
{
	struct device *device = devices_find(devices, name);
	/* The gateway itself is always remembered. */
	bool is_own = !strcmp(name, devices->options.gateway);

	if (device || strlen(name) > DEVICE_NAME_MAX)
		return device;
	if (is_own || make_room(devices, is_connected))
		device = make(devices, name, now_ms);
	if (!device)
		note_overflow(devices);
	return device;
}

struct device *
devices_meet(struct devices *devices, const char *name, int64_t now_ms)
{
	return meet(devices, name, false, now_ms);
}

struct device *
devices_meet_connected(struct devices *devices, const char *name, int64_t now_ms)
{
	return meet(devices, name, true, now_ms);
}

struct device *
devices_next(const struct devices *devices, const struct device *after)
{
	struct list_link *link = after ? after->among.next : devices->all.head;

	return link ? CONTAINER(link, struct device, among) : NULL;
}

struct devices_counts
devices_count(const struct devices *devices)
{
	struct devices_counts counts = devices->counts;

	counts.known = devices->by_name.n;
	counts.waiting = attach_queue_count(&devices->queue);
	return counts;
}

void
devices_configure(struct devices *devices, const struct devices_options *options)
{
	devices->options = *options;
	for (struct device *d = NULL; (d = devices_next(devices, d));)
		devices_review(devices, d);
}
