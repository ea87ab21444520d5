/* devices: who speaks through the gateway, and whether the cloud lets them. Pure. */
#ifndef GATEWAY_DEVICES_H
#define GATEWAY_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/table.h"
#include "gateway/attach_queue.h"
#include "gateway/backoff.h"
#include "gateway/poison.h"

#define DEVICE_NAME_MAX	  255
#define DEVICE_REASON_MAX 160

/* What a device may bring with its attach, as p11_site.so bounds it too. */
#define DEVICE_BODY_MAX (17 * 1024)

/*
 * Devices that are remembered. Past that the stranger that was silent longest is forgotten. When
 * each stranger has messages waiting, a new name is not remembered: its messages stay in the spool
 * until another pass finds room. So many places are left to strangers, whoever else is remembered.
 */
#define DEVICES_MAX	      100000
#define DEVICES_STRANGERS_MIN 10000

/* Devices that may be attached at the same time. */
#define DEVICES_ATTACHED_MAX (DEVICES_MAX - DEVICES_STRANGERS_MIN)

/* When a device is attached: see [site] attach. */
enum devices_policy { ATTACH_FIRST_MESSAGE, ATTACH_CONNECT, ATTACH_OWN };

/*
 * attaches           devices are attached at all; without that all may send
 * gateway            its own id: it needs no attaching
 * attach_max         devices attached at once
 * attach_rate        attached in a second at most
 * idle_ms            without connection and message, until a device is detached
 * hold_ms            how long a refused device's messages are held, all of them; later those that
 *                    come when another attempt is due
 * state_interval_ms  between two states of a device
 * timeout_ms         for an answer to an attach
 */
struct devices_options {
	bool attaches;
	const char *gateway;
	enum devices_policy policy;
	long attach_max, attach_rate;
	int64_t idle_ms, hold_ms, state_interval_ms, timeout_ms;
};

enum device_state {
	DEVICE_DETACHED,
	DEVICE_ATTACHING, /* asked the cloud, which has not answered all of it */
	DEVICE_ATTACHED,
};

/*
 * present       connected to the site's broker
 * asked         it asked to be attached itself, with body, a secret of body_len bytes
 * kept          it was attached, and is to be again when the connection to the cloud comes back
 * accepted      the cloud has attached it, and has refused no attach of it since
 * refused       what the cloud said last was no: reason has its words, refused_ms since when
 * dropping      its messages are given up because it is refused, which was said
 * used_ms       when something of it, or for it, passed last
 * sent, received, dropped  messages to the cloud, from it, and given up because it was refused
 * strikes       of its messages that the cloud refused
 * the rest is private to devices*.c
 */
struct device {
	uint32_t id;
	enum device_state state;
	bool present, asked, kept, accepted, refused, dropping;
	char *body;
	size_t body_len;
	const char *reason;
	int64_t refused_ms, used_ms;
	uint64_t sent, received, dropped;
	struct poison_strikes strikes;

	struct backoff backoff;
	int64_t retry_ms, asked_ms, state_ms, waits_ms;
	uint64_t held_in, held_state;
	bool orphaned;
	unsigned answers;
	struct table_link by_name, by_id;
	struct list_link among, by_use, leaving, config_due;
	struct attach_entry attach;
	struct heap_link due;
	char name[];
};

struct devices;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; times are monotonic. */
int devices_new(const struct devices_options *options, struct devices **ret, struct fault *f);

/* NULL is allowed. */
void devices_free(struct devices *devices);

AUTO_DEFINE(devices, struct devices, devices_free);

/* Other options from now on; to attach other devices at all takes a new connection. */
void devices_configure(struct devices *devices, const struct devices_options *options);

/* NULL when it is not known. */
struct device *devices_find(const struct devices *devices, const char *name);
struct device *devices_by_id(const struct devices *devices, uint32_t id);

/*
 * Makes it when it is not known. NULL for a name that is too long, when memory ran out, or when
 * DEVICES_MAX are known and none may be forgotten: messages of this name are held then.
 * Time: constant.
 */
struct device *devices_meet(struct devices *devices, const char *name, int64_t now_ms);

/* All of them: NULL begins, NULL ends. No other call may come in between that forgets one. */
struct device *devices_next(const struct devices *devices, const struct device *after);

/*
 * attached, refused  how many of the known devices are
 * waiting            those that wait to be attached, also for another attempt
 * forgotten          how many were forgotten to make room for others, since the start
 */
struct devices_counts {
	size_t known, attached, refused, waiting;
	uint64_t forgotten;
};

struct devices_counts devices_count(const struct devices *devices);

/*
 * What the site says of a device. One that is connected takes the place of a stranger that is not,
 * whose messages then stay in the spool; what is said is lost only when all are connected.
 */
void devices_present(struct devices *devices, const char *name, int64_t now_ms);
void devices_gone(struct devices *devices, const char *name, int64_t now_ms);
void devices_ask(
	struct devices *devices, const char *name, const void *body, size_t len, int64_t now_ms);
void devices_ask_not(struct devices *devices, const char *name);

/* The site's broker is gone, and with it whoever was present. */
void devices_site_lost(struct devices *devices);

enum device_verdict {
	DEVICE_SEND,
	DEVICE_HOLD, /* not now: again in the next pass, when devices_ready() says so */
	DEVICE_DROP, /* never: the cloud refuses the device, has done so for long, and just now */
};

/*
 * Whether a message of a device may go to the cloud. One that is held holds those behind it, until
 * the next pass over the spool.
 *
 * is_state  a state, of which the cloud takes only so many
 */
enum device_verdict devices_judge(
	struct devices *devices, struct device *device, bool is_state, int64_t now_ms);

/*
 * Notes a state that is held. One that was held before it in this pass is older news: its number is
 * returned, for it to be given up; else 0.
 */
uint64_t devices_hold_state(struct devices *devices, struct device *device, uint64_t seq);

/* Notes that a message of it was handed to the cloud, and that one for it came from there. */
void devices_sent(struct devices *devices, struct device *device, bool is_state, int64_t now_ms);
void devices_received(struct devices *devices, struct device *device, int64_t now_ms);

/*
 * Notes that the config of a device is to be requested again once it is attached. The next attach
 * of one that is not attached requests it anyway.
 */
void devices_set_config_due(struct devices *devices, struct device *device);
void devices_set_all_configs_due(struct devices *devices);

/* An attached device whose config is to be requested again, until that is noted; or NULL. */
struct device *devices_next_config_due(const struct devices *devices);
void devices_config_requested(struct device *device);

/* Whether messages that were held may go now, so that another pass is worth its while. */
bool devices_ready(struct devices *devices, int64_t now_ms);

/* When that is to be asked again though nothing happened; INT64_MAX for never. */
int64_t devices_next_ms(const struct devices *devices);

/* The spool is read again from the first message that is not done with. */
void devices_begin_pass(struct devices *devices);

/* The numbers of messages are those of another spool from now on. */
void devices_forget_messages(struct devices *devices);

/*
 * The next device to attach now, which is ATTACHING then; NULL when there is none, too many are
 * asked about, or the rate is used up. Two answers are waited for. Devices that the cloud accepted
 * before come first; see attach_queue.h.
 */
struct device *devices_take_attach(struct devices *devices, int64_t now_ms);

/* The cloud was asked to attach it: from now on an answer is waited for. */
void devices_asked(struct devices *devices, struct device *device, int64_t now_ms);

/* The next device to detach, which is DETACHED then; NULL when there is none. */
struct device *devices_take_detach(struct devices *devices, int64_t now_ms);

/* An answer to an attach came, and says yes. Returns whether the device is attached now. */
bool devices_answered(struct devices *devices, struct device *device, int64_t now_ms);

/*
 * The cloud says no, or took an attached device away.
 *
 * reason  its words; "" keeps those that are there
 * random  any number
 */
void devices_refused(struct devices *devices, struct device *device, const char *reason,
	int64_t now_ms, uint32_t random);

/* The connection to the cloud is gone: nobody is attached. */
void devices_cloud_lost(struct devices *devices);

/* What only time brings: answers that did not come, wishes that are over. Once a second. */
void devices_tick(struct devices *devices, int64_t now_ms, uint32_t random);

#endif
