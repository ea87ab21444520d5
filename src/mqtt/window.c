#include "config.h"

#include "mqtt/mqtt.h"

#include <string.h>

#include "mqtt/inside.h"
#include "mqtt/stream.h"
#include "mqtt/turn.h"
#include "mqtt/words.h"

#define TOPIC_MAX 65535

/* Bytes of a PUBLISH besides topic and payload, at most: header, two lengths, id, no properties. */
#define PUBLISH_EXTRA 10

/* A slot that is no longer in flight was given up: paho comes too late. */
void
mqtt_set_fate(struct slot *slot, enum fate fate, int code)
{
	struct mqtt *m = slot->mqtt;

	if (slot->fate != IN_FLIGHT)
		return;
	m->n_unanswered -= slot->is_answered;
	slot->fate = fate;
	slot->code = code;
	m->settled[m->n_settled++] = slot;
}

static void
on_sent(void *with, MQTTAsync_successData *data)
{
	(void)data;
	mqtt_set_fate(with, ARRIVED, 0);
}

static void
on_sent_v5(void *with, MQTTAsync_successData5 *data)
{
	int code = data ? (int)data->reasonCode : 0;

	if (code >= MQTT_REASON_REFUSING)
		mqtt_set_fate(with, REFUSED, code);
	else
		mqtt_set_fate(with, ARRIVED, 0);
}

static void
on_send_failed(void *with, MQTTAsync_failureData *data)
{
	(void)data;
	mqtt_set_fate(with, REFUSED, MQTT_NO_REASON);
}

static void
on_send_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	int code = data ? (int)data->reasonCode : 0;

	mqtt_set_fate(with, REFUSED, code >= MQTT_REASON_REFUSING ? code : MQTT_NO_REASON);
}

static void
tell(struct mqtt *m, const struct slot *slot)
{
	struct fault fault = FAULT_INIT;

	if (slot->fate == REFUSED && slot->code == MQTT_NO_REASON) {
		m->lost = true;
		fault_set(&fault, FAULT_NET,
			"the connection ended before the broker acknowledged it");
	} else if (slot->fate == REFUSED && slot->subscribes) {
		mqtt_fault_suback(slot->code, &fault);
	} else if (slot->fate == REFUSED) {
		mqtt_fault_puback(slot->code, &fault);
	}
	if (m->done)
		m->done(m->done_with, slot->tag, slot->fate == REFUSED ? &fault : NULL);
}

int
mqtt_reap(struct mqtt *m)
{
	NOT_ZEROED struct slot told[SLOTS];
	int n;

	for (int i = 0; m->link == DOWN && i < SLOTS; i++)
		mqtt_set_fate(&m->slots[i], REFUSED, MQTT_NO_REASON);
	for (n = 0; n < m->n_settled; n++) {
		struct slot *slot = m->settled[n];

		told[n] = *slot;
		mqtt_put_back(slot->subscribes ? &m->idle_subscriptions : &m->idle_messages, slot);
	}
	m->n_settled = 0;
	for (int i = 0; i < n; i++)
		tell(m, &told[i]);
	return n;
}

int
mqtt_in_flight(const struct mqtt *m)
{
	return MQTT_WINDOW_MAX - m->idle_messages.n;
}

int
mqtt_max_qos(const struct mqtt *mqtt)
{
	return mqtt->qos_max < 1 ? 0 : 1;
}

void
mqtt_on_done(struct mqtt *mqtt, mqtt_done *done, void *with)
{
	mqtt->done = done;
	mqtt->done_with = with;
}

struct slot *
mqtt_take_slot(struct idle *idle, uint64_t tag, bool is_answered)
{
	struct slot *slot;

	if (!idle->n)
		return NULL;
	slot = idle->slots[--idle->n];
	slot->fate = IN_FLIGHT;
	slot->tag = tag;
	slot->is_answered = is_answered;
	slot->mqtt->n_unanswered += is_answered;
	return slot;
}

void
mqtt_put_back(struct idle *idle, struct slot *slot)
{
	if (slot->fate == IN_FLIGHT)
		slot->mqtt->n_unanswered -= slot->is_answered;
	slot->fate = FREE;
	idle->slots[idle->n++] = slot;
}

int
mqtt_send_refused(struct mqtt *m, int rc, struct fault *f)
{
	switch (rc) {
	case MQTTASYNC_DISCONNECTED:
		m->link = DOWN;
		mqtt_ring(m);
		return fault_set(f, FAULT_PRECONDITION, "not connected");
	case MQTTASYNC_BAD_UTF8_STRING:
		return fault_set(f, FAULT_USAGE, "the topic is not UTF-8");
	default:
		return fault_set(
			f, FAULT_NET, "paho does not take the message: %s", MQTTAsync_strerror(rc));
	}
}

int
mqtt_check_message(const char *topic, size_t len, int qos, struct fault *f)
{
	size_t topic_len = strlen(topic);

	if (len <= MQTT_PAYLOAD_MAX && topic_len >= 1 && topic_len <= TOPIC_MAX &&
		!strpbrk(topic, "+#") && qos >= 0 && qos <= 1)
		return 0;
	return fault_set(f, FAULT_USAGE,
		"a message of at most %d bytes, a topic without wildcards and QoS 0 or 1 can be "
		"published",
		MQTT_PAYLOAD_MAX);
}

int
mqtt_window(const struct mqtt *mqtt)
{
	return mqtt->window;
}

int
mqtt_room(const struct mqtt *mqtt)
{
	int room = mqtt->window - mqtt_in_flight(mqtt);

	/* What the network does not take now waits where it is. */
	return room > 0 && stream_waiting() < STREAM_WAITING_MAX ? room : 0;
}

int
mqtt_send(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f)
{
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
	struct slot *slot;
	int rc;

	if (mqtt_check_message(topic, len, qos, f))
		return -1;
	slot = mqtt_room(mqtt) ? mqtt_take_slot(&mqtt->idle_messages, tag, qos > 0) : NULL;
	if (!slot)
		return fault_set(f, FAULT_PRECONDITION, "the window is full");
	mqtt->handed = true;
	/* paho would send these all the same, and the broker end the connection. */
	if (qos > mqtt->qos_max || len + strlen(topic) + PUBLISH_EXTRA > mqtt->packet_max) {
		mqtt_set_fate(slot, REFUSED, qos > mqtt->qos_max ? MQTT_NO_QOS : MQTT_TOO_LARGE);
		return 0;
	}
	response.context = slot;
	if (mqtt->version == 5) {
		response.onSuccess5 = on_sent_v5;
		response.onFailure5 = on_send_failed_v5;
	} else {
		response.onSuccess = on_sent;
		response.onFailure = on_send_failed;
	}
	rc = MQTTAsync_send(mqtt->client, topic, (int)len, payload, qos, 0, &response);
	if (rc == MQTTASYNC_SUCCESS) {
		turn_send();
		return 0;
	}
	mqtt_put_back(&mqtt->idle_messages, slot);
	return mqtt_send_refused(mqtt, rc, f);
}
