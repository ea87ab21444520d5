/* inside: the parts of a running gateway, and what they ask of each other. Private to gateway/. */
#ifndef GATEWAY_INSIDE_H
#define GATEWAY_INSIDE_H

#include <uv.h>

#include "gateway/backoff.h"
#include "gateway/credential.h"
#include "gateway/devices.h"
#include "gateway/gateway.h"
#include "gateway/ledger.h"
#include "gateway/metrics.h"
#include "gateway/pace.h"
#include "gateway/poison.h"
#include "gateway/route.h"
#include "gateway/settings.h"
#include "gateway/tally.h"
#include "mqtt/mqtt.h"
#include "site/channel.h"
#include "spool/spool.h"

enum cloud_state {
	CLOUD_WAITING,	  /* for the timer */
	CLOUD_SIGNING,	  /* for the token */
	CLOUD_CONNECTING, /* for the CONNACK */
	CLOUD_GREETING,	  /* for the answers to our own subscriptions */
	CLOUD_UP,
	CLOUD_DRAINING, /* for what is in flight, to end the connection then */
	CLOUD_STOPPING, /* for its end */
	CLOUD_CLEARING, /* for the worker to have done with it */
};

/* Each kind of failure waits by its own rule, and has its own count. */
enum cloud_retry {
	CLOUD_RETRY_NETWORK,
	CLOUD_RETRY_REFUSED,
	CLOUD_RETRY_LOCAL, /* the token or a file of this machine */
	CLOUD_RETRIES
};

/* What went wrong last, and when by the loop's clock; no text: nothing yet. */
struct mishap {
	char text[256];
	int64_t at_ms;
};

/*
 * The connection to the cloud.
 *
 * watch       of `mqtt`; NULL without one
 * prepare     sends what was handed over before the loop waits
 * timer       tries again
 * clearing    a worker has the connection that ended; `explained` is its own
 * url         which of them is tried
 * greetings   answers that are waited for; renewals: to configs that were asked for again
 * retries     how often each kind of failure came since a connection was steady
 * why         why it ended, or could not begin; said_why was logged already
 * ended_ms    when the one before ended; 0 before the first
 * refused     how many of the gateway's own subscriptions the broker refused on this connection;
 *             refusal has the last of them and why
 * unexplained why does not say much, explain: the worker is to find out more, into `explained`, of
 *             the broker explained_url
 * was_up      what ended was a connection
 * explained_end  it ended for what was sent: the next one need not wait
 * renewing    it ends to begin again with a newer token
 * expires     when the JWT that it was begun with ends, by the wall clock
 * progress_ms when the broker last answered something, or nothing was asked
 */
struct cloud {
	enum cloud_state state;
	struct mqtt *mqtt;
	uv_poll_t *watch;
	uv_prepare_t prepare;
	uv_timer_t timer;
	uv_work_t clear_work;
	bool clearing, renewing, unexplained, explain, was_up, explained_end;
	struct fault explained;
	struct mqtt *cleared;
	struct backoff retries[CLOUD_RETRIES];
	size_t url, explained_url;
	unsigned greetings, renewals;
	struct fault why;
	char said_why[256];
	int64_t since_ms, ended_ms, drain_until_ms, progress_ms;
	time_t expires;
	uint64_t connects;
	struct tally_codes disconnects, failures;
	struct mishap error;
	unsigned refused;
	char refusal[512];
};

/* Devices' own keys sign one at a time; while one waits for it, so does its attach. */
#define SIGN_QUEUE_MAX 8

/*
 * What has the token sign: the gateway's own JWT, and those of devices that have keys there.
 *
 * busy        a worker has the token; `failed`, `fresh` and `fresh_fault` are its own meanwhile
 * since_ms    when it began; late: that it takes long was said
 * device      whose key signs, and its name; 0: the gateway's
 * credential  the gateway's own
 * renew_at    when a newer one is to be signed; by the wall clock
 * queue       devices that wait their turn
 * failures    to sign our own; unrenewed: since the last success
 * certificate_ends  Unix seconds, as the token said at the last signature; 0: there is none
 */
struct signer {
	uv_work_t work;
	bool busy, failed, late;
	int64_t since_ms;
	uint32_t device;
	char name[DEVICE_NAME_MAX + 1];
	struct credential credential, fresh;
	struct fault fault, fresh_fault;
	time_t renew_at;
	uint32_t queue[SIGN_QUEUE_MAX];
	size_t n_queue;
	uint64_t signatures, failures, unrenewed;
	time_t certificate_ends;
	struct tally_times times;
	struct tally_faults faults;
	struct mishap error;
};

/* What is in flight: a message of the spool, or an attach. */
enum flight_kind { FLIGHT_FREE, FLIGHT_MESSAGE, FLIGHT_ATTACH, FLIGHT_DETACH };

struct flight {
	enum flight_kind kind;
	uint64_t seq;
	uint32_t device; /* 0: none */
};

/* Twice the window: while answers are told, what they made room for is sent already. */
#define FLIGHTS (2 * MQTT_WINDOW_MAX)

/* Where poison has a device's subscription; two devices may share a place. */
#define POISON_SUBSCRIPTION(id) (FLIGHTS + (id) % MQTT_SUBSCRIBING_MAX)
_Static_assert(FLIGHTS + MQTT_SUBSCRIBING_MAX <= POISON_FLIGHTS_MAX, "each has a place in poison");

/*
 * What takes messages from the spool to the cloud.
 *
 * reader      NULL until the spool is there; absent: why it is not, which was logged
 * watched     the loop has `readable`, also for a moment after the reader was closed
 * gone        the spool's directory was removed or replaced, which was logged; leaving: nothing
 *             more is read of it
 * more        has the loop come back at once, pace after a while
 * expected    the number that comes next in this pass
 * again       another pass is to begin
 * stuck       one that should have been sent was not: what is behind it waits for that pass
 * passed_ms   when this one did
 * at_end      the spool had nothing more when it was last looked
 * acked       what the spool was told
 * unreadable  the spool is, and unwritable the cursor, which was said
 * is_passing  the cloud takes nothing for now, which was said
 * poison      what the cloud refuses, and what is sent alone to find it out
 * waits       the message `next` is to be sent when nothing else is in flight
 * waits_ms    when it began to wait, by the loop's clock; 0: it does not
 * complained_ms  when it was last said that the cloud refuses messages; 0: never
 * replaced    states that newer ones took the place of
 */
struct pump {
	struct spool_reader *reader;
	uv_poll_t readable;
	uv_idle_t more;
	uv_timer_t pace;
	bool has_more;
	struct ledger *ledger;
	struct flight flights[FLIGHTS];
	uint64_t expected, acked;
	bool again, stuck, unreadable, unwritable, watched, is_passing, at_end;
	bool gone, leaving;
	struct fault absent;
	struct poison *poison;
	struct spool_message next;
	bool waits;
	int64_t passed_ms, complained_ms, waits_ms;
	struct pace rate;
	uint64_t sent, arrived, refused, unrouted, dropped, replaced, damages;
};

/*
 * The way to the site's broker.
 *
 * said     that it is not there was logged; foreign: that it is of another version
 * own_due  the gateway's own config is to be asked for once more
 * complained_ms  when it was last said that messages are dropped; 0: never
 * refusal  why the site's broker accepts no messages, and when it said so last; no text: it does
 */
struct local {
	struct channel *channel;
	uv_poll_t *poll;
	bool said, foreign, own_due;
	uint64_t delivered, undelivered;
	int64_t complained_ms;
	struct mishap refusal;
};

/*
 * Lines about devices that the cloud refuses.
 *
 * since_ms  when the minute began in which they are counted
 * logged, left_out  how many were in this minute
 */
struct refusal_lines {
	int64_t since_ms;
	unsigned logged;
	uint64_t left_out;
};

/*
 * What is seen of all that from outside.
 *
 * looked_ms  when the spool was looked at; waiting, oldest_s, bytes, drops and failed are from then
 * up, down   messages a second
 */
struct observed {
	bool looked;
	int64_t looked_ms;
	uint64_t waiting;
	int64_t oldest_s, bytes;
	struct metrics_reason drops[METRICS_REASONS_MAX];
	size_t n_drops;
	struct fault failed;
	struct tally_rate up, down;
};

struct gateway {
	uv_loop_t loop;
	struct gateway_settings settings;
	struct routes out, in; /* [site] out and in */
	gateway_reload_fn *reload;
	void *reload_with;
	struct devices *devices;
	struct cloud cloud;
	struct signer signer;
	struct pump pump;
	struct local local;
	struct refusal_lines refusal_lines;
	struct observed observed;
	struct status *status;
	struct list askers; /* of the status */
	struct scrape *scrape;
	uv_timer_t tick, watchdog;
	uv_signal_t hup, term, interrupt;
	struct fault unserved_status, unserved_metrics;
	struct mishap
		reload_error; /* why the settings file was refused last; no text: it was not */
	bool leaving, left, reload_due;
	int64_t leaving_ms;
	struct fault fatal;
	time_t started;
};

/* Monotonic milliseconds, and any number. */
int64_t gateway_now_ms(const struct gateway *g);
uint32_t gateway_random(void);

/* Frees a handle that was allocated: it is the loop's until it says that it is closed. */
void gateway_free_handle(uv_handle_t *handle);

/* Ends the program: for a fault that gateway_is_fatal(), or because it was asked to. */
void gateway_fail(struct gateway *g, const struct fault *f);
void gateway_leave(struct gateway *g);
/*
 * Whether a running gateway ends for a fault: only when the token has refused the PIN, because each
 * further attempt may lock the token. Everything else is tried again.
 */
bool gateway_is_fatal(const struct fault *f);
/* Keeps what went wrong for those who ask. */
void gateway_note(const struct gateway *g, struct mishap *mishap, const struct fault *why);
/* Called when the cloud's side has nothing under way any more. */
void gateway_cloud_is_quiet(struct gateway *g);

/* cloud: the connection. */
void cloud_open(struct gateway *g);
void cloud_begin(struct gateway *g);
void cloud_tick(struct gateway *g);
/* Ends it, when it is there: for good when the gateway leaves, else to begin again. */
void cloud_end(struct gateway *g);
void cloud_close(struct gateway *g);
const char *cloud_state_name(enum cloud_state state);
/* The gateway's own JWT was signed, or could not be. */
void cloud_signed(struct gateway *g, const struct fault *failed);

/* signer: the gateway's own JWT; cloud_signed() tells what came of it. */
void signer_sign(struct gateway *g);
bool signer_has_credential(const struct gateway *g, time_t now);
void signer_plan_renewal(struct gateway *g);
void signer_forget(struct gateway *g);
/* For a device, as soon as the token is free: attach_signed() tells. */
void signer_sign_for(struct gateway *g, uint32_t device);
bool signer_has_room(const struct gateway *g);
void signer_forget_devices(struct gateway *g);
void signer_tick(struct gateway *g);
void signer_close(struct gateway *g);

/* attach: devices to the cloud and from it; also what came of it. Reports go to the site. */
void attach_work(struct gateway *g);
void attach_tick(struct gateway *g);
void attach_answered(struct gateway *g, uint32_t device, const struct fault *failed);
void attach_signed(struct gateway *g, uint32_t device, const char *jwt, const struct fault *failed);
void attach_errors(struct gateway *g, const struct mqtt_message *message);
/* The cloud refuses a topic of a device, or to attach it: the device is told. */
void attach_blocked(struct gateway *g, const struct poison_topic *topic);
/* Whether another line about a device that the cloud refuses may be logged; counts it if not. */
bool attach_may_log_refusal(struct gateway *g);

/* The text of what was subscribed to for a device; sends one SUBSCRIBE. */
int attach_subscribe(struct gateway *g, const char *device, uint64_t tag, struct fault *f);

/* Tags of subscriptions: a device's, or our own. */
#define TAG_DEVICE  (UINT64_C(1) << 62)
#define TAG_OWN	    (UINT64_C(1) << 63)
#define TAG_RENEWAL (TAG_OWN | 1) /* of a device's config */
/* The gateway's own when it connects: errors, config and commands, then those of [site] in. */
#define TAG_GREETING(i) (TAG_OWN | (UINT64_C(1) << 32) | (i))
#define GREETING_ERRORS 0
#define GREETING_CONFIG 1
#define GREETING_IN	2

/*
 * pump: a spool that is not there yet, or that cannot be read, is looked for each second. One that
 * was removed or replaced is left when what is in flight has been answered.
 */
int pump_open(struct gateway *g, struct fault *f);
void pump_tick(struct gateway *g);
void pump_run(struct gateway *g);
/* Whether something is in flight that is to be alone: nothing else may be sent. */
bool pump_is_alone(const struct gateway *g);
/* Counts what is sent beside messages against what the broker allows; whether it has room. */
void pump_spend(struct gateway *g, size_t len);
bool pump_has_room(struct gateway *g);
/* A flight for a message or an attach; -1 when there is none. */
int pump_take_flight(struct gateway *g, enum flight_kind kind, uint64_t seq, uint32_t device);
/*
 * The connection to the cloud is gone: what was in flight is sent again.
 *
 * Returns whether what was sent explains it.
 */
bool pump_cloud_lost(struct gateway *g, enum poison_end end, const struct fault *why);
void pump_acknowledge(struct gateway *g);
void pump_close(struct gateway *g);

/* answers: to what is in flight, with its tag. */
void answers_take(struct gateway *g, uint64_t tag, const struct fault *failed);
/* The same for the subscription that belongs to the attach of a device. */
void answers_subscription(struct gateway *g, uint32_t device, const struct fault *failed);
/*
 * The connection is gone, and nothing is in flight any more.
 *
 * Returns whether what was sent explains it.
 */
bool answers_end(struct gateway *g, enum poison_end end, const struct fault *why);

/* local */
void local_open(struct gateway *g);
void local_tick(struct gateway *g);
/* Returns whether it is on its way; that it is not is counted and said here. */
bool local_deliver(struct gateway *g, const char *device, const char *topic, const void *payload,
	size_t len, int qos, bool retain);
void local_drop(struct gateway *g);
/* Counts a message for the site that goes nowhere, and logs the first one and then one a minute. */
void local_discard(struct gateway *g, const char *topic, const char *why);

/* down: what came from the cloud. */
void down_take(void *with, const struct mqtt_message *message);

/* observe: what others are shown; the spool is read when what is known of it is age_ms old. */
void observe_tick(struct gateway *g);
const struct observed *observe(struct gateway *g, int64_t age_ms);
void observe_metrics(struct gateway *g, struct metrics *ret);

/* scrape: the metrics over HTTP. Opening it again changes nothing. */
int scrape_open(struct gateway *g, struct fault *f);
void scrape_close(struct gateway *g);

/* status: opening it again changes nothing. */
int status_open(struct gateway *g, struct fault *f);
/* Once a second: who does not read the answer is sent away. */
void status_tick(struct gateway *g);
void status_close(struct gateway *g);

#endif
