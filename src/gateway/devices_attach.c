/* Attaching and detaching: which device is next, and what the cloud answers. */
#include "config.h"

#include "gateway/devices_inside.h"

/* Answers to an attach: the PUBACK, and the SUBACK of config and commands. */
#define ANSWERS 2

/* While there is room, only a device that was silent for this time is detached for another one. */
#define SILENT_MS 1000

#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS  (5 * 60 * 1000)

/* The search for a device that may be detached looks at this many devices at most. */
#define LOOK_AT_MAX 16

static bool
has_room(const struct devices *devices)
{
	return devices->n_attaching + devices->counts.attached <
	       (size_t)devices->options.attach_max;
}

struct device *
devices_take_attach(struct devices *devices, int64_t now_ms)
{
	struct attach_entry *entry;
	struct device *device;

	if (devices->n_attaching >= ATTACHING_MAX || !has_room(devices))
		return NULL;
	entry = attach_queue_take(&devices->queue, devices->options.attach_rate, now_ms);
	if (!entry)
		return NULL;
	device = CONTAINER(entry, struct device, attach);
	device->asked_ms = DEVICE_NOT_ASKED;
	device->answers = 0;
	devices_set_state(devices, device, DEVICE_ATTACHING);
	devices_schedule(devices, device);
	return device;
}

void
devices_asked(struct devices *devices, struct device *device, int64_t now_ms)
{
	device->asked_ms = now_ms;
	devices_schedule(devices, device);
}

/* The least recently used attached device that has no message held. */
static struct device *
least_used(const struct devices *devices)
{
	struct list_link *link = devices->attached.head;

	for (int n = 0; link && n < LOOK_AT_MAX; n++, link = link->next) {
		struct device *device = CONTAINER(link, struct device, by_use);

		if (!devices_is_held(devices, device))
			return device;
	}
	return NULL;
}

/* Whether more devices are to be attached than attach_max allows. */
static bool
is_crowded(struct devices *devices, int64_t now_ms)
{
	return devices->n_attaching + devices->counts.attached +
		       attach_queue_due(&devices->queue, now_ms) >
	       (size_t)devices->options.attach_max;
}

bool
devices_is_idle(const struct devices *devices, const struct device *device, int64_t now_ms)
{
	return !device->present && !device->asked &&
	       now_ms - device->used_ms >= devices->options.idle_ms;
}

static struct device *
detach(struct devices *devices, struct device *device)
{
	device->kept = false;
	devices_set_state(devices, device, DEVICE_DETACHED);
	devices_review(devices, device);
	return device;
}

/* The next device in `leaving` to detach. A device that has a message held moves to the end. */
static struct device *
next_leaving(struct devices *devices, int64_t now_ms)
{
	for (int n = 0; devices->leaving.head && n < LOOK_AT_MAX; n++) {
		struct device *device = CONTAINER(devices->leaving.head, struct device, leaving);

		if (devices_is_held(devices, device)) {
			list_append(&devices->leaving, &device->leaving);
			continue;
		}
		list_remove(&device->leaving);
		if (devices_is_idle(devices, device, now_ms) || !devices_is_wanted(devices, device))
			return device;
		devices_schedule(devices, device);
	}
	return NULL;
}

struct device *
devices_take_detach(struct devices *devices, int64_t now_ms)
{
	struct device *device = next_leaving(devices, now_ms);

	if (device)
		return detach(devices, device);
	if (!is_crowded(devices, now_ms))
		return NULL;
	device = least_used(devices);
	/* While there is room, a device that was used just now stays attached. */
	if (!device || (has_room(devices) && now_ms - device->used_ms < SILENT_MS))
		return NULL;
	return detach(devices, device);
}

bool
devices_answered(struct devices *devices, struct device *device, int64_t now_ms)
{
	if (device->state != DEVICE_ATTACHING || ++device->answers < ANSWERS)
		return false;
	device->kept = true;
	devices_set_accepted(devices, device, true);
	devices_set_refused(devices, device, false);
	device->dropping = false;
	device_set_reason(device, "");
	backoff_reset(&device->backoff);
	device->retry_ms = 0;
	devices_set_state(devices, device, DEVICE_ATTACHED);
	attach_queue_answered(&devices->queue, &device->attach, ATTACH_ACCEPTED);
	devices_touch(devices, device, now_ms);
	devices_review(devices, device);
	if (devices_is_held(devices, device))
		devices->ready = true;
	return true;
}

void
devices_retry_later(struct devices *devices, struct device *device, enum attach_answer answer,
	int64_t now_ms, uint32_t random)
{
	attach_queue_answered(&devices->queue, &device->attach, answer);
	if (!device->refused)
		device->refused_ms = now_ms;
	devices_set_refused(devices, device, true);
	device->kept = false;
	device->retry_ms =
		now_ms + backoff_next(&device->backoff, RETRY_FIRST_MS, RETRY_MOST_MS, random);
	devices_set_state(devices, device, DEVICE_DETACHED);
	attach_queue_remove(&devices->queue, &device->attach);
	devices_review(devices, device);
}

void
devices_refused(struct devices *devices, struct device *device, const char *reason, int64_t now_ms,
	uint32_t random)
{
	bool again = device->refused && device->state == DEVICE_DETACHED;

	if (*reason)
		device_set_reason(device, reason);
	/* The cloud reports a refusal twice: in the SUBACK and on the errors topic. */
	if (again)
		return;
	/* If it was attached, one of its messages was refused: it may be attached again. */
	if (device->state == DEVICE_ATTACHING)
		devices_set_accepted(devices, device, false);
	devices_retry_later(devices, device, ATTACH_REFUSED, now_ms, random);
}

/* Detaches all devices of a list, the least recently used first, to keep their order. */
static void
lose_all(struct devices *devices, struct list *list)
{
	while (list->head) {
		struct device *device = CONTAINER(list->head, struct device, by_use);

		attach_queue_answered(&devices->queue, &device->attach, ATTACH_GIVEN_UP);
		devices_set_state(devices, device, DEVICE_DETACHED);
		devices_review(devices, device);
	}
}

void
devices_cloud_lost(struct devices *devices)
{
	lose_all(devices, &devices->attaching);
	lose_all(devices, &devices->attached);
}

void
devices_set_config_due(struct devices *devices, struct device *device)
{
	if (device->state != DEVICE_DETACHED && !device->config_due.in)
		list_append(&devices->config_due, &device->config_due);
}

void
devices_set_all_configs_due(struct devices *devices)
{
	for (struct list_link *l = devices->attached.head; l; l = l->next)
		devices_set_config_due(devices, CONTAINER(l, struct device, by_use));
}

struct device *
devices_next_config_due(const struct devices *devices)
{
	/* At most ATTACHING_MAX of these are not attached yet, so the search is short. */
	for (struct list_link *l = devices->config_due.head; l; l = l->next) {
		struct device *device = CONTAINER(l, struct device, config_due);

		if (device->state == DEVICE_ATTACHED)
			return device;
	}
	return NULL;
}

void
devices_config_requested(struct device *device)
{
	list_remove(&device->config_due);
}
