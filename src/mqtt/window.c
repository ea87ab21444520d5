#include "config.h"

#include "mqtt/mqtt.h"

#include <string.h>

#include "mqtt/inside.h"
#include "mqtt/words.h"

#define TOPIC_MAX 65535

/* Bytes of a PUBLISH besides topic and payload, at most: header, two lengths, id, no properties. */
#define PUBLISH_EXTRA 10

/* The mutex is held. A slot that is no longer in flight was given up: paho comes too late. */
static void
settle(struct slot *slot, enum fate fate, int code)
{
	struct mqtt *m = slot->mqtt;

	if (slot->fate != IN_FLIGHT)
		return;
	slot->fate = fate;
	slot->code = code;
	m->n_in_flight--;
	m->settled[m->n_settled++] = slot;
}

void
mqtt_set_fate(struct slot *slot, enum fate fate, int code)
{
	struct mqtt *m = slot->mqtt;

	pthread_mutex_lock(&m->mutex);
	settle(slot, fate, code);
	/*
	 * Half a window's answers at once, or the last ones: to wake up for each costs both threads
	 * more than the message does. What never comes holds the others' news up until the next
	 * mqtt_poll().
	 */
	if (slot->subscribes || m->n_in_flight == 0 || m->n_settled * 2 >= m->window)
		mqtt_rouse(m);
	pthread_mutex_unlock(&m->mutex);
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
mqtt_reap(struct mqtt *m, enum link *ret_link, int *ret_goodbye)
{
	struct slot told[SLOTS];
	int n;

	pthread_mutex_lock(&m->mutex);
	*ret_link = m->link;
	*ret_goodbye = m->goodbye;
	for (int i = 0; m->link == DOWN && i < SLOTS; i++)
		settle(&m->slots[i], REFUSED, MQTT_NO_REASON);
	for (n = 0; n < m->n_settled; n++) {
		struct slot *slot = m->settled[n];
		struct idle *idle = slot->subscribes ? &m->idle_subscriptions : &m->idle_messages;

		told[n] = *slot;
		slot->fate = FREE;
		idle->slots[idle->n++] = slot;
	}
	m->n_settled = 0;
	pthread_mutex_unlock(&m->mutex);
	for (int i = 0; i < n; i++)
		tell(m, &told[i]);
	return n;
}

int
mqtt_in_flight(const struct mqtt *m)
{
	return MQTT_WINDOW_MAX - m->idle_messages.n;
}

void
mqtt_on_done(struct mqtt *mqtt, mqtt_done *done, void *with)
{
	mqtt->done = done;
	mqtt->done_with = with;
}

struct slot *
mqtt_take_slot(struct mqtt *m, struct idle *idle, uint64_t tag)
{
	struct slot *slot;

	if (!idle->n)
		return NULL;
	slot = idle->slots[--idle->n];
	pthread_mutex_lock(&m->mutex);
	slot->fate = IN_FLIGHT;
	slot->tag = tag;
	m->n_in_flight++;
	pthread_mutex_unlock(&m->mutex);
	return slot;
}

void
mqtt_put_back(struct mqtt *m, struct idle *idle, struct slot *slot)
{
	pthread_mutex_lock(&m->mutex);
	slot->fate = FREE;
	m->n_in_flight--;
	pthread_mutex_unlock(&m->mutex);
	idle->slots[idle->n++] = slot;
}

int
mqtt_send_refused(struct mqtt *m, int rc, struct fault *f)
{
	switch (rc) {
	case MQTTASYNC_DISCONNECTED:
		mqtt_set_link(m, DOWN);
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

	return room > 0 ? room : 0;
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
	slot = mqtt_room(mqtt) ? mqtt_take_slot(mqtt, &mqtt->idle_messages, tag) : NULL;
	if (!slot)
		return fault_set(f, FAULT_PRECONDITION, "the window is full");
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
	if (rc == MQTTASYNC_SUCCESS)
		return 0;
	mqtt_put_back(mqtt, &mqtt->idle_messages, slot);
	return mqtt_send_refused(mqtt, rc, f);
}
