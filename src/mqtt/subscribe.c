#include "config.h"

#include "mqtt/mqtt.h"

#include "mqtt/guard.h"
#include "mqtt/inside.h"
#include "mqtt/turn.h"

/*
 * What the SUBACK's bytes say: paho tells of a single code in another way than of many, and not how
 * many there were. How many filters it answers is in the slot's code until that is settled.
 */
static void
answered(struct slot *slot)
{
	struct packet_suback suback = guard_suback();

	if (suback.n != slot->code)
		guard_refuse("a SUBACK with more or fewer codes than there were filters");
	else if (suback.worst >= MQTT_REASON_REFUSING)
		mqtt_set_fate(slot, REFUSED, suback.worst);
	else
		mqtt_set_fate(slot, ARRIVED, 0);
}

static void
on_subscribed(void *with, MQTTAsync_successData *data)
{
	(void)data;
	answered(with);
}

static void
on_subscribed_v5(void *with, MQTTAsync_successData5 *data)
{
	(void)data;
	answered(with);
}

/* The only code is a refusal; or it is paho's own, which is negative: the connection went. */
static void
failed(struct slot *slot, int code)
{
	if (code >= MQTT_REASON_REFUSING)
		answered(slot);
	else
		mqtt_set_fate(slot, REFUSED, MQTT_NO_REASON);
}

static void
on_failed(void *with, MQTTAsync_failureData *data)
{
	failed(with, data ? data->code : 0);
}

static void
on_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	failed(with, data ? (int)data->reasonCode : 0);
}

static void
on_unsubscribed(void *with, MQTTAsync_successData *data)
{
	(void)data;
	mqtt_set_fate(with, ARRIVED, 0);
}

static void
on_unsubscribed_v5(void *with, MQTTAsync_successData5 *data)
{
	(void)data;
	mqtt_set_fate(with, ARRIVED, 0);
}

static MQTTAsync_responseOptions
response_for(const struct mqtt *m, struct slot *slot, bool subscribes)
{
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;

	response.context = slot;
	if (m->version == 5) {
		response.onSuccess5 = subscribes ? on_subscribed_v5 : on_unsubscribed_v5;
		response.onFailure5 = on_failed_v5;
	} else {
		response.onSuccess = subscribes ? on_subscribed : on_unsubscribed;
		response.onFailure = on_failed;
	}
	return response;
}

static int
ask(struct mqtt *m, const char *const *filters, size_t n, const int *qos, uint64_t tag,
	struct fault *f)
{
	char *texts[MQTT_FILTERS_MAX];
	int all[MQTT_FILTERS_MAX];
	MQTTSubscribe_options each[MQTT_FILTERS_MAX];
	MQTTAsync_responseOptions response;
	struct slot *slot;
	int rc;

	if (n < 1 || n > MQTT_FILTERS_MAX)
		return fault_set(f, FAULT_USAGE, "1 to %d filters", MQTT_FILTERS_MAX);
	slot = mqtt_take_slot(&m->idle_subscriptions, tag, true);
	if (!slot)
		return fault_set(f, FAULT_PRECONDITION, "%d subscriptions wait for their answer",
			MQTT_SUBSCRIBING_MAX);
	slot->code = (int)n;
	m->handed = true;
	for (size_t i = 0; i < n; i++) {
		texts[i] = (char *)(uintptr_t)filters[i]; /* paho copies them */
		all[i] = qos ? *qos : 0;
	}
	response = response_for(m, slot, qos != NULL);
	if (qos && m->version == 5) {
		response.subscribeOptions.retainAsPublished = 1;
		response.subscribeOptionsCount = (int)n;
		response.subscribeOptionsList = each;
		for (size_t i = 0; i < n; i++)
			each[i] = response.subscribeOptions;
	}
	if (qos)
		rc = MQTTAsync_subscribeMany(m->client, (int)n, texts, all, &response);
	else
		rc = MQTTAsync_unsubscribeMany(m->client, (int)n, texts, &response);
	if (rc == MQTTASYNC_SUCCESS) {
		turn_send();
		return 0;
	}
	mqtt_put_back(&m->idle_subscriptions, slot);
	return mqtt_send_refused(m, rc, f);
}

int
mqtt_subscribe(struct mqtt *mqtt, const char *const *filters, size_t n, int qos, uint64_t tag,
	struct fault *f)
{
	return ask(mqtt, filters, n, &qos, tag, f);
}

int
mqtt_unsubscribe(
	struct mqtt *mqtt, const char *const *filters, size_t n, uint64_t tag, struct fault *f)
{
	return ask(mqtt, filters, n, NULL, tag, f);
}
