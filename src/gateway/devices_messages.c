/* Whether a message of a device may go to the cloud now. */
#include "config.h"

#include "gateway/devices_inside.h"

static enum device_verdict
hold(struct devices *devices, struct device *device, int64_t now_ms)
{
	if (!device->waits_ms)
		device->waits_ms = now_ms;
	device->held_in = devices->pass;
	device->held_state = 0;
	devices_touch(devices, device, now_ms);
	devices_review(devices, device);
	return DEVICE_HOLD;
}

static enum device_verdict
drop(struct devices *devices, struct device *device)
{
	device->waits_ms = 0;
	device->held_in = 0;
	devices_review(devices, device);
	return DEVICE_DROP;
}

/* An earlier message of the device may have been held in this pass, before the device was known. */
static bool
is_made_since_overflow(const struct devices *devices, const struct device *device)
{
	return devices->overflow_in == devices->pass && device->id > devices->overflow_id &&
	       !devices_is_gateway(devices, device);
}

bool
devices_is_given_up(const struct devices *devices, const struct device *device, int64_t now_ms)
{
	return device->refused && now_ms - device->refused_ms >= devices->options.hold_ms &&
	       now_ms < device->retry_ms;
}

enum device_verdict
devices_judge(struct devices *devices, struct device *device, bool is_state, int64_t now_ms)
{
	const struct devices_options *o = &devices->options;
	int64_t next_ms = device->state_ms + o->state_interval_ms;

	if (devices_is_held(devices, device))
		return DEVICE_HOLD;
	if (o->attaches && !devices_is_gateway(devices, device) &&
		device->state != DEVICE_ATTACHED) {
		if (devices_is_given_up(devices, device, now_ms))
			return drop(devices, device);
		return hold(devices, device, now_ms);
	}
	if (is_state && now_ms < next_ms) {
		if (next_ms < devices->resume_ms)
			devices->resume_ms = next_ms;
		return hold(devices, device, now_ms);
	}
	if (is_made_since_overflow(devices, device)) {
		devices->ready = true;
		return hold(devices, device, now_ms);
	}
	return DEVICE_SEND;
}

uint64_t
devices_hold_state(struct devices *devices, struct device *device, uint64_t seq)
{
	uint64_t older = device->held_state;

	if (device->state != DEVICE_ATTACHED || !devices->options.state_interval_ms)
		return 0;
	device->held_state = seq;
	return older;
}

void
devices_sent(struct devices *devices, struct device *device, bool is_state, int64_t now_ms)
{
	device->sent++;
	devices_touch(devices, device, now_ms);
	device->waits_ms = 0;
	if (is_state)
		device->state_ms = now_ms;
	if (device->orphaned) {
		device->orphaned = false;
		devices_review(devices, device);
	}
}

void
devices_received(struct devices *devices, struct device *device, int64_t now_ms)
{
	device->received++;
	devices_touch(devices, device, now_ms);
}

bool
devices_ready(struct devices *devices, int64_t now_ms)
{
	return devices->ready || now_ms >= devices->resume_ms;
}

int64_t
devices_next_ms(const struct devices *devices)
{
	return devices->resume_ms;
}

void
devices_begin_pass(struct devices *devices)
{
	devices->pass++;
	devices->ready = false;
	devices->resume_ms = INT64_MAX;
}

void
devices_forget_messages(struct devices *devices)
{
	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		d->held_state = 0;
		d->strikes = (struct poison_strikes){0, 0};
	}
	devices_begin_pass(devices);
}
