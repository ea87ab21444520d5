/* Devices to the cloud: attached, subscribed for, detached; and what the cloud says of them. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "gateway/template.h"
#include "jwt/jwt.h"
#include "registry/rules.h"
#include "registry/topic.h"

/* Configs that are asked for again at once: attaches are to find room beside them. */
#define RENEWALS_MAX 16

/* Lines about devices that the cloud refuses, in so long; then their number is logged. */
#define REFUSAL_LINES_MAX 20
#define REFUSAL_LINES_MS  60000

#define TOPIC_SIZE (sizeof("/devices//commands/#") + DEVICE_NAME_MAX)

static void
topic_of(const char *device, const char *what, char *ret)
{
	snprintf(ret, TOPIC_SIZE, "/devices/%s/%s", device, what);
}

int
attach_subscribe(struct gateway *g, const char *device, uint64_t tag, struct fault *f)
{
	char config[TOPIC_SIZE], commands[TOPIC_SIZE];
	const char *const filters[] = {config, commands};

	topic_of(device, "config", config);
	topic_of(device, "commands/#", commands);
	pump_spend(g, 0);
	return mqtt_subscribe(g->cloud.mqtt, filters, 2, 1, tag, f);
}

bool
attach_may_log_refusal(struct gateway *g)
{
	struct refusal_lines *lines = &g->refusal_lines;

	if (lines->logged < REFUSAL_LINES_MAX) {
		lines->logged++;
		return true;
	}
	lines->left_out++;
	return false;
}

/* Once a minute: a crowd of unknown devices must not fill the log. */
static void
summarise_refusals(struct gateway *g, int64_t now_ms)
{
	struct refusal_lines *lines = &g->refusal_lines;
	struct devices_counts counts = devices_count(g->devices);

	if (now_ms - lines->since_ms < REFUSAL_LINES_MS)
		return;
	if (lines->left_out)
		log_warn("the cloud refuses many devices: left_out=%" PRIu64
			 " lines refused=%zu waiting=%zu known=%zu known_max=%d",
			lines->left_out, counts.refused, counts.waiting, counts.known, DEVICES_MAX);
	*lines = (struct refusal_lines){.since_ms = now_ms};
}

static void
refuse(struct gateway *g, struct device *device, const char *reason)
{
	char kept[DEVICE_REASON_MAX];

	/* Each reason once, not at each attempt; the device keeps only as much of it. */
	text_cut(reason, kept, sizeof(kept));
	if (*reason && strcmp(device->reason, kept) && attach_may_log_refusal(g))
		log_warn("not attached device=%s: %s", device->name, reason);
	devices_refused(g->devices, device, reason, gateway_now_ms(g), gateway_random());
}

/*
 * The attach and the subscription behind it: a broker that does not let the device in says so in
 * the SUBACK, whatever it does with the PUBACK.
 */
static void
ask(struct gateway *g, struct device *device, const void *body, size_t len)
{
	char topic[TOPIC_SIZE];
	struct fault f = FAULT_INIT;
	int flight = pump_take_flight(g, FLIGHT_ATTACH, 0, device->id);
	const bool alone = poison_attaches_alone(g->pump.poison);
	const int qos = (int)g->settings.uplink.max_qos;

	devices_asked(g->devices, device, gateway_now_ms(g));
	topic_of(device->name, "attach", topic);
	if (flight >= 0 &&
		mqtt_send(g->cloud.mqtt, topic, body, len, qos, (uint64_t)flight, &f) == 0) {
		pump_spend(g, len);
		poison_sent(g->pump.poison, (size_t)flight,
			&(struct poison_sent){device->name, topic, 0, qos, alone});
		if (attach_subscribe(g, device->name, TAG_DEVICE | device->id, &f) == 0) {
			topic_of(device->name, "config", topic);
			poison_sent(g->pump.poison, POISON_SUBSCRIPTION(device->id),
				&(struct poison_sent){device->name, topic, 0, 1, false});
			return;
		}
	} else if (flight >= 0) {
		g->pump.flights[flight].kind = FLIGHT_FREE;
	}
	refuse(g, device, f.text);
}

static bool
is_signed_for(const struct gateway *g, const struct device *device)
{
	return g->settings.token.device_key && !(device->asked && device->body_len > 0);
}

static void
detach(struct gateway *g, const struct device *device)
{
	char topic[TOPIC_SIZE], config[TOPIC_SIZE], commands[TOPIC_SIZE];
	const char *const filters[] = {config, commands};
	int flight = pump_take_flight(g, FLIGHT_DETACH, 0, device->id);
	const int qos = (int)g->settings.uplink.max_qos;

	topic_of(device->name, "config", config);
	topic_of(device->name, "commands/#", commands);
	topic_of(device->name, "detach", topic);
	log_info("detached device=%s", device->name);
	pump_spend(g, 0);
	pump_spend(g, 2);
	mqtt_unsubscribe(g->cloud.mqtt, filters, 2, TAG_OWN, NULL);
	if (flight >= 0 &&
		mqtt_send(g->cloud.mqtt, topic, "{}", 2, qos, (uint64_t)flight, NULL) != 0)
		g->pump.flights[flight].kind = FLIGHT_FREE;
	else if (flight >= 0)
		poison_sent(g->pump.poison, (size_t)flight,
			&(struct poison_sent){device->name, topic, 0, qos, false});
}

/* The site's broker came anew and knows no configs: each is asked for again. */
static void
renew_configs(struct gateway *g)
{
	struct device *device;

	if (g->local.own_due)
		g->local.own_due = attach_subscribe(
			g, g->settings.uplink.device, TAG_GREETING(GREETING_CONFIG), NULL);
	while (g->cloud.renewals < RENEWALS_MAX && pump_has_room(g) &&
		(device = devices_next_config_due(g->devices)) &&
		attach_subscribe(g, device->name, TAG_RENEWAL, NULL) == 0) {
		g->cloud.renewals++;
		devices_config_requested(device);
	}
}

/* Whether another device may be attached now: one that may end the connection is alone. */
static bool
may_attach(const struct gateway *g)
{
	if (g->pump.waits || pump_is_alone(g))
		return false;
	return !poison_attaches_alone(g->pump.poison) || !mqtt_in_flight(g->cloud.mqtt);
}

void
attach_work(struct gateway *g)
{
	static const char nothing[] = "{\"authorization\":\"\"}";
	int64_t now_ms = gateway_now_ms(g);
	struct device *device;

	if (g->cloud.state != CLOUD_UP)
		return;
	while (mqtt_room(g->cloud.mqtt) > 0 && signer_has_room(g) && may_attach(g) &&
		pump_has_room(g) && (device = devices_take_attach(g->devices, now_ms))) {
		if (is_signed_for(g, device))
			signer_sign_for(g, device->id);
		else if (device->asked && device->body_len)
			ask(g, device, device->body, device->body_len);
		else
			ask(g, device, nothing, strlen(nothing));
	}
}

/* Once a second: what is not urgent. */
void
attach_tick(struct gateway *g)
{
	int64_t now_ms = gateway_now_ms(g);
	struct device *device;

	devices_tick(g->devices, now_ms, gateway_random());
	summarise_refusals(g, now_ms);
	if (g->cloud.state != CLOUD_UP || !gateway_settings_attaches(&g->settings) ||
		pump_is_alone(g))
		return;
	while (mqtt_room(g->cloud.mqtt) > 0 && pump_has_room(g) &&
		(device = devices_take_detach(g->devices, now_ms)))
		detach(g, device);
	renew_configs(g);
	attach_work(g);
}

void
attach_signed(struct gateway *g, uint32_t id, const char *jwt, const struct fault *failed)
{
	struct device *device = devices_by_id(g->devices, id);
	AUTO(auto_secret) char *body = NULL;
	size_t size;

	if (!device || device->state != DEVICE_ATTACHING || g->cloud.state != CLOUD_UP)
		return;
	if (failed) {
		refuse(g, device, failed->text);
		return;
	}
	size = strlen(jwt) + sizeof("{\"authorization\":\"\"}");
	body = secret_alloc(size);
	if (!body) {
		refuse(g, device, "memory ran out");
		return;
	}
	/* A token has no character that JSON would want escaped. */
	snprintf(body, size, "{\"authorization\":\"%s\"}", jwt);
	ask(g, device, body, strlen(body));
}

void
attach_answered(struct gateway *g, uint32_t id, const struct fault *failed)
{
	struct device *device = devices_by_id(g->devices, id);

	if (!device || device->state != DEVICE_ATTACHING)
		return;
	if (failed && !failed->native)
		return; /* the connection went, which is said elsewhere */
	if (failed) {
		/* What the errors topic said of it before says more than a code. */
		refuse(g, device, device->refused ? "" : failed->text);
		attach_work(g);
	} else if (devices_answered(g->devices, device, gateway_now_ms(g))) {
		log_info("attached device=%s", device->name);
		pump_run(g);
	}
}

/* The device's errors topic at the site has it as the cloud's own errors are. */
static void
tell_device(struct gateway *g, const struct poison_topic *blocked)
{
	char topic[TOPIC_SIZE];
	AUTO(auto_free) char *text = NULL;
	json_t *error;

	if (!rules_is_device(blocked->device, strlen(blocked->device)))
		return;
	error = json_pack("{s:s, s:s, s:s, s:{s:s, s:s}}", "error_type", "PUBLISH_REFUSED",
		"description", blocked->reason, "device_id", blocked->device, "mqtt_message_info",
		"message_type", "PUBLISH", "topic", *blocked->topic ? blocked->topic : "#");
	text = error ? json_dumps(error, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	json_decref(error);
	topic_of(blocked->device, "errors", topic);
	if (text)
		local_deliver(g, blocked->device, topic, text, strlen(text), 0, false);
}

void
attach_blocked(struct gateway *g, const struct poison_topic *topic)
{
	struct device *device = devices_find(g->devices, topic->device);

	if (topic->attaches && device)
		refuse(g, device, topic->reason);
	else
		tell_device(g, topic);
}

void
attach_errors(struct gateway *g, const struct mqtt_message *message)
{
	json_t *error = json_loadb(message->payload, message->len, 0, NULL);
	const char *type = json_string_value(json_object_get(error, "error_type"));
	const char *name = json_string_value(json_object_get(error, "device_id"));
	const char *words = json_string_value(json_object_get(error, "description"));
	struct device *device = name ? devices_find(g->devices, name) : NULL;
	char topic[TOPIC_SIZE], reason[4 * DEVICE_REASON_MAX];

	snprintf(reason, sizeof(reason), "%s: %s", type ? type : "an error", words ? words : "");
	if (device) {
		topic_of(device->name, "errors", topic);
		local_deliver(g, device->name, topic, message->payload, message->len, 0, false);
		/* That it is not attached follows from a refusal, and is no other. */
		if (!device->refused || !type || strcmp(type, "GATEWAY_DEVICE_NOT_FOUND"))
			refuse(g, device, reason);
		attach_work(g);
	} else if (attach_may_log_refusal(g)) {
		log_warn("the cloud reports device=%s: %s", name ? name : "", reason);
	}
	json_decref(error);
}
