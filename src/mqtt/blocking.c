#include "config.h"

#include "mqtt/mqtt.h"

#include "mqtt/inside.h"
#include "mqtt/stream.h"
#include "mqtt/words.h"

/* A signal that interrupts the diagnosis was meant to stop us, and is no finding. */
static int
explain(const struct mqtt *m, const struct mqtt_options *o, struct fault *f)
{
	mqtt_explain(o, f);
	mqtt_check_cancelled(m, f);
	return -1;
}

int
mqtt_check_cancelled(const struct mqtt *m, struct fault *f)
{
	if (m->cancelled && m->cancelled())
		return fault_set(f, FAULT_CANCELLED, "stopped");
	return 0;
}

/* Waits for the CONNACK. */
static int
wait_for_link(struct mqtt *m, const struct mqtt_options *o, struct fault *f)
{
	struct fault why = FAULT_INIT;
	enum mqtt_state state;

	while ((state = mqtt_poll(m, &why)) == MQTT_CONNECTING) {
		if (mqtt_check_cancelled(m, f))
			return -1;
		mqtt_wait(m, -1);
	}
	if (state == MQTT_UP)
		return 0;
	if (why.native == 0 && !m->abandoned)
		return explain(m, o, f);
	if (!mqtt_check_cancelled(m, f) && f)
		*f = why;
	return -1;
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
	m->link = DOWN; /* what comes later is not waited for */
	mqtt_reap(m);
	return fault_set(f, FAULT_NET, "the broker acknowledged nothing for %d s", m->timeout_s);
}

static bool
has_room(const struct mqtt *m)
{
	return mqtt_room(m) > 0;
}

static bool
is_drained(const struct mqtt *m)
{
	return !mqtt_in_flight(m) && !stream_waiting();
}

/* What there is to be said when the connection has ended. */
static int
ended(const struct mqtt *m, bool drains, struct fault *f)
{
	return drains && !m->lost ? 0 : mqtt_fault_lost(m->goodbye, f);
}

/*
 * Waits until it is so, as long as there is progress. An end of the connection is no fault to who
 * only drains and lost nothing by it.
 */
static int
wait_until(struct mqtt *m, bool (*is_so)(const struct mqtt *m), struct fault *f)
{
	int64_t progress_ms = mqtt_now_ms();
	int before = mqtt_in_flight(m);
	struct fault why;

	while (m->link == UP && !is_so(m)) {
		if (mqtt_check_cancelled(m, f))
			return -1;
		if (mqtt_now_ms() > progress_ms + (int64_t)m->timeout_s * 1000)
			return give_up(m, f);
		mqtt_wait(m, -1);
		mqtt_poll(m, &why);
		if (mqtt_in_flight(m) != before)
			progress_ms = mqtt_now_ms();
		before = mqtt_in_flight(m);
	}
	mqtt_reap(m);
	return m->link == UP ? 0 : ended(m, is_so == is_drained, f);
}

int
mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f)
{
	struct fault refused = FAULT_INIT;

	/* One that cannot be published does not wait for those before it. */
	if (mqtt_check_message(topic, len, qos, f) || wait_until(mqtt, has_room, f))
		return -1;
	if (!mqtt_send(mqtt, topic, payload, len, qos, tag, &refused)) {
		mqtt_flush(mqtt);
		return 0;
	}
	/* The connection went: those before it are told of. */
	if (refused.code == FAULT_PRECONDITION)
		return wait_until(mqtt, has_room, f);
	if (f)
		*f = refused;
	return -1;
}

int
mqtt_drain(struct mqtt *mqtt, struct fault *f)
{
	return wait_until(mqtt, is_drained, f);
}

int
mqtt_await(struct mqtt *mqtt, int fd, struct fault *f)
{
	struct fault why;
	bool readable = false;

	/* One that always is must not keep us from the connection, nor from the user. */
	while (!readable) {
		readable = mqtt_wait(mqtt, fd);
		if (mqtt_poll(mqtt, &why) == MQTT_DOWN)
			return ended(mqtt, false, f);
		if (mqtt_check_cancelled(mqtt, f))
			return -1;
	}
	return 0;
}
