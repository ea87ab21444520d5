/* What the passing of time changes for a device, and when. */
#include "config.h"

#include "gateway/devices_inside.h"

/*
 * With ATTACH_OWN a device attaches itself. If one of its messages waited for this time, the
 * gateway attaches the device.
 */
#define OWN_MS 10000

/* The delay until something that is due and could not be done is tried again. */
#define AGAIN_MS 1000

/* The time when look_at() has something to do for a device, or INT64_MAX. */
static int64_t
due_ms_of(const struct devices *devices, const struct device *device)
{
	const struct devices_options *o = &devices->options;
	bool held = device->held_in + 1 >= devices->pass;
	int64_t at_ms = INT64_MAX, idle_ms = device->used_ms + o->idle_ms;
	int64_t hold_end_ms = device->refused_ms + o->hold_ms;

	if (device->state == DEVICE_ATTACHING)
		return device->asked_ms == DEVICE_NOT_ASKED ? INT64_MAX
							    : device->asked_ms + o->timeout_ms;
	if (!device->present && (device->asked || device->state == DEVICE_ATTACHED))
		at_ms = idle_ms;
	if (device->state == DEVICE_ATTACHED)
		return device->orphaned ? device->used_ms + AGAIN_MS : at_ms;
	/* If another attempt is due before the hold ends, its result decides. */
	if (held && device->refused && hold_end_ms < device->retry_ms && hold_end_ms < at_ms)
		at_ms = hold_end_ms;
	if (held && o->policy == ATTACH_OWN && !device->orphaned &&
		device->waits_ms + OWN_MS < at_ms)
		at_ms = device->waits_ms + OWN_MS;
	return at_ms;
}

void
devices_schedule(struct devices *devices, struct device *device)
{
	int64_t at_ms = due_ms_of(devices, device);

	if (at_ms < INT64_MAX)
		heap_put(&devices->due, &device->due, at_ms);
	else
		heap_remove(&devices->due, &device->due);
}

/* Does what is due for a device now. */
static void
look_at(struct devices *devices, struct device *device, int64_t now_ms, uint32_t random)
{
	if (device->state == DEVICE_ATTACHING && device->asked_ms != DEVICE_NOT_ASKED &&
		now_ms - device->asked_ms >= devices->options.timeout_ms) {
		device_set_reason(device, "the cloud does not answer the attach");
		devices_retry_later(devices, device, ATTACH_GIVEN_UP, now_ms, random);
	}
	/* The hold of a refused device has ended: another pass drops its messages. */
	if (devices_is_held(devices, device) && device->state != DEVICE_ATTACHED &&
		devices_is_given_up(devices, device, now_ms))
		devices->ready = true;
	/* A device that asked to be attached and left does not stay attached for ever. */
	if (device->asked && !device->present &&
		now_ms - device->used_ms >= devices->options.idle_ms)
		devices_withdraw_ask(devices, device);
	/* The device left messages and may never return to attach itself. */
	if (devices->options.policy == ATTACH_OWN && !device->orphaned &&
		devices_is_held(devices, device) && device->state == DEVICE_DETACHED &&
		now_ms - device->waits_ms >= OWN_MS) {
		device->orphaned = true;
		devices_review(devices, device);
	}
	if (device->state == DEVICE_ATTACHED && !device->leaving.in &&
		(devices_is_idle(devices, device, now_ms) || !devices_is_wanted(devices, device)))
		list_append(&devices->leaving, &device->leaving);
}

/* Whether what is due for a device must be tried again later. */
static bool
is_due_again(const struct devices *devices, const struct device *device)
{
	if (device->state == DEVICE_ATTACHED)
		return device->orphaned;
	/* Its message was held in the previous pass, and this pass has not reached it yet. */
	return device->held_in + 1 == devices->pass;
}

void
devices_tick(struct devices *devices, int64_t now_ms, uint32_t random)
{
	struct heap_link *first;

	while ((first = heap_first(&devices->due)) && first->key <= now_ms) {
		struct device *device = CONTAINER(first, struct device, due);

		look_at(devices, device, now_ms, random);
		devices_schedule(devices, device);
		if (!device->due.at || device->due.key > now_ms)
			continue;
		if (is_due_again(devices, device))
			heap_put(&devices->due, &device->due, now_ms + AGAIN_MS);
		else
			heap_remove(&devices->due, &device->due);
	}
	/* There is room now for a device that was left out. Another pass can add it. */
	if (devices->overflow_in == devices->pass &&
		(devices->by_name.n < DEVICES_MAX || devices_find_forgettable(devices)))
		devices->ready = true;
}
