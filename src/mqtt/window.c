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
	m->settled[m->n_settled++] = slot;
}

static void
set_fate(struct slot *slot, enum fate fate, int code)
{
	struct mqtt *m = slot->mqtt;

	pthread_mutex_lock(&m->mutex);
	settle(slot, fate, code);
	pthread_cond_signal(&m->woken);
	pthread_mutex_unlock(&m->mutex);
}

static void
on_sent(void *with, MQTTAsync_successData *data)
{
	(void)data;
	set_fate(with, ARRIVED, 0);
}

static void
on_sent_v5(void *with, MQTTAsync_successData5 *data)
{
	int code = data ? (int)data->reasonCode : 0;

	if (code >= MQTT_REASON_REFUSING)
		set_fate(with, REFUSED, code);
	else
		set_fate(with, ARRIVED, 0);
}

static void
on_send_failed(void *with, MQTTAsync_failureData *data)
{
	(void)data;
	set_fate(with, REFUSED, MQTT_NO_REASON);
}

static void
on_send_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	int code = data ? (int)data->reasonCode : 0;

	set_fate(with, REFUSED, code >= MQTT_REASON_REFUSING ? code : MQTT_NO_REASON);
}

static void
tell(struct mqtt *m, const struct slot *slot)
{
	struct fault fault = FAULT_INIT;

	if (slot->fate == REFUSED && slot->code == MQTT_NO_REASON) {
		m->lost = true;
		fault_set(&fault, FAULT_NET,
			"the connection ended before the broker acknowledged it");
	} else if (slot->fate == REFUSED) {
		mqtt_fault_puback(slot->code, &fault);
	}
	if (m->done)
		m->done(m->done_with, slot->tag, slot->fate == REFUSED ? &fault : NULL);
}

/*
 * Tells `done` what became of messages; of all of them when the connection is down. Returns how
 * many it told; *ret_down receives whether the connection is down, *ret_goodbye why.
 */
static int
reap(struct mqtt *m, bool *ret_down, int *ret_goodbye)
{
	struct slot told[MQTT_WINDOW_MAX];
	int n;

	pthread_mutex_lock(&m->mutex);
	*ret_down = m->link == DOWN;
	*ret_goodbye = m->goodbye;
	for (int i = 0; *ret_down && i < MQTT_WINDOW_MAX; i++)
		settle(&m->slots[i], REFUSED, MQTT_NO_REASON);
	for (n = 0; n < m->n_settled; n++) {
		told[n] = *m->settled[n];
		m->settled[n]->fate = FREE;
		m->idle[m->n_idle++] = m->settled[n];
	}
	m->n_settled = 0;
	pthread_mutex_unlock(&m->mutex);
	for (int i = 0; i < n; i++)
		tell(m, &told[i]);
	return n;
}

static int
in_flight(const struct mqtt *m)
{
	return MQTT_WINDOW_MAX - m->n_idle;
}

static int
give_up(struct mqtt *m, struct fault *f)
{
	bool down;
	int goodbye;

	mqtt_set_link(m, DOWN); /* what comes later is not waited for */
	reap(m, &down, &goodbye);
	return fault_set(f, FAULT_NET, "the broker acknowledged nothing for %d s", m->timeout_s);
}

/*
 * Waits until at most `most` messages are in flight, as long as there is progress. An end of the
 * connection is no fault to who only drains and lost nothing by it.
 */
static int
wait_for_room(struct mqtt *m, int most, bool drains, struct fault *f)
{
	int64_t progress = mqtt_now_ms();

	for (;;) {
		bool down;
		int goodbye;

		if (reap(m, &down, &goodbye) > 0)
			progress = mqtt_now_ms();
		if (down)
			return drains && !m->lost ? 0 : mqtt_fault_lost(goodbye, f);
		if (in_flight(m) <= most)
			return 0;
		if (mqtt_check_cancelled(m, f))
			return -1;
		if (mqtt_now_ms() > progress + (int64_t)m->timeout_s * 1000)
			return give_up(m, f);
		pthread_mutex_lock(&m->mutex);
		if (m->link == UP && m->n_settled == 0)
			mqtt_wait_slice(m);
		pthread_mutex_unlock(&m->mutex);
	}
}

void
mqtt_on_done(struct mqtt *mqtt, mqtt_done *done, void *with)
{
	mqtt->done = done;
	mqtt->done_with = with;
}

static struct slot *
take_slot(struct mqtt *m, uint64_t tag)
{
	struct slot *slot = m->idle[--m->n_idle];

	pthread_mutex_lock(&m->mutex);
	slot->fate = IN_FLIGHT;
	slot->tag = tag;
	pthread_mutex_unlock(&m->mutex);
	return slot;
}

static void
put_back(struct mqtt *m, struct slot *slot)
{
	pthread_mutex_lock(&m->mutex);
	slot->fate = FREE;
	pthread_mutex_unlock(&m->mutex);
	m->idle[m->n_idle++] = slot;
}

static int
send_refused(struct mqtt *m, int rc, struct fault *f)
{
	switch (rc) {
	case MQTTASYNC_DISCONNECTED:
		mqtt_set_link(m, DOWN);
		return wait_for_room(m, 0, false, f);
	case MQTTASYNC_BAD_UTF8_STRING:
		return fault_set(f, FAULT_USAGE, "the topic is not UTF-8");
	default:
		return fault_set(
			f, FAULT_NET, "paho does not take the message: %s", MQTTAsync_strerror(rc));
	}
}

int
mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f)
{
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
	size_t topic_len = strlen(topic);
	struct slot *slot;
	int rc;

	if (len > MQTT_PAYLOAD_MAX || topic_len < 1 || topic_len > TOPIC_MAX ||
		strpbrk(topic, "+#") || qos < 0 || qos > 1)
		return fault_set(f, FAULT_USAGE,
			"a message of at most %d bytes, a topic without wildcards and QoS 0 or 1 "
			"can be published",
			MQTT_PAYLOAD_MAX);
	if (wait_for_room(mqtt, mqtt->window - 1, false, f))
		return -1;
	slot = take_slot(mqtt, tag);
	/* paho would send these all the same, and the broker end the connection. */
	if (qos > mqtt->qos_max || len + topic_len + PUBLISH_EXTRA > mqtt->packet_max) {
		set_fate(slot, REFUSED, qos > mqtt->qos_max ? MQTT_NO_QOS : MQTT_TOO_LARGE);
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
	put_back(mqtt, slot);
	return send_refused(mqtt, rc, f);
}

int
mqtt_drain(struct mqtt *mqtt, struct fault *f)
{
	return wait_for_room(mqtt, 0, true, f);
}
