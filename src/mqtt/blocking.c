#include "config.h"

#include "mqtt/mqtt.h"

#include "mqtt/inside.h"
#include "mqtt/words.h"

/* A signal that interrupts the diagnosis was meant to stop us, and is no finding. */
static int
explain(const struct mqtt *m, const struct mqtt_options *o, struct fault *f)
{
	mqtt_explain(o->url, o->ca_file, o->timeout_s, f);
	mqtt_check_cancelled(m, f);
	return -1;
}

/* Waits for the CONNACK. */
static int
wait_for_link(struct mqtt *m, const struct mqtt_options *o, struct fault *f)
{
	for (;;) {
		struct fault why = FAULT_INIT;
		enum mqtt_state state;

		pthread_mutex_lock(&m->mutex);
		if (m->link == CONNECTING)
			mqtt_wait_slice(m);
		pthread_mutex_unlock(&m->mutex);
		state = mqtt_poll(m, &why);
		if (state == MQTT_UP)
			return 0;
		if (mqtt_check_cancelled(m, f))
			return -1;
		if (state == MQTT_DOWN && why.native == 0 && !m->timed_out)
			return explain(m, o, f);
		if (state == MQTT_DOWN) {
			if (f)
				*f = why;
			return -1;
		}
	}
}

int
mqtt_connect(const struct mqtt_options *options, struct mqtt **ret_mqtt, struct fault *f)
{
	AUTO(auto_mqtt) struct mqtt *m = NULL;

	if (mqtt_start(options, &m, f) || wait_for_link(m, options, f))
		return -1;
	*ret_mqtt = TAKE(m);
	return 0;
}

static int
give_up(struct mqtt *m, struct fault *f)
{
	enum link link;
	int goodbye;

	mqtt_set_link(m, DOWN); /* what comes later is not waited for */
	mqtt_reap(m, &link, &goodbye);
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
		enum link link;
		int goodbye;

		if (mqtt_reap(m, &link, &goodbye) > 0)
			progress = mqtt_now_ms();
		if (link == DOWN)
			return drains && !m->lost ? 0 : mqtt_fault_lost(goodbye, f);
		if (mqtt_in_flight(m) <= most)
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

int
mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f)
{
	struct fault refused = FAULT_INIT;

	/* One that cannot be published does not wait for those before it. */
	if (mqtt_check_message(topic, len, qos, f) ||
		wait_for_room(mqtt, mqtt->window - 1, false, f))
		return -1;
	if (!mqtt_send(mqtt, topic, payload, len, qos, tag, &refused))
		return 0;
	if (refused.code == FAULT_PRECONDITION)
		return wait_for_room(mqtt, 0, false, f);
	if (f)
		*f = refused;
	return -1;
}

int
mqtt_drain(struct mqtt *mqtt, struct fault *f)
{
	return wait_for_room(mqtt, 0, true, f);
}
