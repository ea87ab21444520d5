/* Devices that speak through another's connection: attach, detach, and the gateway's errors. */
#include "config.h"

#include "plugin/plugin.h"

#include <stdio.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include "jwt/jwt.h"
#include "plugin/broker.h"

#define ERRORS_TOPIC_MAX (RULES_ID_MAX + 32)

/* Cloud IoT Core's names. */
#define ATTACHMENT_ERROR "GATEWAY_ATTACHMENT_ERROR"
#define DETACHMENT_ERROR "GATEWAY_DETACHMENT_DEVICE_ERROR"
#define NOT_FOUND	 "GATEWAY_DEVICE_NOT_FOUND"

/*
 * Tells a gateway what went wrong with a device, if it listens. Which of its messages it was is
 * told by kind and topic; the broker does not show us packet ids.
 */
static void
tell(struct session *session, const char *type, const char *device, const char *description,
	const char *message_type, const char *message_topic)
{
	AUTO(auto_json) json_t *error = NULL;
	AUTO(auto_free) char *text = NULL;
	char topic[ERRORS_TOPIC_MAX];

	if (!session->errors)
		return;
	error = json_pack("{s:s, s:s, s:s}", "error_type", type, "description", description,
		"device_id", device);
	if (error && message_type)
		json_object_set_new(error, "mqtt_message_info",
			json_pack("{s:s, s:s}", "message_type", message_type, "topic",
				message_topic));
	text = error ? json_dumps(error, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	if (!text)
		return;
	snprintf(topic, sizeof(topic), "/devices/%s/errors", session->self.admission.client.device);
	broker_send(session->client_id, topic, text, strlen(text), 0, NULL);
}

/* An invalid device id may have any characters. It must not look like more of a log line. */
static const char *
one_word(const char *device, char *shown)
{
	size_t n;

	for (n = 0; device[n]; n++)
		shown[n] = rules_is_id_char(device[n]) || device[n] == '/' ? device[n] : '?';
	shown[n] = '\0';
	return shown;
}

/*
 * Refuses an attach. MQTT 5 reports that in the PUBACK, and the errors topic reports it to all. A
 * gateway gets the same answer for each device that it may not see: only the operator learns
 * whether the device exists.
 */
static int
refuse_attach(struct plugin *plugin, struct session *session, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl, const struct fault *why)
{
	char shown[RULES_ID_MAX + 1];

	journal_failed(plugin->journal, &session->self, why->text);
	journal_event(plugin->journal, &session->self, RULES_LOG_ERROR, "attach refused",
		"device=%s reason=%s", one_word(topic->device, shown), why->text);
	tell(session, ATTACHMENT_ERROR, topic->device,
		why->code == FAULT_NOTFOUND
			? "the device does not exist or may not attach through this gateway"
			: why->text,
		"PUBLISH", acl->topic);
	return MOSQ_ERR_ACL_DENIED;
}

/* The payload may hold a token: it is not left behind in the broker's memory. */
static void
wipe(const struct mosquitto_evt_acl_check *acl)
{
	if (acl->payloadlen)
		OPENSSL_cleanse((void *)acl->payload, acl->payloadlen);
}

static void
detach(struct plugin *plugin, struct device *device, enum rules_log_level level, const char *reason)
{
	journal_event(plugin->journal, device, level, "detached", "gateway=%s reason=%s",
		device->session->self.admission.device_id, reason);
	journal_keep(plugin->journal, device);
	sessions_detach(plugin->sessions, device);
}

int
gateway_attach(struct plugin *plugin, struct session *session, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl)
{
	const struct registry_admission *self = &session->self.admission;
	struct device *device = session_device(session, topic->device);
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	int rc;

	if (device == &session->self)
		rc = fault_set(&f, FAULT_AUTH, "a gateway does not attach to itself");
	else if (!device && session_attached(session) >= (size_t)plugin->options.max_attached)
		rc = fault_set(&f, FAULT_AUTH, "%ld devices are attached: no more is the limit",
			plugin->options.max_attached);
	else
		rc = registry_attach(plugin->registry, self, topic->device, acl->payload,
			acl->payloadlen, time(NULL), &admission, &f);
	wipe(acl);
	if (rc && f.code != FAULT_AUTH && f.code != FAULT_NOTFOUND) {
		journal_failure(plugin->journal, "cannot attach", session->client_id, f.text);
		return MOSQ_ERR_UNKNOWN;
	}
	if (rc)
		return refuse_attach(plugin, session, topic, acl, &f);
	if (device && device->admission.device_row != admission.device_row) {
		detach(plugin, device, RULES_LOG_INFO, "another device has its name now");
		device = NULL;
	}
	/* One that attaches again has a new token; its subscriptions stay. */
	if (device) {
		roster_renew(plugin->roster, device, &admission);
	} else if (sessions_attach(plugin->sessions, session, &admission, &device, &f)) {
		journal_failure(plugin->journal, "cannot attach", session->client_id, f.text);
		return MOSQ_ERR_NOMEM;
	}
	journal_heard(plugin->journal, device);
	journal_event(
		plugin->journal, device, RULES_LOG_INFO, "attached", "gateway=%s", self->device_id);
	gateway_take_over(plugin, device);
	plugin_set_due(plugin);
	return MOSQ_ERR_SUCCESS;
}

int
gateway_refuse_invalid_device(struct plugin *plugin, struct session *session,
	const struct topic *topic, const struct mosquitto_evt_acl_check *acl)
{
	struct fault f = FAULT_INIT;

	if (topic->kind != TOPIC_ATTACH)
		return gateway_not_attached(plugin, session, topic->device, "PUBLISH", acl->topic);
	wipe(acl);
	fault_set(&f, FAULT_AUTH,
		"the device ID is not valid: it must have 3 to 255 letters, digits and -._+~%%, "
		"begin with a letter, and not begin with goog");
	return refuse_attach(plugin, session, topic, acl, &f);
}

int
gateway_detach(struct plugin *plugin, struct session *session, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl)
{
	struct device *device = session_device(session, topic->device);

	if (!device || device == &session->self)
		return gateway_not_attached(plugin, session, topic->device, "PUBLISH", acl->topic);
	detach(plugin, device, RULES_LOG_INFO, "the gateway asked for it");
	return MOSQ_ERR_SUCCESS;
}

int
gateway_not_attached(struct plugin *plugin, struct session *session, const char *device,
	const char *message_type, const char *topic)
{
	char text[RULES_ID_MAX + 96], shown[RULES_ID_MAX + 1];

	snprintf(text, sizeof(text), "The device with ID '%s' is not attached to the gateway.",
		device);
	journal_failed(plugin->journal, &session->self, text);
	journal_event(plugin->journal, &session->self, RULES_LOG_ERROR, "not attached",
		"device=%s topic=%s", one_word(device, shown), topic);
	tell(session, NOT_FOUND, device, text, message_type, topic);
	return MOSQ_ERR_ACL_DENIED;
}

void
gateway_drop(struct plugin *plugin, struct device *device, const char *reason)
{
	tell(device->session, DETACHMENT_ERROR, device->admission.client.device, reason, NULL,
		NULL);
	journal_failed(plugin->journal, device, reason);
	detach(plugin, device, RULES_LOG_ERROR, reason);
}

struct device *
gateway_device(struct plugin *plugin, struct session *session, const char *name)
{
	struct device *device = session_device(session, name);

	if (!device || device == &session->self || !device->admission.until ||
		device->admission.until > time(NULL))
		return device;
	gateway_drop(plugin, device, "the device's token's time is over");
	return NULL;
}

void
gateway_take_over(struct plugin *plugin, const struct device *newest)
{
	int64_t row = newest->admission.device_row;
	struct device *device, *next;

	for (device = roster_of(plugin->roster, row, NULL); device; device = next) {
		next = roster_of(plugin->roster, row, device);
		if (device == newest)
			continue;
		if (device != &device->session->self)
			gateway_drop(plugin, device, "the device came another way");
		else
			plugin_end(plugin, device->session, "the device came another way");
	}
}
