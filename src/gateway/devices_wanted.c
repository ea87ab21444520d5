/* Which devices are to be attached: the attach policy, and what the site reports. */
#include "config.h"

#include "gateway/devices_inside.h"

#include <stdlib.h>
#include <string.h>

bool
devices_is_wanted(const struct devices *devices, const struct device *device)
{
	if (!devices->options.attaches || devices_is_gateway(devices, device))
		return false;
	if (device->asked)
		return true;
	switch (devices->options.policy) {
	case ATTACH_OWN:
		return device->orphaned && devices_is_held(devices, device);
	case ATTACH_CONNECT:
		return device->present || device->kept || devices_is_held(devices, device);
	default:
		return device->kept || devices_is_held(devices, device);
	}
}

static enum attach_class
class_of(const struct device *device)
{
	if (device->accepted)
		return ATTACH_KNOWN;
	if (device->refused)
		return ATTACH_STRANGER_REFUSED;
	return device->present || device->asked ? ATTACH_STRANGER_PRESENT : ATTACH_STRANGER_ABSENT;
}

void
devices_review(struct devices *devices, struct device *device)
{
	bool wanted = devices_is_wanted(devices, device);

	devices_place(devices, device);
	devices_schedule(devices, device);
	if (wanted && device->state == DEVICE_DETACHED)
		attach_queue_put(
			&devices->queue, &device->attach, class_of(device), device->retry_ms);
	else
		attach_queue_remove(&devices->queue, &device->attach);
	if (!wanted && device->state == DEVICE_ATTACHED && !device->leaving.in)
		list_append(&devices->leaving, &device->leaving);
}

void
devices_present(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_meet_connected(devices, name, now_ms);

	if (!device)
		return;
	device->present = true;
	devices_review(devices, device);
}

void
devices_gone(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_find(devices, name);

	if (!device)
		return;
	device->present = false;
	devices_touch(devices, device, now_ms);
	devices_review(devices, device);
}

void
devices_ask(struct devices *devices, const char *name, const void *body, size_t len, int64_t now_ms)
{
	struct device *device = devices_meet_connected(devices, name, now_ms);
	char *copy = len <= DEVICE_BODY_MAX ? malloc(len + 1) : NULL;

	if (!device || !copy) {
		free(copy);
		return;
	}
	if (len)
		memcpy(copy, body, len);
	copy[len] = '\0';
	device_set_body(device, copy, len);
	device->asked = true;
	/* The body is new, so an earlier refusal does not count. */
	device->retry_ms = 0;
	backoff_reset(&device->backoff);
	devices_review(devices, device);
}

void
devices_withdraw_ask(struct devices *devices, struct device *device)
{
	device->asked = false;
	device_set_body(device, NULL, 0);
	devices_review(devices, device);
}

void
devices_ask_not(struct devices *devices, const char *name)
{
	struct device *device = devices_find(devices, name);

	if (!device)
		return;
	device->kept = false;
	devices_withdraw_ask(devices, device);
}

void
devices_site_lost(struct devices *devices)
{
	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		d->present = false;
		devices_review(devices, d);
	}
}
