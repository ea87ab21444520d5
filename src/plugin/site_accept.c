/* Whether a client's message or subscription is accepted; accepted messages go to the spool. */
#include "config.h"

#include "plugin/site_plugin.h"

#include <string.h>

#include "base/clock.h"
#include "plugin/broker.h"
#include "registry/rules.h"
#include "registry/topic.h"
#include "site/filter.h"

/* Why a last will is refused: it would not get into the spool. */
#define REASON_WILL "a last will does not go to the cloud"

/*
 * The sender must notice that its message was refused. With MQTT 5, the PUBACK says so. With MQTT
 * 3.1.1, the broker can only close the connection. A sender does not expect an answer to QoS 0.
 */
static int
refuse(const struct mosquitto *client, int qos)
{
	bool can_tell = mosquitto_client_protocol_version(client) == 5;

	return can_tell || qos == 0 ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_AUTH;
}

static int
refuse_because(struct site *site, const struct mosquitto *client, int qos, const char *topic,
	const char *why)
{
	site_log_refusal(site, mosquitto_client_id(client), topic, why);
	return refuse(client, qos);
}

/* Thousands of these refusals may come. The gateways show the reason in their status. */
static int
refuse_for_now(struct site *site, struct complaint *complaint, const struct mosquitto *client,
	int qos, const char *why)
{
	if (site_log_complaint(complaint, "messages are not taken", why))
		door_tell(site->door, FRAME_REFUSING, "", why, strlen(why));
	return refuse(client, qos);
}

static size_t
max_payload(const struct topic *topic)
{
	switch (topic->kind) {
	case TOPIC_EVENTS:
		return RULES_TELEMETRY_MAX;
	case TOPIC_ATTACH:
	case TOPIC_DETACH:
		return SPEAKERS_BODY_MAX;
	default:
		return RULES_STATE_MAX;
	}
}

/*
 * A delayed last will was published, but was sent to no subscriber. When it was retained, an empty
 * message removes it from the broker's memory.
 */
void
site_accept_next_event(struct site *site, const struct mosquitto *message_of)
{
	if (!will_next_event(&site->will, message_of))
		return;
	site_log_refusal(site, NULL, site->will.topic, REASON_WILL);
	if (site->will.retain)
		mosquitto_broker_publish(NULL, site->will.topic, 0, NULL, 0, true, NULL);
	will_clear(&site->will);
}

static int
check_publish(
	struct site *site, const struct mosquitto_evt_acl_check *acl, const struct topic *topic)
{
	const char *name = site_identity_name(site, acl->client);
	/* Without ticks, a new client may have the memory address of the one that left. */
	bool is_will = site->ticks && will_is_from(&site->will, acl->client);
	struct fault f = FAULT_INIT;

	site_accept_next_event(site, NULL);
	switch (speaker_may_publish(
		name, site_identity_is_trusted(site, acl->client), acl->topic, topic)) {
	case SPEAKER_DEFERRED:
		return MOSQ_ERR_PLUGIN_DEFER;
	case SPEAKER_DENIED:
		return refuse_because(site, acl->client, acl->qos, acl->topic,
			"it is not this client's to publish to");
	case SPEAKER_ALLOWED:
		break;
	}
	/* The cloud would close the gateway's connection because of such a message. */
	if (topic_check_publish(
		    topic, acl->topic, acl->payloadlen, max_payload(topic), acl->qos, &f))
		return refuse_because(site, acl->client, acl->qos, acl->topic, f.text);
	if (is_will)
		return refuse_because(site, acl->client, acl->qos, acl->topic, REASON_WILL);
	if (!site_identity_is_known(site, acl->client) &&
		will_note_asked(&site->will, acl->client, acl->topic, acl->retain, &f))
		return refuse_because(site, acl->client, acl->qos, acl->topic, f.text);
	return MOSQ_ERR_SUCCESS;
}

/*
 * Whether the broker is about to send a client a last will, or the empty message that removes a
 * retained one. No other message that a device publishes is retained.
 */
static bool
is_part_of_will(const struct site *site, const struct mosquitto_evt_acl_check *acl,
	const struct topic *topic)
{
	return will_is_on(&site->will, acl->topic) ||
	       (acl->retain && (topic->kind == TOPIC_EVENTS || topic->kind == TOPIC_STATE ||
				       topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH));
}

int
site_accept_acl(struct site *site, const struct mosquitto_evt_acl_check *acl)
{
	const char *name = site_identity_name(site, acl->client);
	enum speaker_verdict verdict;
	struct topic topic;

	topic_parse(acl->topic, &topic);
	switch (acl->access) {
	case MOSQ_ACL_WRITE:
		return check_publish(site, acl, &topic);
	case MOSQ_ACL_SUBSCRIBE:
		site_accept_next_event(site, NULL);
		verdict = speaker_may_subscribe(
			name, site_identity_is_trusted(site, acl->client), acl->topic, &topic);
		/* A client that stays connected without its subscription would not retry it. */
		if (!site_identity_add(site, acl->client) && verdict == SPEAKER_ALLOWED)
			return MOSQ_ERR_AUTH;
		break;
	case MOSQ_ACL_UNSUBSCRIBE:
		return MOSQ_ERR_SUCCESS;
	default:
		if (is_part_of_will(site, acl, &topic))
			return MOSQ_ERR_ACL_DENIED;
		verdict = speaker_may_read(
			name, site_identity_is_trusted(site, acl->client), acl->topic, &topic);
		break;
	}
	switch (verdict) {
	case SPEAKER_ALLOWED:
		return MOSQ_ERR_SUCCESS;
	case SPEAKER_DENIED:
		return MOSQ_ERR_ACL_DENIED;
	default:
		return MOSQ_ERR_PLUGIN_DEFER;
	}
}

static int
append(struct site *site, const struct mosquitto_evt_message *message, const char *device)
{
	const struct spool_message record = {
		.qos = message->qos ? 1 : 0,
		.device = device,
		.topic = message->topic,
		.payload = message->payload,
		.len = message->payloadlen,
	};
	struct fault f = FAULT_INIT;

	if (timely_append(site->spool, &record, &f))
		return refuse_for_now(
			site, &site->spool_failed, message->client, message->qos, f.text);
	if (site->spool_failed.logged_ms) {
		site_log_complaint_end(&site->spool_failed, "messages are taken again");
		door_tell(site->door, FRAME_REFUSING, "", NULL, 0);
	}
	return MOSQ_ERR_SUCCESS;
}

/*
 * Gateways are told immediately which device to attach or detach. The request does not go through
 * the spool, because it may be out of date when the gateway has sent a backlog. It is kept for
 * gateways that connect later.
 */
static int
accept_attach(struct site *site, struct mosquitto_evt_message *message, struct speaker *speaker,
	enum topic_kind kind, const char *device)
{
	bool attach = kind == TOPIC_ATTACH;
	bool own = speaker->device && !strcmp(speaker->device->name, device);
	struct fault f = FAULT_INIT;

	if (name_limit_attach(site->name_limit, device, clock_ms(CLOCK_MONOTONIC_COARSE), &f))
		return refuse_because(site, message->client, message->qos, message->topic, f.text);
	if (own && attach &&
		speakers_note_attach(
			site->speakers, speaker->device, message->payload, message->payloadlen, &f))
		return refuse_for_now(
			site, &site->attaches_full, message->client, message->qos, f.text);
	if (own && !attach)
		speakers_note_detach(site->speakers, speaker->device);
	door_tell(site->door, attach ? FRAME_ATTACH : FRAME_DETACH, device, message->payload,
		message->payloadlen);
	return broker_swallow(message, &f) ? MOSQ_ERR_NOMEM : MOSQ_ERR_SUCCESS;
}

static int
accept_from_device(
	struct site *site, struct mosquitto_evt_message *message, const struct topic *topic)
{
	struct speaker *speaker = site_identity_add(site, message->client);
	const char *name = speaker && speaker->device ? speaker->device->name : NULL;

	if (!speaker)
		return refuse(message->client, message->qos);
	/* The broker runs no ACL check for the messages of its bridges. */
	if (speaker_may_publish(name, speaker->trusted, message->topic, topic) != SPEAKER_ALLOWED ||
		topic_check_publish(topic, message->topic, message->payloadlen, max_payload(topic),
			message->qos, NULL))
		return refuse_because(site, message->client, message->qos, message->topic,
			"it is not this client's to publish");
	if (speaker->trusted && !site_identity_accept_name(site, topic->device, NULL))
		return refuse(message->client, message->qos);
	if (topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH)
		return accept_attach(site, message, speaker, topic->kind, topic->device);
	message->retain = false;
	return append(site, message, topic->device);
}

int
site_accept_message(struct site *site, struct mosquitto_evt_message *message)
{
	struct topic topic;

	site_accept_next_event(site, message->client);
	if (!strncmp(message->topic, "/devices/", strlen("/devices/"))) {
		topic_parse(message->topic, &topic);
		return accept_from_device(site, message, &topic);
	}
	for (size_t i = 0; i < site->options.topic.n; i++) {
		if (filter_matches(site->options.topic.items[i], message->topic)) {
			struct speaker *speaker = site_identity_add(site, message->client);

			if (!speaker)
				return refuse(message->client, message->qos);
			return append(site, message, speaker->device ? speaker->device->name : "");
		}
	}
	return MOSQ_ERR_SUCCESS;
}
