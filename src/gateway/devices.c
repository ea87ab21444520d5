#include "config.h"

#include "gateway/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Attaches that wait for their answers at once. */
#define ATTACHING_MAX 20

/* To an attach: the PUBACK, and the SUBACK of config and commands. */
#define ANSWERS 2

/* While its own token is signed, which may take its time. */
#define NOT_ASKED (-1)

/* Who said nothing for so long makes room for others. */
#define SILENT_MS 1000

/* Where devices attach themselves: so long a message waits for that before it is done for them. */
#define OWN_MS 10000

#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS  (5 * 60 * 1000)

/*
 * queue     those that are to be attached, each when its time has come
 * due_ms    nobody's in the queue has come before
 * pass      counts the passes over the spool; a device held in this one has it in held_in
 * ready     one that was held may go
 * resume_ms when the first one that was held for its time's sake may go
 * tokens    attaches that the rate has room for, times 1000, as of rate_ms
 */
struct devices {
	struct devices_options options;
	struct table by_name, by_id;
	struct list all, queue;
	uint32_t last_id;
	size_t n_attaching, n_attached;
	uint64_t pass;
	bool ready;
	int64_t resume_ms, due_ms;
	int64_t tokens, rate_ms;
};

int
devices_new(const struct devices_options *options, struct devices **ret, struct fault *f)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices)
		return fault_nomem(f);
	devices->options = *options;
	devices->pass = 1;
	devices->resume_ms = devices->due_ms = INT64_MAX;
	*ret = devices;
	return 0;
}

static void
set_body(struct device *device, char *body, size_t len)
{
	if (device->body)
		OPENSSL_cleanse(device->body, device->body_len);
	free(device->body);
	device->body = body;
	device->body_len = len;
}

static void
set_state(struct devices *devices, struct device *device, enum device_state state)
{
	devices->n_attaching -= device->state == DEVICE_ATTACHING;
	devices->n_attached -= device->state == DEVICE_ATTACHED;
	device->state = state;
	devices->n_attaching += state == DEVICE_ATTACHING;
	devices->n_attached += state == DEVICE_ATTACHED;
}

static void
forget(struct devices *devices, struct device *device)
{
	set_state(devices, device, DEVICE_DETACHED);
	table_remove(&devices->by_name, &device->by_name);
	table_remove(&devices->by_id, &device->by_id);
	list_remove(&device->among);
	list_remove(&device->queue);
	set_body(device, NULL, 0);
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

/* One that nothing hangs on may be forgotten: it is known again when it speaks again. */
static bool
is_forgettable(const struct devices *devices, const struct device *device)
{
	return device->state == DEVICE_DETACHED && !device->present && !device->kept &&
	       device->held_in != devices->pass;
}

struct device *
devices_meet(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_find(devices, name);

	if (device || strlen(name) > DEVICE_NAME_MAX)
		return device;
	/* The list is in the order of first sight, which is near enough to that of last use. */
	for (struct list_link *l = devices->all.head; l && devices->by_name.n >= DEVICES_MAX;) {
		struct device *old = CONTAINER(l, struct device, among);

		l = l->next;
		if (is_forgettable(devices, old))
			forget(devices, old);
	}
	device = calloc(1, sizeof(*device));
	if (!device)
		return NULL;
	snprintf(device->name, sizeof(device->name), "%s", name);
	device->id = ++devices->last_id;
	device->used_ms = now_ms;
	device->state_ms = INT64_MIN / 2;
	if (table_add(&devices->by_name, &device->by_name, table_hash_text(name), NULL)) {
		free(device);
		return NULL;
	}
	if (table_add(&devices->by_id, &device->by_id, table_hash_number(device->id), NULL)) {
		table_remove(&devices->by_name, &device->by_name);
		free(device);
		return NULL;
	}
	list_append(&devices->all, &device->among);
	return device;
}

struct device *
devices_next(const struct devices *devices, const struct device *after)
{
	struct list_link *link = after ? after->among.next : devices->all.head;

	return link ? CONTAINER(link, struct device, among) : NULL;
}

size_t
devices_count(const struct devices *devices)
{
	return devices->by_name.n;
}

size_t
devices_attached(const struct devices *devices)
{
	return devices->n_attached;
}

static bool
is_gateway(const struct devices *devices, const struct device *device)
{
	return !strcmp(device->name, devices->options.gateway);
}

static bool
is_held(const struct devices *devices, const struct device *device)
{
	return device->held_in == devices->pass;
}

static bool
is_wanted(const struct devices *devices, const struct device *device)
{
	if (!devices->options.attaches || is_gateway(devices, device))
		return false;
	if (device->asked)
		return true;
	switch (devices->options.policy) {
	case ATTACH_OWN:
		return device->orphaned && is_held(devices, device);
	case ATTACH_CONNECT:
		return device->present || device->kept || is_held(devices, device);
	default:
		return device->kept || is_held(devices, device);
	}
}

/* Puts a device where it is attached from, or takes it away from there. */
static void
review(struct devices *devices, struct device *device)
{
	if (device->state == DEVICE_DETACHED && is_wanted(devices, device)) {
		if (!device->queue.in)
			list_append(&devices->queue, &device->queue);
		if (device->retry_ms < devices->due_ms)
			devices->due_ms = device->retry_ms;
	} else {
		list_remove(&device->queue);
	}
}

void
devices_configure(struct devices *devices, const struct devices_options *options)
{
	devices->options = *options;
	for (struct device *d = NULL; (d = devices_next(devices, d));)
		review(devices, d);
}

void
devices_present(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_meet(devices, name, now_ms);

	if (!device)
		return;
	device->present = true;
	review(devices, device);
}

void
devices_gone(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_find(devices, name);

	if (!device)
		return;
	device->present = false;
	device->used_ms = now_ms;
	review(devices, device);
}

void
devices_ask(struct devices *devices, const char *name, const void *body, size_t len, int64_t now_ms)
{
	struct device *device = devices_meet(devices, name, now_ms);
	char *copy = len <= DEVICE_BODY_MAX ? malloc(len + 1) : NULL;

	if (!device || !copy) {
		free(copy);
		return;
	}
	if (len)
		memcpy(copy, body, len);
	copy[len] = '\0';
	set_body(device, copy, len);
	device->asked = true;
	/* What it brings is new: an older no does not count. */
	device->retry_ms = 0;
	backoff_reset(&device->backoff);
	review(devices, device);
}

static void
forget_wish(struct devices *devices, struct device *device)
{
	device->asked = false;
	set_body(device, NULL, 0);
	review(devices, device);
}

void
devices_ask_not(struct devices *devices, const char *name)
{
	struct device *device = devices_find(devices, name);

	if (!device)
		return;
	device->kept = false;
	forget_wish(devices, device);
}

void
devices_site_lost(struct devices *devices)
{
	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		d->present = false;
		review(devices, d);
	}
}

static enum device_verdict
hold(struct devices *devices, struct device *device, int64_t now_ms)
{
	if (!device->waits_ms)
		device->waits_ms = now_ms;
	device->held_in = devices->pass;
	device->held_state = 0;
	review(devices, device);
	return DEVICE_HOLD;
}

/* When another attempt is due, the message that comes then waits for what becomes of it. */
static bool
is_given_up(const struct devices *devices, const struct device *device, int64_t now_ms)
{
	return device->refused && now_ms - device->refused_ms >= devices->options.hold_ms &&
	       now_ms < device->retry_ms;
}

enum device_verdict
devices_judge(struct devices *devices, struct device *device, bool is_state, int64_t now_ms)
{
	const struct devices_options *o = &devices->options;
	int64_t next_ms = device->state_ms + o->state_interval_ms;

	if (is_held(devices, device))
		return DEVICE_HOLD;
	if (o->attaches && !is_gateway(devices, device) && device->state != DEVICE_ATTACHED) {
		if (is_given_up(devices, device, now_ms))
			return DEVICE_DROP;
		return hold(devices, device, now_ms);
	}
	if (is_state && now_ms < next_ms) {
		device->resume_ms = next_ms;
		if (next_ms < devices->resume_ms)
			devices->resume_ms = next_ms;
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
	(void)devices;
	device->sent++;
	device->used_ms = now_ms;
	device->waits_ms = 0;
	device->orphaned = false;
	if (is_state)
		device->state_ms = now_ms;
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

/* Whether there is room for one more in this second; takes it. */
static bool
take_rate(struct devices *devices, int64_t now_ms)
{
	int64_t most = devices->options.attach_rate * 1000;

	if (!devices->rate_ms)
		devices->tokens = most;
	else
		devices->tokens += (now_ms - devices->rate_ms) * devices->options.attach_rate;
	devices->rate_ms = now_ms;
	if (devices->tokens > most)
		devices->tokens = most;
	if (devices->tokens < 1000)
		return false;
	devices->tokens -= 1000;
	return true;
}

/* Makes room among the attached: by the one that was silent longest and holds nothing up. */
static struct device *
least_used(const struct devices *devices)
{
	struct device *least = NULL;

	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		if (d->state == DEVICE_ATTACHED && !is_held(devices, d) &&
			(!least || d->used_ms < least->used_ms))
			least = d;
	}
	return least;
}

static bool
has_room(const struct devices *devices)
{
	return devices->n_attaching + devices->n_attached < (size_t)devices->options.attach_max;
}

/* Whether there is less room than those want who wait to be attached. */
static bool
is_crowded(const struct devices *devices, int64_t now_ms)
{
	size_t n = devices->n_attaching + devices->n_attached;

	for (const struct list_link *l = devices->queue.head; l; l = l->next) {
		n += CONTAINER(l, struct device, queue)->retry_ms <= now_ms;
		if (n > (size_t)devices->options.attach_max)
			return true;
	}
	return false;
}

struct device *
devices_take_attach(struct devices *devices, int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;

	if (now_ms < devices->due_ms || devices->n_attaching >= ATTACHING_MAX || !has_room(devices))
		return NULL;
	for (struct list_link *l = devices->queue.head; l; l = l->next) {
		struct device *device = CONTAINER(l, struct device, queue);

		if (now_ms < device->retry_ms) {
			if (device->retry_ms < due_ms)
				due_ms = device->retry_ms;
			continue;
		}
		if (!take_rate(devices, now_ms))
			return NULL;
		list_remove(&device->queue);
		set_state(devices, device, DEVICE_ATTACHING);
		device->asked_ms = NOT_ASKED;
		device->answers = 0;
		return device;
	}
	devices->due_ms = due_ms;
	return NULL;
}

void
devices_asked(struct device *device, int64_t now_ms)
{
	device->asked_ms = now_ms;
}

static void
detach(struct devices *devices, struct device *device)
{
	set_state(devices, device, DEVICE_DETACHED);
	device->kept = false;
}

struct device *
devices_take_detach(struct devices *devices, int64_t now_ms)
{
	struct device *least;

	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		bool idle =
			!d->present && !d->asked && now_ms - d->used_ms >= devices->options.idle_ms;

		if (d->state != DEVICE_ATTACHED || is_held(devices, d))
			continue;
		if (idle || !is_wanted(devices, d)) {
			detach(devices, d);
			return d;
		}
	}
	if (!is_crowded(devices, now_ms))
		return NULL;
	least = least_used(devices);
	/* Where there is some room, nobody goes who has just spoken. */
	if (!least || (has_room(devices) && now_ms - least->used_ms < SILENT_MS))
		return NULL;
	detach(devices, least);
	return least;
}

bool
devices_answered(struct devices *devices, struct device *device, int64_t now_ms)
{
	if (device->state != DEVICE_ATTACHING || ++device->answers < ANSWERS)
		return false;
	set_state(devices, device, DEVICE_ATTACHED);
	device->kept = true;
	device->refused = device->dropping = false;
	device->reason[0] = '\0';
	device->used_ms = now_ms;
	backoff_reset(&device->backoff);
	if (is_held(devices, device))
		devices->ready = true;
	return true;
}

void
devices_refused(struct devices *devices, struct device *device, const char *reason, int64_t now_ms,
	uint32_t random)
{
	bool again = device->refused && device->state == DEVICE_DETACHED;

	if (*reason)
		text_cut(reason, device->reason, sizeof(device->reason));
	/* The second voice of one no: the SUBACK, and what the errors topic says about it. */
	if (again)
		return;
	set_state(devices, device, DEVICE_DETACHED);
	if (!device->refused)
		device->refused_ms = now_ms;
	device->refused = true;
	device->kept = false;
	device->retry_ms =
		now_ms + backoff_next(&device->backoff, RETRY_FIRST_MS, RETRY_MOST_MS, random);
	list_remove(&device->queue);
	review(devices, device);
}

void
devices_cloud_lost(struct devices *devices)
{
	for (struct device *d = NULL; (d = devices_next(devices, d));) {
		set_state(devices, d, DEVICE_DETACHED);
		review(devices, d);
	}
}

/* A device that the cloud refuses holds its messages for so long; then they are to go. */
static void
look_at(struct devices *devices, struct device *device, int64_t now_ms, uint32_t random)
{
	if (device->state == DEVICE_ATTACHING && device->asked_ms != NOT_ASKED &&
		now_ms - device->asked_ms >= devices->options.timeout_ms)
		devices_refused(
			devices, device, "the cloud does not answer the attach", now_ms, random);
	if (is_held(devices, device) && device->state != DEVICE_ATTACHED &&
		is_given_up(devices, device, now_ms))
		devices->ready = true;
	/* What it asked for when it was there may be over. */
	if (device->asked && !device->present &&
		now_ms - device->used_ms >= devices->options.idle_ms)
		forget_wish(devices, device);
	/* It left messages behind, and may never come back to attach itself. */
	if (devices->options.policy == ATTACH_OWN && !device->orphaned &&
		is_held(devices, device) && device->state == DEVICE_DETACHED &&
		now_ms - device->waits_ms >= OWN_MS) {
		device->orphaned = true;
		review(devices, device);
	}
}

void
devices_tick(struct devices *devices, int64_t now_ms, uint32_t random)
{
	for (struct device *d = NULL; (d = devices_next(devices, d));)
		look_at(devices, d, now_ms, random);
}
