/* From the spool to the cloud: each message in its device's order, until the cloud has it. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "registry/rules.h"
#include "registry/topic.h"

/* Messages that are looked at before the loop has its turn, and a topic's room. */
#define AT_ONCE	       2000
#define TOPIC_SIZE_MAX 2048

/*
 * A pass begins this long after the one before it, and longer the more there is to be passed over:
 * looking at a million messages takes about a fifth of a second.
 */
#define PASS_MS		      200
#define PASS_MS_EACH_THOUSAND 2

/* When the rate is used up at least so much time's messages are sent together. */
#define STARVED_MS 20

/* Watched only at the spool's end: what is not read now would wake us for ever. */
static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct gateway *g = poll->data;

	(void)status, (void)events;
	g->pump.at_end = false;
	pump_run(g);
	if (!g->pump.at_end)
		uv_poll_stop(poll);
}

static void
on_more(uv_idle_t *idle)
{
	pump_run(idle->data);
}

static void
on_pace(uv_timer_t *timer)
{
	pump_run(timer->data);
}

/* What was lost is said here once, and counted. */
static int
next(struct pump *p, struct spool_message *ret_message, bool *ret_any)
{
	struct fault f = FAULT_INIT;

	if (spool_next(p->reader, ret_message, ret_any, &f) == 0) {
		p->unreadable = false;
		return 0;
	}
	p->damages += f.code == FAULT_INVALID;
	if (f.code == FAULT_INVALID || !p->unreadable)
		log_error("%s", f.text);
	p->unreadable = f.code != FAULT_INVALID;
	return -1;
}

/* Where the cursor stands: the first message tells, and is read again. */
static uint64_t
first_of(struct pump *p)
{
	struct spool_message message = {0};
	bool any = false;

	while (next(p, &message, &any) && !p->unreadable)
		continue;
	spool_rewind(p->reader);
	return any ? message.seq : 0;
}

/* Has the loop come back at once when there is more to be looked at. */
static void
set_more(struct pump *p, bool more)
{
	if (more == p->has_more)
		return;
	p->has_more = more;
	if (more)
		uv_idle_start(&p->more, on_more);
	else
		uv_idle_stop(&p->more);
}

/* Messages of a spool that is left may be in flight: their numbers mean others in the next one. */
static bool
has_messages_in_flight(const struct pump *p)
{
	for (int i = 0; i < FLIGHTS; i++) {
		if (p->flights[i].kind == FLIGHT_MESSAGE)
			return true;
	}
	return false;
}

/* The site's broker makes the spool, and may start later. A disk that fails may come back. */
static int
find_spool(struct gateway *g, struct fault *f)
{
	struct pump *p = &g->pump;

	if (p->watched)
		return 0;
	if (spool_reader_open(g->settings.spool.path, g->settings.uplink.name, &p->reader, f))
		return gateway_settings_blame(&g->settings, "spool.path", 0, f);
	if (p->absent.code)
		log_info("the spool is there");
	p->absent = (struct fault)FAULT_INIT;
	p->expected = first_of(p);
	ledger_restart(p->ledger, p->expected);
	p->acked = p->expected;
	uv_poll_init(&g->loop, &p->readable, spool_reader_fd(p->reader));
	p->readable.data = g;
	p->watched = true;
	return 0;
}

static void
say_absent(struct pump *p, const struct fault *why)
{
	if (strcmp(p->absent.text, why->text) != 0 && why->code == FAULT_NOTFOUND)
		log_warn("no spool: the site's broker with p11_site.so makes it: %s", why->text);
	else if (strcmp(p->absent.text, why->text) != 0)
		log_error("the spool cannot be read, and is tried again: %s", why->text);
	p->absent = *why;
}

static void
on_unwatched(uv_handle_t *readable)
{
	((struct gateway *)readable->data)->pump.watched = false;
}

/* Numbers of messages mean nothing in the spool that comes. */
static void
leave_spool(struct gateway *g)
{
	struct pump *p = &g->pump;

	pump_acknowledge(g);
	uv_close((uv_handle_t *)&p->readable, on_unwatched);
	spool_reader_close(TAKE(p->reader));
	p->gone = p->leaving = p->again = p->stuck = p->at_end = p->unwritable = false;
	p->waits = false; /* the message that waits is the reader's */
	p->waits_ms = 0;
	set_more(p, false);
	uv_timer_stop(&p->pace);
	devices_forget_messages(g->devices);
	poison_forget_messages(p->poison);
}

/*
 * Leaves a spool whose directory is not in its place any more, unless it is moved back in time. A
 * directory that was moved keeps its messages. One that was removed has those of one file, as long
 * as that is open: the gateway sends them first, up to one that it cannot send now, because no pass
 * comes back to it.
 */
static void
follow_spool(struct gateway *g)
{
	struct pump *p = &g->pump;
	enum spool_place place = spool_reader_place(p->reader);

	if (place != SPOOL_KEPT && !p->gone) {
		fault_set(&p->absent, FAULT_NOTFOUND, "the spool %s was %s", g->settings.spool.path,
			place == SPOOL_REMOVED ? "removed" : "replaced");
		log_error("%s: the gateway reads the one that is there now when all that it has "
			  "sent is acknowledged",
			p->absent.text);
	} else if (place == SPOOL_KEPT && p->gone) {
		log_info("the spool is in its place again");
		p->absent = (struct fault)FAULT_INIT;
	}
	p->gone = place != SPOOL_KEPT;
	p->leaving = place == SPOOL_REPLACED || (p->gone && (p->at_end || p->stuck));
	if (p->leaving && !has_messages_in_flight(p))
		leave_spool(g);
}

void
pump_tick(struct gateway *g)
{
	struct fault f = FAULT_INIT;

	if (g->pump.reader)
		follow_spool(g);
	if (!g->pump.reader && find_spool(g, &f))
		say_absent(&g->pump, &f);
	g->pump.again |= poison_tick(g->pump.poison, gateway_now_ms(g));
	g->pump.at_end = false; /* not every file system tells of what came */
	pump_run(g);
	pump_acknowledge(g);
}

int
pump_open(struct gateway *g, struct fault *f)
{
	struct pump *p = &g->pump;
	struct fault why = FAULT_INIT;

	if (ledger_new(0, &p->ledger, f) || poison_new(&p->poison, f))
		return -1;
	uv_idle_init(&g->loop, &p->more);
	uv_timer_init(&g->loop, &p->pace);
	p->more.data = p->pace.data = g;
	if (find_spool(g, &why) == 0)
		return 0;
	/* Only the operator can fix settings, and end another gateway of our name. */
	if (why.code != FAULT_NOTFOUND && why.code != FAULT_IO) {
		if (f)
			*f = why;
		return -1;
	}
	say_absent(p, &why);
	return 0;
}

bool
pump_is_alone(const struct gateway *g)
{
	return poison_is_alone(g->pump.poison) && mqtt_in_flight(g->cloud.mqtt);
}

int
pump_take_flight(struct gateway *g, enum flight_kind kind, uint64_t seq, uint32_t device)
{
	for (int i = 0; i < FLIGHTS; i++) {
		struct flight *flight = &g->pump.flights[i];

		if (flight->kind == FLIGHT_FREE) {
			*flight = (struct flight){kind, seq, device};
			return i;
		}
	}
	return -1;
}

void
pump_acknowledge(struct gateway *g)
{
	struct pump *p = &g->pump;
	uint64_t first = ledger_first(p->ledger);
	struct fault f = FAULT_INIT;

	if (!p->reader || first == p->acked)
		return;
	if (spool_acknowledge(p->reader, first, &f) == 0) {
		p->acked = first;
		p->unwritable = false;
	} else if (!p->unwritable) {
		log_error("messages may be sent twice: %s", f.text);
		p->unwritable = true;
	}
}

static void
begin_pass(struct gateway *g, int64_t now_ms)
{
	struct pump *p = &g->pump;

	if (!p->reader)
		return;
	pump_acknowledge(g);
	spool_rewind(p->reader);
	p->expected = ledger_first(p->ledger);
	p->again = p->stuck = p->at_end = p->waits = false;
	p->waits_ms = 0;
	p->passed_ms = now_ms;
	devices_begin_pass(g->devices);
	poison_begin_pass(p->poison);
}

/* How long after the last pass the next one may begin. */
static int64_t
pass_interval_ms(const struct pump *p)
{
	int64_t span = (int64_t)(p->expected - ledger_first(p->ledger));

	return PASS_MS + span / 1000 * PASS_MS_EACH_THOUSAND;
}

/* Begins another pass when one is wanted and its time has come. */
static void
consider_pass(struct gateway *g)
{
	int64_t now_ms = gateway_now_ms(g);

	/* A message that is sent alone has waited long enough. */
	if (g->pump.waits)
		return;
	if ((g->pump.again || devices_ready(g->devices, now_ms)) &&
		now_ms - g->pump.passed_ms >= pass_interval_ms(&g->pump))
		begin_pass(g, now_ms);
}

/*
 * Has the loop come back when time alone brings something: the rate, another pass.
 *
 * wait_ms  until the rate allows another message; 0: it does
 */
static void
plan(struct gateway *g, int64_t wait_ms)
{
	struct pump *p = &g->pump;
	int64_t now_ms = gateway_now_ms(g), at_ms = devices_next_ms(g->devices);
	int64_t pass_ms = p->passed_ms + pass_interval_ms(p);

	/* The answer has the loop come back. */
	if (p->waits || pump_is_alone(g)) {
		uv_timer_stop(&p->pace);
		return;
	}
	if (p->again || devices_ready(g->devices, now_ms))
		at_ms = now_ms;
	if (at_ms < pass_ms)
		at_ms = pass_ms;
	if (wait_ms && wait_ms < STARVED_MS)
		wait_ms = STARVED_MS;
	if (wait_ms && at_ms > now_ms + wait_ms)
		at_ms = now_ms + wait_ms;
	if (at_ms <= now_ms)
		at_ms = now_ms + 1;
	if (wait_ms || p->again || devices_ready(g->devices, now_ms) ||
		devices_next_ms(g->devices) < INT64_MAX)
		uv_timer_start(&p->pace, on_pace, (uint64_t)(at_ms - now_ms), 0);
	else
		uv_timer_stop(&p->pace);
}

static struct pace_rates
rates(const struct gateway *g)
{
	return (struct pace_rates){.total = g->settings.uplink.drain_rate,
		.messages = g->settings.uplink.device_rate,
		.bytes = g->settings.uplink.device_byte_rate};
}

void
pump_spend(struct gateway *g, size_t len)
{
	const struct pace_rates r = rates(g);

	pace_spend_control(
		&g->pump.rate, &r, devices_count(g->devices).attached, len, gateway_now_ms(g));
}

bool
pump_has_room(struct gateway *g)
{
	return pace_wait_control_ms(&g->pump.rate, gateway_now_ms(g)) == 0;
}

/* Done with a message without sending it. */
static int
give_up(struct gateway *g, uint64_t seq, struct fault *f)
{
	if (ledger_take(g->pump.ledger, seq, f))
		return -1;
	ledger_done(g->pump.ledger, seq);
	return 0;
}

/*
 * What a message is to the cloud.
 *
 * device   whose message it is; NULL for the gateway's own, and when `held`
 * held     the device is not known, and there is no room to remember it now
 * topic    what it has there; NULL: none
 * alone    it is to be sent when nothing else is in flight
 */
struct outgoing {
	struct device *device;
	bool held, is_state;
	int qos;
	bool alone;
	const char *topic;
	char mapped[TOPIC_SIZE_MAX];
};

/*
 * Where a rule leads to: what Cloud IoT Core's rules forbid there would cost the connection, and
 * again each time.
 */
static bool
is_for_cloud(const struct gateway *g, const char *mapped, size_t len, int qos)
{
	struct topic topic;
	size_t max;

	if (!gateway_settings_attaches(&g->settings))
		return true;
	topic_parse(mapped, &topic);
	max = topic.kind == TOPIC_EVENTS ? RULES_TELEMETRY_MAX : RULES_STATE_MAX;
	return topic_check_publish(&topic, mapped, len, max, qos, NULL) == 0;
}

static void
prepare(struct gateway *g, const struct spool_message *m, struct outgoing *out)
{
	struct topic topic;
	int qos;

	out->device = NULL;
	out->alone = false;
	out->held = false;
	topic_parse(m->topic, &topic);
	out->is_state = topic.kind == TOPIC_STATE;
	out->qos = m->qos ? (int)g->settings.uplink.max_qos : 0;
	if (topic.kind != TOPIC_OTHER) {
		out->topic = m->topic;
		if (*m->device) {
			out->device = devices_meet(g->devices, m->device, gateway_now_ms(g));
			out->held = !out->device;
		}
		return;
	}
	qos = routes_map(&g->out, ROUTE_OUT, m->topic, out->mapped, sizeof(out->mapped));
	out->topic = qos < 0 || !is_for_cloud(g, out->mapped, m->len, qos) ? NULL : out->mapped;
	if (qos >= 0 && qos < out->qos)
		out->qos = qos;
}

static int
send_one(struct gateway *g, const struct spool_message *m, const struct outgoing *out,
	struct fault *f)
{
	const struct pace_rates r = rates(g);
	struct pump *p = &g->pump;
	int flight;

	if (ledger_take(p->ledger, m->seq, f))
		return -1;
	flight = pump_take_flight(g, FLIGHT_MESSAGE, m->seq, out->device ? out->device->id : 0);
	if (flight < 0 || mqtt_send(g->cloud.mqtt, out->topic, m->payload, m->len, out->qos,
				  (uint64_t)flight, f)) {
		ledger_return(p->ledger, m->seq);
		if (flight >= 0)
			p->flights[flight].kind = FLIGHT_FREE;
		return flight < 0 ? fault_set(f, FAULT_PRECONDITION, "no flight") : -1;
	}
	poison_sent(p->poison, (size_t)flight,
		&(struct poison_sent){m->device, out->topic, m->seq, out->qos, out->alone});
	p->sent++;
	pace_spend(&p->rate, &r, devices_count(g->devices).attached, m->len, gateway_now_ms(g));
	if (out->device)
		devices_sent(g->devices, out->device, out->is_state, gateway_now_ms(g));
	return 0;
}

static void
say_dropping(struct gateway *g, struct device *device)
{
	if (!device->dropping && attach_may_log_refusal(g))
		log_warn("messages are dropped device=%s: it is refused: %s", device->name,
			device->reason);
	device->dropping = true;
}

/* Of states that come faster than the cloud takes them the newest is what counts. */
static int
replace_state(struct gateway *g, struct device *device, uint64_t seq, struct fault *f)
{
	uint64_t older = devices_hold_state(g->devices, device, seq);

	if (!older)
		return 0;
	g->pump.replaced++;
	return give_up(g, older, f);
}

/* What the cloud closes the connection for is found out with QoS 1, which it has to answer. */
static void
prepare_alone(struct gateway *g, struct outgoing *out)
{
	struct pump *p = &g->pump;
	int64_t now_ms = gateway_now_ms(g);

	out->alone = true;
	out->qos = (int)g->settings.uplink.max_qos;
	if (!p->waits_ms)
		p->waits_ms = now_ms;
	/* A subscription that is never answered holds it up no longer than an attach. */
	p->waits = mqtt_in_flight(g->cloud.mqtt) ||
		   (poison_in_flight(p->poison) &&
			   now_ms - p->waits_ms < g->settings.uplink.timeout_s * 1000);
	if (!p->waits)
		p->waits_ms = 0;
}

static int
drop_blocked(struct gateway *g, struct device *device, uint64_t seq, struct fault *f)
{
	if (device)
		device->dropped++;
	g->pump.dropped++;
	return give_up(g, seq, f);
}

/* Returns 0 when the next one may be looked at, but for one that waits. */
static int
take(struct gateway *g, const struct spool_message *m, struct fault *f)
{
	struct pump *p = &g->pump;
	NOT_ZEROED struct outgoing out;

	if (m->seq > p->expected && ledger_lose(p->ledger, p->expected, m->seq, f))
		return -1;
	p->expected = m->seq + 1;
	if (ledger_has(p->ledger, m->seq))
		return 0;
	prepare(g, m, &out);
	if (!out.topic) {
		if (!p->unrouted++)
			log_warn("no [site] out rule has a place for topic=%s that the cloud "
				 "takes: it is dropped, and so are others that have none",
				m->topic);
		return give_up(g, m->seq, f);
	}
	if (out.held)
		return 0;
	if (out.device) {
		switch (devices_judge(g->devices, out.device, out.is_state, gateway_now_ms(g))) {
		case DEVICE_HOLD:
			return out.is_state ? replace_state(g, out.device, m->seq, f) : 0;
		case DEVICE_DROP:
			say_dropping(g, out.device);
			out.device->dropped++;
			p->dropped++;
			return give_up(g, m->seq, f);
		case DEVICE_SEND:
			break;
		}
	}
	switch (poison_judge(p->poison, m->device, out.topic, m->seq, gateway_now_ms(g))) {
	case POISON_HOLD:
		return 0;
	case POISON_DROP:
		return drop_blocked(g, out.device, m->seq, f);
	case POISON_ALONE:
		prepare_alone(g, &out);
		break;
	case POISON_SEND:
		break;
	}
	if (p->waits || !send_one(g, m, &out, f))
		return 0;
	if (f->code != FAULT_USAGE)
		return -1;
	log_warn("a message cannot be sent and is dropped: %s topic=%s", f->text, out.topic);
	p->refused++;
	return give_up(g, m->seq, f);
}

/* Returns whether there may be more at once. */
static bool
look(struct gateway *g)
{
	struct pump *p = &g->pump;
	struct fault f = FAULT_INIT;
	bool any = true;

	if (!p->waits && next(p, &p->next, &any))
		return !p->unreadable;
	p->waits = false;
	if (!any) {
		p->at_end = true;
		if (!uv_is_active((uv_handle_t *)&p->readable))
			uv_poll_start(&p->readable, UV_READABLE, on_readable);
		return false;
	}
	if (take(g, &p->next, &f)) {
		log_debug("message %" PRIu64 " waits: %s", p->next.seq, f.text);
		p->again = p->stuck = true;
		return false;
	}
	return !p->waits;
}

/* Fills the window up when a quarter of it is empty: what goes in bursts costs less. */
void
pump_run(struct gateway *g)
{
	struct pump *p = &g->pump;
	int64_t wait_ms = 0;
	int n = 0;

	if (g->cloud.state != CLOUD_UP) {
		set_more(p, false);
		uv_timer_stop(&p->pace);
		return;
	}
	attach_work(g);
	if (!p->reader || p->leaving) {
		set_more(p, false);
		return;
	}
	if (!p->gone)
		consider_pass(g);
	while (mqtt_room(g->cloud.mqtt) * 4 >= mqtt_window(g->cloud.mqtt) || n) {
		if (pump_is_alone(g))
			break;
		if (n == AT_ONCE || p->stuck || p->at_end || mqtt_room(g->cloud.mqtt) == 0)
			break;
		wait_ms = pace_wait_ms(&p->rate, gateway_now_ms(g));
		if (wait_ms || !look(g))
			break;
		n++;
		/* What comes alone goes at once; whether more has come is seen to behind it. */
		if (!spool_has_read_ahead(p->reader))
			mqtt_flush(g->cloud.mqtt);
	}
	attach_work(g);
	set_more(p, n == AT_ONCE);
	plan(g, wait_ms);
}

bool
pump_cloud_lost(struct gateway *g, enum poison_end end, const struct fault *why)
{
	struct pump *p = &g->pump;
	bool explained = answers_end(g, end, why);

	ledger_return_all(p->ledger);
	set_more(p, false);
	begin_pass(g, gateway_now_ms(g));
	return explained;
}

void
pump_close(struct gateway *g)
{
	struct pump *p = &g->pump;

	if (p->ledger && p->reader)
		pump_acknowledge(g);
	spool_reader_close(p->reader);
	ledger_free(p->ledger);
	poison_free(TAKE(p->poison));
	p->reader = NULL;
	p->ledger = NULL;
}
