/* The connection to the cloud: begun, kept, renewed before its token ends, begun again. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/secret.h"
#include "jwt/claims.h"

/* Where each kind of failure begins to wait; all but the clock's grow from there. */
static const int64_t first_ms[CLOUD_RETRIES] = {
	[CLOUD_RETRY_NETWORK] = 1000,
	[CLOUD_RETRY_REFUSED] = 5000,
	[CLOUD_RETRY_LOCAL] = 2000,
};
#define LOCAL_MOST_MS 10000
#define CLOCK_MS      5000

/* What is in flight has so long to arrive when the connection is ended on purpose. */
#define DRAIN_MS 5000

/* A connection that lasted so long makes up for the failures before it. */
#define STEADY_MS 30000

const char *
cloud_state_name(enum cloud_state state)
{
	static const char *const names[] = {"waiting", "signing", "connecting", "connecting", "up",
		"renewing", "renewing", "waiting"};

	return names[state];
}

/* systemd shows people the state, and what it is about: the broker, or why there is none. */
static void
set_state(struct gateway *g, enum cloud_state state)
{
	const struct cloud *c = &g->cloud;
	bool waits = state == CLOUD_WAITING || state == CLOUD_CLEARING;
	const char *about = waits ? c->why.text : g->settings.uplink.url.items[c->url];

	g->cloud.state = state;
	if (g->leaving)
		notify("STATUS=stopping");
	else
		notify("STATUS=%s%s%s", cloud_state_name(state), *about ? ": " : "", about);
}

/* Why there is no connection is said when it is new; the same again only when debugging. */
static void
say(struct gateway *g, const struct fault *why, int64_t wait_ms)
{
	struct cloud *c = &g->cloud;
	bool again = !c->was_up && !strcmp(c->said_why, why->text);

	c->why = *why;
	log_line(again ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "%s: %s: trying again in %" PRId64 " s",
		c->was_up ? "disconnected" : "not connected", why->text, (wait_ms + 500) / 1000);
	c->was_up = false;
	gateway_note(g, &c->error, why);
	snprintf(c->said_why, sizeof(c->said_why), "%s", why->text);
}

static void
on_timer(uv_timer_t *timer)
{
	cloud_begin(timer->data);
}

static void
wait_for(struct gateway *g, int64_t ms)
{
	set_state(g, CLOUD_WAITING);
	if (g->leaving)
		gateway_cloud_is_quiet(g);
	else
		uv_timer_start(&g->cloud.timer, on_timer, (uint64_t)ms, 0);
}

/* Any other fault is one of this machine, unless there was a connection to find it. */
static enum cloud_retry
retry_of(const struct cloud *c, const struct fault *why)
{
	switch (why->code) {
	case FAULT_AUTH:
		return CLOUD_RETRY_REFUSED;
	case FAULT_NET:
		return CLOUD_RETRY_NETWORK;
	default:
		return c->state == CLOUD_CLEARING ? CLOUD_RETRY_REFUSED : CLOUD_RETRY_LOCAL;
	}
}

/* How long one more failure of a kind has us wait. */
static int64_t
wait_after(struct gateway *g, enum cloud_retry retry)
{
	int64_t most_ms = g->settings.uplink.retry_max_s * 1000, first = first_ms[retry];

	if (retry == CLOUD_RETRY_LOCAL && most_ms > LOCAL_MOST_MS)
		most_ms = LOCAL_MOST_MS;
	return backoff_next(&g->cloud.retries[retry], first < most_ms ? first : most_ms, most_ms,
		gateway_random());
}

/* A failure before, or instead of, a connection. */
static void
fail(struct gateway *g, const struct fault *why)
{
	struct cloud *c = &g->cloud;
	int64_t wait_ms;

	if (c->explained_end)
		backoff_reset(&c->retries[CLOUD_RETRY_NETWORK]);
	/* The next broker has its turn at once; each round of them counts as one failure. */
	if (c->state != CLOUD_SIGNING)
		c->url = (c->url + 1) % g->settings.uplink.url.n;
	if (c->url && why->code == FAULT_NET)
		wait_ms = 100;
	else
		wait_ms = wait_after(g, retry_of(c, why));
	say(g, why, wait_ms);
	wait_for(g, wait_ms);
}

/* An attempt to connect came to nothing before there was a connection. */
static void
give_up(struct gateway *g, const struct fault *why)
{
	g->cloud.failures.n[why->code]++;
	fail(g, why);
}

static void connect_now(struct gateway *g);
static void drain(struct gateway *g);

void
cloud_signed(struct gateway *g, const struct fault *failed)
{
	struct cloud *c = &g->cloud;
	bool waits = c->state == CLOUD_SIGNING;

	if (waits && g->leaving)
		set_state(g, CLOUD_WAITING);
	else if (waits && failed)
		give_up(g, failed);
	else if (waits)
		connect_now(g);
	else if (failed)
		log_line(g->signer.unrenewed > 1 || c->state != CLOUD_UP ? LOG_LEVEL_DEBUG
									 : LOG_LEVEL_WARN,
			"no newer token yet: %s: the connection stays as long as the older one "
			"lasts",
			failed->text);
	else if (c->state == CLOUD_UP)
		drain(g); /* the new one is at hand before the old one's connection is given up */
}

/* --- the connection -------------------------------------------------------------------------- */

/* What one of the gateway's own subscriptions is for. */
static void
name_greeting(const struct gateway *g, uint64_t tag, char *ret, size_t size)
{
	const char *device = g->settings.uplink.device;
	size_t i = (uint32_t)tag;

	if (i == GREETING_ERRORS)
		snprintf(ret, size, "/devices/%s/errors", device);
	else if (i == GREETING_CONFIG)
		snprintf(ret, size, "/devices/%s/config and commands", device);
	else if (i - GREETING_IN < g->in.n)
		route_filter(&g->in.items[i - GREETING_IN], ROUTE_IN, ret, size);
	else
		*ret = '\0';
}

static void
subscription_refused(struct gateway *g, uint64_t tag, const struct fault *why)
{
	struct cloud *c = &g->cloud;
	char filter[2 * ROUTE_TEXT_MAX] = "config of a device";

	if (tag != TAG_RENEWAL)
		name_greeting(g, tag, filter, sizeof(filter));
	log_warn("cannot subscribe filter=%s: %s", filter, why->text);
	c->refused++;
	snprintf(c->refusal, sizeof(c->refusal), "%.200s: %s", filter, why->text);
}

static void
on_done(void *with, uint64_t tag, const struct fault *failed)
{
	struct gateway *g = with;
	struct cloud *c = &g->cloud;

	c->progress_ms = gateway_now_ms(g);
	if (tag & TAG_DEVICE) {
		answers_subscription(g, (uint32_t)tag, failed);
		attach_answered(g, (uint32_t)tag, failed);
	} else if (tag & TAG_OWN) {
		if (failed && failed->native)
			subscription_refused(g, tag, failed);
		if (tag == TAG_RENEWAL)
			c->renewals--;
		else if (c->greetings)
			c->greetings--;
	} else {
		answers_take(g, tag, failed);
	}
}

/* All but the password. */
static struct mqtt_options
options_of(const struct gateway *g)
{
	const struct gateway_settings *s = &g->settings;

	return (struct mqtt_options){
		.url = s->uplink.url.items[g->cloud.url],
		.client_id = s->uplink.client_id,
		.username = s->uplink.username,
		.version = strcmp(s->uplink.mqtt_version, "5") ? 4 : 5,
		.ca_file = s->uplink.ca_file,
		.alpn = s->uplink.alpn,
		.keep_alive_s = (int)s->uplink.keep_alive_s,
		.timeout_s = (int)s->uplink.timeout_s,
	};
}

static int
start(struct gateway *g, struct fault *f)
{
	const struct gateway_settings *s = &g->settings;
	AUTO(auto_secret) char *password = NULL;
	struct mqtt_options options = options_of(g);

	if (gateway_settings_password(s, g->signer.credential.jwt, &password, f))
		return -1;
	options.password = password;
	g->cloud.expires = g->signer.credential.expires;
	if (mqtt_start(&options, &g->cloud.mqtt, f) == 0)
		return 0;
	return f->code == FAULT_CONFIG ? gateway_settings_blame(s, "uplink.ca-file", 0, f) : -1;
}

static void
unwatch(struct cloud *c)
{
	if (c->watch)
		uv_close((uv_handle_t *)TAKE(c->watch), gateway_free_handle);
}

static void poll_now(struct gateway *g);

static void
on_readable(uv_poll_t *watch, int status, int events)
{
	(void)status, (void)events;
	poll_now(watch->data);
}

/* What was handed over in this turn of the loop goes out in one go. */
static void
on_prepare(uv_prepare_t *prepare)
{
	struct gateway *g = prepare->data;

	if (g->cloud.mqtt)
		mqtt_flush(g->cloud.mqtt);
}

static int
begin_to_connect(struct gateway *g, struct fault *f)
{
	struct cloud *c = &g->cloud;
	AUTO(auto_free) uv_poll_t *watch = malloc(sizeof(*watch));

	if (!watch)
		return fault_nomem(f);
	if (start(g, f))
		return -1;
	uv_poll_init(&g->loop, watch, mqtt_fd(c->mqtt));
	watch->data = g;
	uv_poll_start(watch, UV_READABLE, on_readable);
	c->watch = TAKE(watch);
	return 0;
}

static void
connect_now(struct gateway *g)
{
	struct cloud *c = &g->cloud;
	struct fault f = FAULT_INIT;

	if (begin_to_connect(g, &f)) {
		give_up(g, &f);
		return;
	}
	mqtt_on_done(c->mqtt, on_done, g);
	mqtt_on_message(c->mqtt, down_take, g);
	c->progress_ms = gateway_now_ms(g);
	set_state(g, CLOUD_CONNECTING);
	log_debug("connecting url=%s", g->settings.uplink.url.items[c->url]);
}

void
cloud_begin(struct gateway *g)
{
	time_t now = time(NULL);

	if (g->leaving) {
		set_state(g, CLOUD_WAITING);
		return;
	}
	if (!gateway_settings_signs(&g->settings)) {
		connect_now(g);
		return;
	}
	if (!jwt_clock_is_sane(now)) {
		struct fault f = FAULT_INIT;

		fault_set(&f, FAULT_PRECONDITION,
			"the clock is not set: nothing is signed before it is");
		say(g, &f, CLOCK_MS);
		wait_for(g, CLOCK_MS);
		return;
	}
	if (signer_has_credential(g, now)) {
		connect_now(g);
		return;
	}
	set_state(g, CLOUD_SIGNING);
	/* The token does one thing at a time: what it does for a device now comes first. */
	if (!g->signer.busy)
		signer_sign(g);
}

/* In the worker: a polite end takes its time, and so does the diagnosis. */
static void
clear(uv_work_t *work)
{
	struct gateway *g = work->data;
	struct cloud *c = &g->cloud;
	struct mqtt_options options;

	mqtt_free(TAKE(c->cleared));
	if (!c->explain)
		return;
	options = options_of(g);
	c->explained = (struct fault)FAULT_INIT;
	c->explained_url = c->url;
	mqtt_explain(&options, &c->explained);
}

static void
on_cleared(uv_work_t *work, int status)
{
	struct gateway *g = work->data;
	struct cloud *c = &g->cloud;

	(void)status;
	c->clearing = false;
	if (g->leaving || c->why.code == FAULT_NONE) {
		c->was_up = false;
		wait_for(g, 0);
		return;
	}
	fail(g, c->unexplained && c->explained.code && c->explained_url == c->url ? &c->explained
										  : &c->why);
}

static void
forget_failures(struct cloud *c)
{
	for (int i = 0; i < CLOUD_RETRIES; i++)
		backoff_reset(&c->retries[i]);
}

/*
 * The connection has ended: by itself, or as we wanted. That there was none, for reasons that are
 * not known, is looked into now and then; what was found holds until it is looked into again.
 *
 * end  whether the broker may have closed it for what was sent
 */
static void
lost(struct gateway *g, const struct fault *why, enum poison_end end)
{
	struct cloud *c = &g->cloud;

	uv_timer_stop(&c->timer);
	if (!g->leaving)
		devices_cloud_lost(g->devices);
	c->explained_end = pump_cloud_lost(g, end, why);
	signer_forget_devices(g); /* who waited there is attached anew */
	if (c->state >= CLOUD_UP && gateway_now_ms(g) - c->since_ms >= STEADY_MS)
		forget_failures(c);
	c->why = *why;
	c->was_up = c->state >= CLOUD_GREETING;
	c->unexplained = why->code == FAULT_NET && !c->was_up && why->native == 0;
	c->explain = c->unexplained && !g->leaving &&
		     (!c->explained.code || c->retries[CLOUD_RETRY_NETWORK].failures % 8 == 0);
	/* What the broker refused is not offered to it again. */
	if (why->code == FAULT_AUTH)
		signer_forget(g);
	(c->was_up ? &c->disconnects : &c->failures)->n[why->code]++;
	unwatch(c);
	c->cleared = TAKE(c->mqtt);
	if (c->was_up)
		c->ended_ms = gateway_now_ms(g);
	c->clearing = true;
	set_state(g, CLOUD_CLEARING);
	c->clear_work.data = g;
	uv_queue_work(&g->loop, &c->clear_work, clear, on_cleared);
}

static void
come_up(struct gateway *g)
{
	struct cloud *c = &g->cloud;

	c->connects++;
	c->since_ms = gateway_now_ms(g);
	c->renewing = false;
	c->said_why[0] = '\0';
	c->why = c->explained = (struct fault)FAULT_INIT;
	set_state(g, CLOUD_UP);
	log_info("connected url=%s after_ms=%" PRId64, g->settings.uplink.url.items[c->url],
		c->ended_ms ? c->since_ms - c->ended_ms : 0);
	signer_plan_renewal(g);
	pump_run(g);
}

static int
subscribe(struct gateway *g, const char *filter, int qos, uint64_t tag, struct fault *f)
{
	if (mqtt_subscribe(g->cloud.mqtt, &filter, 1, qos, tag, f))
		return -1;
	g->cloud.greetings++;
	return 0;
}

static int
greet(struct gateway *g, struct fault *f)
{
	const char *device = g->settings.uplink.device;
	char filter[2 * ROUTE_TEXT_MAX];

	g->cloud.greetings = g->cloud.renewals = g->cloud.refused = 0;
	g->cloud.refusal[0] = '\0';
	if (gateway_settings_attaches(&g->settings)) {
		snprintf(filter, sizeof(filter), "/devices/%s/errors", device);
		if (subscribe(g, filter, 0, TAG_GREETING(GREETING_ERRORS), f) ||
			attach_subscribe(g, device, TAG_GREETING(GREETING_CONFIG), f))
			return -1;
		g->cloud.greetings++;
	}
	for (size_t i = 0; i < g->in.n; i++) {
		route_filter(&g->in.items[i], ROUTE_IN, filter, sizeof(filter));
		if (subscribe(g, filter, g->in.items[i].qos, TAG_GREETING(GREETING_IN + i), f))
			return -1;
	}
	return 0;
}

/* A broker that acknowledges nothing is used only by who has chosen that. */
static bool
is_too_poor(struct gateway *g)
{
	struct cloud *c = &g->cloud;
	struct fault f = FAULT_INIT;

	if (c->state != CLOUD_CONNECTING || mqtt_max_qos(c->mqtt) >= g->settings.uplink.max_qos)
		return false;
	fault_set(&f, FAULT_CONFIG,
		"the broker accepts only QoS 0 (Maximum QoS in its CONNACK), with which messages "
		"are lost unnoticed: use a broker that accepts QoS 1, or set max-qos = 0");
	mqtt_stop(c->mqtt);
	lost(g, &f, POISON_END_INNOCENT);
	return true;
}

static void
move_on(struct gateway *g)
{
	struct cloud *c = &g->cloud;
	struct fault f = FAULT_INIT;

	if (is_too_poor(g))
		return;
	if (c->state == CLOUD_CONNECTING) {
		c->progress_ms = gateway_now_ms(g);
		set_state(g, CLOUD_GREETING);
		if (greet(g, &f)) {
			/* It has gone already, which is to be heard soon; or nothing comes. */
			log_debug("cannot subscribe: %s", f.text);
			c->greetings++;
		}
	}
	if (c->state == CLOUD_GREETING && !c->greetings)
		come_up(g);
	if (c->state == CLOUD_DRAINING &&
		(!mqtt_in_flight(c->mqtt) || gateway_now_ms(g) >= c->drain_until_ms)) {
		set_state(g, CLOUD_STOPPING);
		mqtt_stop(c->mqtt);
	}
	if (c->state == CLOUD_UP)
		pump_run(g);
}

static void
poll_now(struct gateway *g)
{
	struct fault why = FAULT_INIT;

	if (!g->cloud.mqtt)
		return;
	switch (mqtt_poll(g->cloud.mqtt, &why)) {
	case MQTT_DOWN:
		lost(g, &why,
			g->cloud.state == CLOUD_UP && why.code != FAULT_NONE
				? poison_end_of(why.native)
				: POISON_END_INNOCENT);
		break;
	case MQTT_UP:
		move_on(g);
		break;
	case MQTT_CONNECTING:
		break;
	}
}

/* Sends nothing more, waits for what is in flight, and ends the connection. */
static void
drain(struct gateway *g)
{
	struct cloud *c = &g->cloud;

	uv_timer_stop(&c->timer);
	c->renewing = !g->leaving;
	c->drain_until_ms = gateway_now_ms(g) + DRAIN_MS;
	set_state(g, CLOUD_DRAINING);
	move_on(g);
}

void
cloud_end(struct gateway *g)
{
	struct cloud *c = &g->cloud;

	switch (c->state) {
	case CLOUD_UP:
		drain(g);
		break;
	case CLOUD_CONNECTING:
	case CLOUD_GREETING:
		set_state(g, CLOUD_STOPPING);
		mqtt_stop(c->mqtt);
		break;
	case CLOUD_WAITING:
		if (g->leaving) {
			uv_timer_stop(&c->timer);
			gateway_cloud_is_quiet(g);
		} else {
			wait_for(g, 0);
		}
		break;
	default:
		break;
	}
}

/* A broker that is there and answers nothing is as good as none. */
static void
watch_progress(struct gateway *g)
{
	struct cloud *c = &g->cloud;
	long timeout_s = g->settings.uplink.timeout_s;
	struct fault f = FAULT_INIT;

	if (c->state != CLOUD_GREETING && c->state != CLOUD_UP)
		return;
	if (c->state == CLOUD_UP && !mqtt_in_flight(c->mqtt))
		c->progress_ms = gateway_now_ms(g);
	/* What was asked since the last tick is not late yet. */
	if (gateway_now_ms(g) - c->progress_ms <= (timeout_s + 1) * 1000)
		return;
	fault_set(&f, FAULT_NET, "the broker acknowledged nothing within %ld s", timeout_s);
	mqtt_stop(c->mqtt);
	lost(g, &f, POISON_END_INNOCENT);
}

void
cloud_tick(struct gateway *g)
{
	poll_now(g);
	watch_progress(g);
}

void
cloud_open(struct gateway *g)
{
	struct cloud *c = &g->cloud;

	uv_timer_init(&g->loop, &c->timer);
	uv_prepare_init(&g->loop, &c->prepare);
	c->prepare.data = c->timer.data = g;
	uv_prepare_start(&c->prepare, on_prepare);
}

void
cloud_close(struct gateway *g)
{
	mqtt_free(TAKE(g->cloud.mqtt));
}
