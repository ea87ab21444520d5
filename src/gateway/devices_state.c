/* The state of a device, and the counts and lists that follow from it. */
#include "config.h"

#include "gateway/devices_inside.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void
device_set_body(struct device *device, char *body, size_t len)
{
	if (device->body)
		OPENSSL_cleanse(device->body, device->body_len);
	free(device->body);
	device->body = body;
	device->body_len = len;
}

void
device_set_reason(struct device *device, const char *reason)
{
	char cut[DEVICE_REASON_MAX];
	char *copy;

	text_cut(reason, cut, sizeof(cut));
	copy = *cut ? strdup(cut) : NULL;
	if (*device->reason)
		free((char *)(uintptr_t)device->reason);
	device->reason = copy ? copy : "";
}

void
devices_set_refused(struct devices *devices, struct device *device, bool refused)
{
	devices->counts.refused += refused;
	devices->counts.refused -= device->refused;
	device->refused = refused;
}

void
devices_set_accepted(struct devices *devices, struct device *device, bool accepted)
{
	devices->n_accepted += accepted;
	devices->n_accepted -= device->accepted;
	device->accepted = accepted;
}

bool
devices_is_gateway(const struct devices *devices, const struct device *device)
{
	return !strcmp(device->name, devices->options.gateway);
}

bool
devices_is_held(const struct devices *devices, const struct device *device)
{
	return device->held_in == devices->pass;
}

/* The list by use that a device belongs to, or NULL. */
static struct list *
list_by_use_of(struct devices *devices, const struct device *device)
{
	switch (device->state) {
	case DEVICE_ATTACHED:
		return &devices->attached;
	case DEVICE_ATTACHING:
		return &devices->attaching;
	default:
		break;
	}
	if (device->present || device->kept || devices_is_gateway(devices, device))
		return NULL;
	return device->accepted ? &devices->known : &devices->strangers;
}

void
devices_touch(struct devices *devices, struct device *device, int64_t now_ms)
{
	struct list *list = list_by_use_of(devices, device);

	device->used_ms = now_ms;
	if (list)
		list_append(list, &device->by_use);
}

void
devices_place(struct devices *devices, struct device *device)
{
	struct list *list = list_by_use_of(devices, device);

	if (list == device->by_use.in)
		return;
	if (list)
		list_append(list, &device->by_use);
	else
		list_remove(&device->by_use);
}

void
devices_set_state(struct devices *devices, struct device *device, enum device_state state)
{
	devices->n_attaching -= device->state == DEVICE_ATTACHING;
	devices->counts.attached -= device->state == DEVICE_ATTACHED;
	device->state = state;
	devices->n_attaching += state == DEVICE_ATTACHING;
	devices->counts.attached += state == DEVICE_ATTACHED;
	if (state != DEVICE_ATTACHED)
		list_remove(&device->leaving);
	if (state == DEVICE_DETACHED)
		list_remove(&device->config_due);
	devices_place(devices, device);
}
