#include "config.h"

#include "mqtt/mqtt.h"

#include "mqtt/inside.h"

static void
set_link(struct mqtt *m, enum link link)
{
	m->link = link;
}

static void
set_refused(struct mqtt *m, int connack)
{
	m->connack = connack;
	m->link = DOWN;
}

static void
on_connected(void *with, MQTTAsync_successData *data)
{
	(void)data;
	set_link(with, UP);
}

/* The property's value, or `otherwise` when the broker sent none. */
static int
limit(MQTTProperties *properties, enum MQTTPropertyCodes which, int otherwise)
{
	if (!MQTTProperties_hasProperty(properties, which))
		return otherwise;
	return MQTTProperties_getNumericValue(properties, which);
}

/*
 * The broker's Receive Maximum bounds the window; paho does not wake up for what is above it, and
 * counts a message a moment longer than its callback: one less.
 */
static void
on_connected_v5(void *with, MQTTAsync_successData5 *data)
{
	MQTTProperties *p = &data->properties;
	struct mqtt *m = with;
	int window = limit(p, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM, 65535);
	int offered_s = m->keep_alive.offered_s;
	int keep_alive = limit(p, MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE, offered_s);
	int packet = limit(p, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, 0);

	if (window > 0 && window <= m->window)
		m->window = window > 1 ? window - 1 : 1;
	if (packet > 0)
		m->packet_max = (size_t)packet;
	m->qos_max = limit(p, MQTTPROPERTY_CODE_MAXIMUM_QOS, 1);
	if (keep_alive > 0 && (!offered_s || keep_alive < offered_s))
		m->keep_alive.s = keep_alive;
	set_link(m, UP);
}

/* paho's own codes are negative; a return code of 3.1.1 is one of five. */
static void
on_connect_failed(void *with, MQTTAsync_failureData *data)
{
	int code = data ? data->code : 0;

	set_refused(with, code >= 1 && code <= 5 ? code : MQTT_NO_REASON);
}

/* paho 1.3.12 puts the reason code where 3.1.1's return code goes. */
static void
on_connect_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	int code = !data ? 0 : data->reasonCode ? (int)data->reasonCode : data->code;

	set_refused(with, code >= MQTT_REASON_REFUSING ? code : MQTT_NO_REASON);
}

static void
on_lost(void *with, char *cause)
{
	(void)cause;
	set_link(with, DOWN);
}

static void
on_disconnected(void *with, MQTTProperties *properties, enum MQTTReasonCodes code)
{
	struct mqtt *m = with;

	(void)properties;
	m->goodbye = (int)code;
	set_link(m, DOWN);
}

static void
on_ended(void *with, MQTTAsync_successData *data)
{
	(void)data;
	set_link(with, DOWN);
}

static void
on_ended_v5(void *with, MQTTAsync_successData5 *data)
{
	(void)data;
	set_link(with, DOWN);
}

static void
on_end_failed(void *with, MQTTAsync_failureData *data)
{
	(void)data;
	set_link(with, DOWN);
}

static void
on_end_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	(void)data;
	set_link(with, DOWN);
}

int
mqtt_watch(struct mqtt *m)
{
	int rc = MQTTAsync_setCallbacks(m->client, m, on_lost, mqtt_take, NULL);

	if (rc == MQTTASYNC_SUCCESS && m->version == 5)
		rc = MQTTAsync_setDisconnected(m->client, m, on_disconnected);
	return rc;
}

void
mqtt_watch_connect(struct mqtt *m, MQTTAsync_connectOptions *options)
{
	options->context = m;
	if (m->version == 5) {
		options->onSuccess5 = on_connected_v5;
		options->onFailure5 = on_connect_failed_v5;
	} else {
		options->onSuccess = on_connected;
		options->onFailure = on_connect_failed;
	}
}

void
mqtt_watch_end(struct mqtt *m, MQTTAsync_disconnectOptions *options)
{
	options->context = m;
	if (m->version == 5) {
		options->onSuccess5 = on_ended_v5;
		options->onFailure5 = on_end_failed_v5;
	} else {
		options->onSuccess = on_ended;
		options->onFailure = on_end_failed;
	}
}
