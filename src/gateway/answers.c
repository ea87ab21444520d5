/* What the cloud says of what is in flight: yes, no, or that the connection is over. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"

/* The spool is told how far we are after so many messages; the rest each second. */
#define ACKNOWLEDGE_EACH 64

/* Reason codes of a PUBACK (MQTT 5 section 3.4.2.1) that are not about the message's topic. */
#define PACKET_ID_IN_USE 0x91
#define TOO_LARGE	 0x95
#define QUOTA_EXCEEDED	 0x97
#define BAD_PAYLOAD	 0x99
#define BAD_QOS		 0x9b

/* How long nothing is sent after a quota was exceeded. */
#define QUOTA_MS 5000

/* Messages that are dropped may be many: it is said once, and then so often. */
#define COMPLAIN_MS 60000

/* A quota is the connection's: everything waits. */
static void
wait_for_quota(struct gateway *g, const struct flight *flight, const struct fault *why)
{
	struct pump *p = &g->pump;

	if (!p->is_passing)
		log_warn("messages wait: %s", why->text);
	ledger_return(p->ledger, flight->seq);
	p->is_passing = p->again = p->stuck = true;
	p->passed_ms = gateway_now_ms(g) + QUOTA_MS;
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

/* Logs a topic that is blocked when it becomes so, not at each attempt. */
static void
report(struct gateway *g, const struct poison_topic *topic)
{
	if (!topic || topic->failures > 1)
		return;
	log_error("the cloud refuses a topic: %s device=%s topic=%s; its messages and the "
		  "device's later ones are held for %ld s",
		topic->reason, topic->device, *topic->topic ? topic->topic : "#",
		g->settings.site.refused_hold_s);
	attach_blocked(g, topic);
}

/* The gateway's own, and all where devices are not attached: the cloud means the message alone. */
static void
message_refused(struct gateway *g, uint64_t tag, const struct flight *flight,
	const struct device *device, const struct fault *why)
{
	struct poison *poison = g->pump.poison;

	switch (why->native) {
	case QUOTA_EXCEEDED:
		poison_forget(poison, tag);
		wait_for_quota(g, flight, why);
		break;
	case PACKET_ID_IN_USE:
	case TOO_LARGE:
	case BAD_PAYLOAD:
	case BAD_QOS:
		poison_forget(poison, tag);
		drop_refused(g, flight, device, why);
		break;
	default:
		ledger_return(g->pump.ledger, flight->seq);
		report(g, poison_refused(poison, tag, why, gateway_now_ms(g)));
		break;
	}
}

/* The cloud says no to one message, and the connection stays. */
static void
refused(struct gateway *g, uint64_t tag, const struct flight *flight, const struct fault *why)
{
	struct pump *p = &g->pump;
	struct device *device = devices_by_id(g->devices, flight->device);

	if (!device || !gateway_settings_attaches(&g->settings) ||
		!strcmp(device->name, g->settings.uplink.device)) {
		message_refused(g, tag, flight, device, why);
		return;
	}
	poison_forget(p->poison, tag);
	/* Its number is not in the ledger just while it waits to be sent again. */
	if (why->native != QUOTA_EXCEEDED && poison_strike(&device->strikes, flight->seq,
						     ledger_has(p->ledger, device->strikes.seq))) {
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

/* Takes what the connection took with it back, to be sent again; answers_end() learns from it. */
static void
lose(struct pump *p, const struct flight *flight)
{
	if (flight->kind == FLIGHT_MESSAGE) {
		ledger_return(p->ledger, flight->seq);
		p->again = true;
	}
}

static void
arrive(struct gateway *g, uint64_t tag, const struct flight *flight)
{
	struct pump *p = &g->pump;
	NOT_ZEROED struct poison_topic ended;

	if (poison_arrived(p->poison, tag, gateway_now_ms(g), &ended)) {
		log_info("the cloud accepts a topic again device=%s topic=%s", ended.device,
			*ended.topic ? ended.topic : "#");
		p->again = true;
	}
	if (flight->kind != FLIGHT_MESSAGE)
		return;
	p->arrived++;
	p->is_passing = false;
	ledger_done(p->ledger, flight->seq);
	if (ledger_first(p->ledger) - p->acked >= ACKNOWLEDGE_EACH)
		pump_acknowledge(g);
}

void
answers_take(struct gateway *g, uint64_t tag, const struct fault *failed)
{
	struct pump *p = &g->pump;
	struct flight flight = p->flights[tag];

	p->flights[tag].kind = FLIGHT_FREE;
	if (!failed)
		arrive(g, tag, &flight);
	else if (!failed->native)
		lose(p, &flight);
	else if (flight.kind == FLIGHT_MESSAGE)
		refused(g, tag, &flight, failed);
	else
		poison_forget(p->poison, tag);
	if (flight.kind == FLIGHT_ATTACH)
		attach_answered(g, flight.device, failed);
}

void
answers_subscription(struct gateway *g, uint32_t device, const struct fault *failed)
{
	NOT_ZEROED struct poison_topic ended;

	if (!failed)
		poison_arrived(
			g->pump.poison, POISON_SUBSCRIPTION(device), gateway_now_ms(g), &ended);
	else if (failed->native)
		poison_forget(g->pump.poison, POISON_SUBSCRIPTION(device));
}

bool
answers_end(struct gateway *g, enum poison_end end, const struct fault *why)
{
	const struct poison_topic *topic;
	bool explained = poison_closed(g->pump.poison, end, why, gateway_now_ms(g), &topic);

	for (int i = 0; i < FLIGHTS; i++)
		g->pump.flights[i].kind = FLIGHT_FREE;
	report(g, topic);
	return explained;
}
