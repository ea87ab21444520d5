/* What the cloud says of what is in flight: yes, no, or that the connection is over. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

/* The spool is told how far we are after so many messages; the rest each second. */
#define ACKNOWLEDGE_EACH 64

/* A message that the cloud refused so often is given up. */
#define REFUSED_MAX 3

/* MQTT 5's reasons that say not much against the message, and how long they are heeded. */
#define UNSPECIFIED    0x80
#define IMPLEMENTATION 0x83
#define QUOTA	       0x97
#define PASSING_MS     5000

/* Messages that are dropped may be many: it is said once, and then so often. */
#define COMPLAIN_MS 60000

/* No device has a back-off of its own for this: everything waits. */
static void
wait_for_it_to_pass(struct gateway *g, const struct flight *flight, const struct fault *why)
{
	struct pump *p = &g->pump;

	if (!p->is_passing)
		log_warn("messages wait: %s", why->text);
	ledger_return(p->ledger, flight->seq);
	p->is_passing = p->again = p->stuck = true;
	p->passed_ms = gateway_now_ms(g) + PASSING_MS;
}

/*
 * Counts the refusals of the first message that is refused: those behind it may be refused for its
 * sake. Returns whether that is the one, and it was refused often enough.
 */
static bool
is_hopeless(const struct pump *p, struct stubborn *stubborn, uint64_t seq)
{
	/* Its number is not in the ledger just while it waits to be sent again. */
	if (stubborn->seq == seq)
		stubborn->times++;
	else if (!stubborn->seq || ledger_has(p->ledger, stubborn->seq))
		*stubborn = (struct stubborn){seq, 1};
	return stubborn->seq == seq && stubborn->times >= REFUSED_MAX;
}

static void
drop_refused(struct gateway *g, const struct flight *flight, const struct device *device,
	const struct fault *why)
{
	struct pump *p = &g->pump;
	int64_t now_ms = gateway_now_ms(g);

	p->refused++;
	ledger_done(p->ledger, flight->seq);
	if (p->complained_ms && now_ms - p->complained_ms < COMPLAIN_MS)
		return;
	p->complained_ms = now_ms;
	log_warn("a message is dropped: %s device=%s refused=%" PRIu64, why->text,
		device ? device->name : "", p->refused);
}

/* The gateway's own, and all where devices are not attached: the cloud means the message alone. */
static void
message_refused(struct gateway *g, const struct flight *flight, const struct device *device,
	const struct fault *why)
{
	bool passes = why->native == UNSPECIFIED || why->native == IMPLEMENTATION;

	if (why->native == QUOTA ||
		(passes && !is_hopeless(&g->pump, &g->pump.stubborn, flight->seq)))
		wait_for_it_to_pass(g, flight, why);
	else
		drop_refused(g, flight, device, why);
}

/* The cloud says no to one message, and the connection stays. */
static void
refused(struct gateway *g, const struct flight *flight, const struct fault *why)
{
	struct pump *p = &g->pump;
	struct device *device = devices_by_id(g->devices, flight->device);

	if (!device || !gateway_settings_attaches(&g->settings) ||
		!strcmp(device->name, g->settings.uplink.device)) {
		message_refused(g, flight, device, why);
		return;
	}
	if (why->native != QUOTA && is_hopeless(p, &device->stubborn, flight->seq)) {
		drop_refused(g, flight, device, why);
		return;
	}
	ledger_return(p->ledger, flight->seq);
	p->again = true;
	if (device->state == DEVICE_ATTACHED) {
		log_warn("refused device=%s: %s", device->name, why->text);
		devices_refused(g->devices, device, why->text, gateway_now_ms(g), gateway_random());
	}
}

/* What the connection took with it. */
static void
note_unanswered(struct pump *p, const struct flight *flight)
{
	p->unanswered++;
	if (flight->kind == FLIGHT_MESSAGE)
		p->unanswered_seq = flight->seq;
}

void
answers_take(struct gateway *g, uint64_t tag, const struct fault *failed)
{
	struct pump *p = &g->pump;
	struct flight flight = p->flights[tag];

	p->flights[tag].kind = FLIGHT_FREE;
	if (failed && !failed->native)
		note_unanswered(p, &flight);
	if (flight.kind == FLIGHT_ATTACH) {
		attach_answered(g, flight.device, failed);
	} else if (flight.kind == FLIGHT_MESSAGE && !failed) {
		p->arrived++;
		p->is_passing = false;
		suspects_clear(&p->suspects, flight.seq);
		ledger_done(p->ledger, flight.seq);
		if (ledger_first(p->ledger) - p->acked >= ACKNOWLEDGE_EACH)
			pump_acknowledge(g);
	} else if (flight.kind == FLIGHT_MESSAGE && failed->native) {
		refused(g, &flight, failed);
	} else if (flight.kind == FLIGHT_MESSAGE) {
		ledger_return(p->ledger, flight.seq);
		p->again = true;
	}
}

void
answers_begin(struct gateway *g)
{
	g->pump.arrived_before = g->pump.arrived;
	g->pump.unanswered = g->pump.unanswered_seq = 0;
}

/* Whether it went because of what was in flight. */
static void
suspect(struct gateway *g)
{
	struct pump *p = &g->pump;
	int64_t wait_ms;

	for (int i = 0; i < FLIGHTS; i++) {
		if (p->flights[i].kind != FLIGHT_FREE)
			note_unanswered(p, &p->flights[i]);
	}
	wait_ms = suspects_lost(&p->suspects, p->arrived != p->arrived_before, p->unanswered,
		p->unanswered_seq, gateway_now_ms(g));
	if (wait_ms)
		log_error("the cloud ends the connection whenever message %" PRIu64
			  " is sent: it is left out for %" PRId64
			  " s (`p11-gateway spool list` shows it)",
			p->unanswered_seq, wait_ms / 1000);
}

void
answers_end(struct gateway *g, bool by_itself)
{
	if (by_itself)
		suspect(g);
	for (int i = 0; i < FLIGHTS; i++)
		g->pump.flights[i].kind = FLIGHT_FREE;
}
