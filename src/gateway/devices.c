#include "config.h"

#include "gateway/devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

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

/* What was due and could not be done yet is looked at again after so long. */
#define AGAIN_MS 1000

/* Devices that are looked at to find one that may be detached. */
#define LOOK_AT_MAX 16

/*
 * all         in the order of first sight
 * attaching   those that are ATTACHING
 * attached    those that are ATTACHED, the one that was used longest ago first
 * known, strangers  those that may be forgotten once no message of theirs is held: DETACHED, not
 *             connected and not kept; accepted or not; the one that was used longest ago first
 * leaving     attached ones that may be detached, which is looked at again before
 * config_due  ATTACHING or ATTACHED ones whose config is to be requested again
 * due         when look_at() has something to do for a device; all have their place in it
 * pass        counts the passes over the spool; a device held in this one has it in held_in
 * ready       one that was held may go
 * resume_ms   when the first one that was held for its time's sake may go
 * overflow_in the last pass in which messages were left to the next one because there was no room
 *             for their device; devices that were made since then have a larger id than overflow_id
 */
struct devices {
	struct devices_options options;
	struct table by_name, by_id;
	struct list all, attaching, attached, known, strangers, leaving, config_due;
	struct attach_queue queue;
	struct heap due;
	uint32_t last_id, overflow_id;
	struct devices_counts counts;
	size_t n_attaching, n_accepted;
	uint64_t pass, overflow_in;
	bool ready;
	int64_t resume_ms;
};

int
devices_new(const struct devices_options *options, struct devices **ret, struct fault *f)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices)
		return fault_nomem(f);
	devices->options = *options;
	/* Devices that were never held have 0, which is to be older than the pass before. */
	devices->pass = 2;
	devices->resume_ms = INT64_MAX;
	attach_queue_init(&devices->queue);
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
set_reason(struct device *device, const char *reason)
{
	char cut[DEVICE_REASON_MAX];
	char *copy;

	text_cut(reason, cut, sizeof(cut));
	copy = *cut ? strdup(cut) : NULL;
	if (*device->reason)
		free((char *)(uintptr_t)device->reason);
	device->reason = copy ? copy : "";
}

static void
set_refused(struct devices *devices, struct device *device, bool refused)
{
	devices->counts.refused += refused;
	devices->counts.refused -= device->refused;
	device->refused = refused;
}

static void
set_accepted(struct devices *devices, struct device *device, bool accepted)
{
	devices->n_accepted += accepted;
	devices->n_accepted -= device->accepted;
	device->accepted = accepted;
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

/* The list by use that a device belongs into; NULL for none. */
static struct list *
list_of(struct devices *devices, const struct device *device)
{
	switch (device->state) {
	case DEVICE_ATTACHED:
		return &devices->attached;
	case DEVICE_ATTACHING:
		return &devices->attaching;
	default:
		break;
	}
	if (device->present || device->kept || is_gateway(devices, device))
		return NULL;
	return device->accepted ? &devices->known : &devices->strangers;
}

/* Puts a device behind those of its list that were used before. */
static void
touch(struct devices *devices, struct device *device, int64_t now_ms)
{
	struct list *list = list_of(devices, device);

	device->used_ms = now_ms;
	if (list)
		list_append(list, &device->by_use);
}

/* Puts a device into the list that it belongs into now. */
static void
place(struct devices *devices, struct device *device)
{
	struct list *list = list_of(devices, device);

	if (list == device->by_use.in)
		return;
	if (list)
		list_append(list, &device->by_use);
	else
		list_remove(&device->by_use);
}

static void
set_state(struct devices *devices, struct device *device, enum device_state state)
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
	place(devices, device);
}

static void
forget(struct devices *devices, struct device *device)
{
	set_accepted(devices, device, false);
	set_refused(devices, device, false);
	set_state(devices, device, DEVICE_DETACHED);
	table_remove(&devices->by_name, &device->by_name);
	table_remove(&devices->by_id, &device->by_id);
	attach_queue_answered(&devices->queue, &device->attach, ATTACH_GIVEN_UP);
	attach_queue_remove(&devices->queue, &device->attach);
	heap_remove(&devices->due, &device->due);
	list_remove(&device->among);
	list_remove(&device->by_use);
	set_body(device, NULL, 0);
	set_reason(device, "");
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
 * The device of a list that was used longest ago, if it may be forgotten: no message of it was held
 * in this pass over the spool, nor in the one before, which it may still be held in now.
 */
static struct device *
forgettable(const struct devices *devices, const struct list *list)
{
	struct device *device = list->head ? CONTAINER(list->head, struct device, by_use) : NULL;

	return device && device->held_in + 1 < devices->pass ? device : NULL;
}

/* Strangers are forgotten first, unless they have few of the places. */
static struct device *
find_victim(const struct devices *devices)
{
	struct device *victim = forgettable(devices, &devices->strangers);

	if (!victim && devices->by_name.n - devices->n_accepted < DEVICES_STRANGERS_MIN)
		victim = forgettable(devices, &devices->known);
	return victim;
}

/* Adds a new device everywhere; what fails leaves nothing behind. */
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
	place(devices, device);
	return 0;
}

/* Notes that messages of a name stay in the spool until another pass, without a device. */
static void
note_overflow(struct devices *devices)
{
	if (devices->overflow_in == devices->pass)
		return;
	devices->overflow_in = devices->pass;
	devices->overflow_id = devices->last_id;
}

/*
 * Makes room for one more device when there is none. A device that is connected is worth more than
 * the messages of a stranger that is not: they wait for their turn in the spool.
 */
static bool
make_room(struct devices *devices, bool is_connected)
{
	struct device *victim;

	if (devices->by_name.n < DEVICES_MAX)
		return true;
	victim = find_victim(devices);
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
	/* The gateway itself never has to wait for room. */
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

static enum attach_class
class_of(const struct device *device)
{
	if (device->accepted)
		return ATTACH_KNOWN;
	if (device->refused)
		return ATTACH_STRANGER_REFUSED;
	return device->present || device->asked ? ATTACH_STRANGER_PRESENT : ATTACH_STRANGER_ABSENT;
}

/* When look_at() has something to do for a device; INT64_MAX for never. */
static int64_t
due_ms_of(const struct devices *devices, const struct device *device)
{
	const struct devices_options *o = &devices->options;
	bool held = device->held_in + 1 >= devices->pass;
	int64_t at_ms = INT64_MAX, idle_ms = device->used_ms + o->idle_ms;
	int64_t hold_end_ms = device->refused_ms + o->hold_ms;

	if (device->state == DEVICE_ATTACHING)
		return device->asked_ms == NOT_ASKED ? INT64_MAX : device->asked_ms + o->timeout_ms;
	if (!device->present && (device->asked || device->state == DEVICE_ATTACHED))
		at_ms = idle_ms;
	if (device->state == DEVICE_ATTACHED)
		return device->orphaned ? device->used_ms + AGAIN_MS : at_ms;
	/* If another attempt is due by then, what comes of that is awaited. */
	if (held && device->refused && hold_end_ms < device->retry_ms && hold_end_ms < at_ms)
		at_ms = hold_end_ms;
	if (held && o->policy == ATTACH_OWN && !device->orphaned &&
		device->waits_ms + OWN_MS < at_ms)
		at_ms = device->waits_ms + OWN_MS;
	return at_ms;
}

static void
schedule(struct devices *devices, struct device *device)
{
	int64_t at_ms = due_ms_of(devices, device);

	if (at_ms < INT64_MAX)
		heap_put(&devices->due, &device->due, at_ms);
	else
		heap_remove(&devices->due, &device->due);
}

/* Puts a device where it is attached or detached from, or takes it away from there. */
static void
review(struct devices *devices, struct device *device)
{
	bool wanted = is_wanted(devices, device);

	place(devices, device);
	schedule(devices, device);
	if (wanted && device->state == DEVICE_DETACHED)
		attach_queue_put(
			&devices->queue, &device->attach, class_of(device), device->retry_ms);
	else
		attach_queue_remove(&devices->queue, &device->attach);
	if (!wanted && device->state == DEVICE_ATTACHED && !device->leaving.in)
		list_append(&devices->leaving, &device->leaving);
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
	struct device *device = meet(devices, name, true, now_ms);

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
	touch(devices, device, now_ms);
	review(devices, device);
}

void
devices_ask(struct devices *devices, const char *name, const void *body, size_t len, int64_t now_ms)
{
	struct device *device = meet(devices, name, true, now_ms);
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
	touch(devices, device, now_ms);
	review(devices, device);
	return DEVICE_HOLD;
}

static enum device_verdict
drop(struct devices *devices, struct device *device)
{
	device->waits_ms = 0;
	device->held_in = 0;
	review(devices, device);
	return DEVICE_DROP;
}

/* An earlier message of it may have been held before the device had a place here. */
static bool
is_made_since_overflow(const struct devices *devices, const struct device *device)
{
	return devices->overflow_in == devices->pass && device->id > devices->overflow_id &&
	       !is_gateway(devices, device);
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
			return drop(devices, device);
		return hold(devices, device, now_ms);
	}
	if (is_state && now_ms < next_ms) {
		device->resume_ms = next_ms;
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
	touch(devices, device, now_ms);
	device->waits_ms = 0;
	if (is_state)
		device->state_ms = now_ms;
	if (device->orphaned) {
		device->orphaned = false;
		review(devices, device);
	}
}

void
devices_received(struct devices *devices, struct device *device, int64_t now_ms)
{
	device->received++;
	touch(devices, device, now_ms);
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
	/* No more than ATTACHING_MAX are not attached yet. */
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
	device->asked_ms = NOT_ASKED;
	device->answers = 0;
	set_state(devices, device, DEVICE_ATTACHING);
	schedule(devices, device);
	return device;
}

void
devices_asked(struct devices *devices, struct device *device, int64_t now_ms)
{
	device->asked_ms = now_ms;
	schedule(devices, device);
}

/* The attached device that was silent longest and holds nothing up. */
static struct device *
least_used(const struct devices *devices)
{
	struct list_link *link = devices->attached.head;

	for (int n = 0; link && n < LOOK_AT_MAX; n++, link = link->next) {
		struct device *device = CONTAINER(link, struct device, by_use);

		if (!is_held(devices, device))
			return device;
	}
	return NULL;
}

/* Whether more devices want to be attached than there is room for. */
static bool
is_crowded(struct devices *devices, int64_t now_ms)
{
	return devices->n_attaching + devices->counts.attached +
		       attach_queue_due(&devices->queue, now_ms) >
	       (size_t)devices->options.attach_max;
}

static bool
is_idle(const struct devices *devices, const struct device *device, int64_t now_ms)
{
	return !device->present && !device->asked &&
	       now_ms - device->used_ms >= devices->options.idle_ms;
}

static struct device *
detach(struct devices *devices, struct device *device)
{
	device->kept = false;
	set_state(devices, device, DEVICE_DETACHED);
	review(devices, device);
	return device;
}

/* One that has a message held is looked at again later. */
static struct device *
next_leaving(struct devices *devices, int64_t now_ms)
{
	for (int n = 0; devices->leaving.head && n < LOOK_AT_MAX; n++) {
		struct device *device = CONTAINER(devices->leaving.head, struct device, leaving);

		if (is_held(devices, device)) {
			list_append(&devices->leaving, &device->leaving);
			continue;
		}
		list_remove(&device->leaving);
		if (is_idle(devices, device, now_ms) || !is_wanted(devices, device))
			return device;
		schedule(devices, device);
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
	/* Where there is some room, nobody goes who has just spoken. */
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
	set_accepted(devices, device, true);
	set_refused(devices, device, false);
	device->dropping = false;
	set_reason(device, "");
	backoff_reset(&device->backoff);
	device->retry_ms = 0;
	set_state(devices, device, DEVICE_ATTACHED);
	attach_queue_answered(&devices->queue, &device->attach, ATTACH_ACCEPTED);
	touch(devices, device, now_ms);
	review(devices, device);
	if (is_held(devices, device))
		devices->ready = true;
	return true;
}

/* The device is not attached, and is tried again after a while. */
static void
retry_later(struct devices *devices, struct device *device, enum attach_answer answer,
	int64_t now_ms, uint32_t random)
{
	attach_queue_answered(&devices->queue, &device->attach, answer);
	if (!device->refused)
		device->refused_ms = now_ms;
	set_refused(devices, device, true);
	device->kept = false;
	device->retry_ms =
		now_ms + backoff_next(&device->backoff, RETRY_FIRST_MS, RETRY_MOST_MS, random);
	set_state(devices, device, DEVICE_DETACHED);
	attach_queue_remove(&devices->queue, &device->attach);
	review(devices, device);
}

void
devices_refused(struct devices *devices, struct device *device, const char *reason, int64_t now_ms,
	uint32_t random)
{
	bool again = device->refused && device->state == DEVICE_DETACHED;

	if (*reason)
		set_reason(device, reason);
	/* The second voice of one no: the SUBACK, and what the errors topic says about it. */
	if (again)
		return;
	/* A device that was attached is refused for a message of it, and may be attached again. */
	if (device->state == DEVICE_ATTACHING)
		set_accepted(devices, device, false);
	retry_later(devices, device, ATTACH_REFUSED, now_ms, random);
}

/* Devices that the cloud lost go behind each other as they were used. */
static void
lose_all(struct devices *devices, struct list *list)
{
	while (list->head) {
		struct device *device = CONTAINER(list->head, struct device, by_use);

		attach_queue_answered(&devices->queue, &device->attach, ATTACH_GIVEN_UP);
		set_state(devices, device, DEVICE_DETACHED);
		review(devices, device);
	}
}

void
devices_cloud_lost(struct devices *devices)
{
	lose_all(devices, &devices->attaching);
	lose_all(devices, &devices->attached);
}

/* Does what is due for a device. */
static void
look_at(struct devices *devices, struct device *device, int64_t now_ms, uint32_t random)
{
	if (device->state == DEVICE_ATTACHING && device->asked_ms != NOT_ASKED &&
		now_ms - device->asked_ms >= devices->options.timeout_ms) {
		set_reason(device, "the cloud does not answer the attach");
		retry_later(devices, device, ATTACH_GIVEN_UP, now_ms, random);
	}
	/* A device that the cloud refuses holds its messages for so long; then they are to go. */
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
	if (device->state == DEVICE_ATTACHED && !device->leaving.in &&
		(is_idle(devices, device, now_ms) || !is_wanted(devices, device)))
		list_append(&devices->leaving, &device->leaving);
}

/* Whether what was due for a device could not be done yet. */
static bool
is_due_again(const struct devices *devices, const struct device *device)
{
	if (device->state == DEVICE_ATTACHED)
		return device->orphaned;
	/* Its message was held in the pass before, and this one has not come to it. */
	return device->held_in + 1 == devices->pass;
}

void
devices_tick(struct devices *devices, int64_t now_ms, uint32_t random)
{
	struct heap_link *first;

	while ((first = heap_first(&devices->due)) && first->key <= now_ms) {
		struct device *device = CONTAINER(first, struct device, due);

		look_at(devices, device, now_ms, random);
		schedule(devices, device);
		if (!device->due.at || device->due.key > now_ms)
			continue;
		if (is_due_again(devices, device))
			heap_put(&devices->due, &device->due, now_ms + AGAIN_MS);
		else
			heap_remove(&devices->due, &device->due);
	}
	/* Names that were not remembered have their turn when there is room. */
	if (devices->overflow_in == devices->pass &&
		(devices->by_name.n < DEVICES_MAX || find_victim(devices)))
		devices->ready = true;
}
