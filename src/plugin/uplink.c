/* What devices publish: who may, how much of it, and where it goes. */
#include "config.h"

#include "plugin/plugin.h"

#include <inttypes.h>
#include <string.h>

#include "plugin/attributes.h"
#include "plugin/broker.h"
#include "registry/limits.h"

/* What stands between the names of a backend's topic, and the NUL. */
#define BACKEND_WORDS_LEN sizeof("/devices//events/")

/*
 * "projects/P/topics/T/registries/G/devices/D/events/SUBFOLDER".
 *
 * Returns what mosquitto_free() frees, or NULL.
 */
static char *
make_backend_topic(const char *backend, const struct registry_message *about, enum topic_kind kind)
{
	const char *device = about->from->device_id;
	char *topic = mosquitto_malloc(
		strlen(backend) + strlen(device) + strlen(about->subfolder) + BACKEND_WORDS_LEN);
	char *at;

	if (!topic)
		return NULL;
	at = stpcpy(stpcpy(topic, backend), "/devices/");
	at = stpcpy(stpcpy(at, device), kind == TOPIC_STATE ? "/state" : "/events");
	if (*about->subfolder)
		stpcpy(stpcpy(at, "/"), about->subfolder);
	return topic;
}

/* A connection's own fault ends it; what an attached device does wrong costs the others nothing. */
static int
refuse(struct plugin *plugin, struct device *device, const char *reason)
{
	struct session *session = device->session;

	if (device != &session->self) {
		gateway_drop(plugin, device, reason);
		return MOSQ_ERR_ACL_DENIED;
	}
	journal_failed(plugin->journal, device, reason);
	journal_event(plugin->journal, device, RULES_LOG_ERROR, "closed", "reason=%s", reason);
	return MOSQ_ERR_AUTH;
}

static int
check_rates(struct plugin *plugin, struct session *session, size_t len, struct fault *f)
{
	int64_t messages = session_rate(session, plugin->options.max_messages_per_s);
	int64_t bytes = session_rate(session, plugin->options.max_bytes_per_s);
	struct allowance *used = &session->self.allowance;
	int64_t now_ms = plugin_now_ms();

	if (!limits_take(&used->messages, messages, 1, now_ms))
		return fault_set(
			f, FAULT_AUTH, "more than %" PRId64 " messages in a second", messages);
	if (!limits_take(&used->bytes_up, bytes, (int64_t)len, now_ms))
		return fault_set(f, FAULT_AUTH, "more than %" PRId64 " bytes in a second", bytes);
	return 0;
}

static int
check_message(struct plugin *plugin, struct device *device, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl, struct fault *f)
{
	const struct registry_options *o = &plugin->options;
	long max = topic->kind == TOPIC_STATE ? o->max_state_bytes : o->max_event_bytes;

	if (topic_check_publish(topic, acl->topic, acl->payloadlen, (size_t)max, acl->qos, f))
		return -1;
	if (topic->kind == TOPIC_STATE &&
		!limits_take(&device->allowance.states, o->max_states_per_s, 1, plugin_now_ms()))
		return fault_set(
			f, FAULT_AUTH, "more than %ld states in a second", o->max_states_per_s);
	return 0;
}

/*
 * What a topic is, until the next call. It outlives the text when that is a topic to publish to:
 * the broker's own goes when the message is given another.
 */
static const struct topic *
parse(struct plugin *plugin, const char *text)
{
	size_t size;

	if (*plugin->topic_text && !strcmp(plugin->topic_text, text))
		return &plugin->topic;
	size = strlen(text) + 1;
	plugin->topic_text[0] = '\0';
	if (size > sizeof(plugin->topic_text)) {
		topic_parse(text, &plugin->topic);
		return &plugin->topic;
	}
	memcpy(plugin->topic_text, text, size);
	topic_parse(plugin->topic_text, &plugin->topic);
	return &plugin->topic;
}

int
uplink_check(
	struct plugin *plugin, struct session *session, const struct mosquitto_evt_acl_check *acl)
{
	struct device *device, *self = &session->self;
	struct fault f = FAULT_INIT;
	const struct topic *topic = parse(plugin, acl->topic);
	struct topic invalid;

	if (check_rates(plugin, session, acl->payloadlen, &f))
		return refuse(plugin, self, f.text);
	/* One device with a wrong name must not cost the gateway's other devices the connection. */
	if (topic->kind == TOPIC_OTHER && self->admission.gateway &&
		topic_parse_invalid_device(acl->topic, &invalid))
		return gateway_refuse_invalid_device(plugin, session, &invalid, acl);
	if (topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH) {
		if (!self->admission.gateway)
			return refuse(plugin, self, "only a gateway may attach and detach devices");
		return topic->kind == TOPIC_ATTACH ? gateway_attach(plugin, session, topic, acl)
						   : gateway_detach(plugin, session, topic, acl);
	}
	device = gateway_device(plugin, session, topic->device);
	if (!device && (topic->kind == TOPIC_EVENTS || topic->kind == TOPIC_STATE)) {
		if (self->admission.gateway)
			return gateway_not_attached(
				plugin, session, topic->device, "PUBLISH", acl->topic);
		fault_set(&f, FAULT_AUTH, "'%.80s' is another device's topic", acl->topic);
		return refuse(plugin, self, f.text);
	}
	if (!device)
		device = self;
	if (check_message(plugin, device, topic, acl, &f))
		return refuse(plugin, device, f.text);
	return MOSQ_ERR_SUCCESS;
}

int
uplink_count_filter(struct plugin *plugin, struct session *session)
{
	struct fault f = FAULT_INIT;

	if (check_rates(plugin, session, 0, &f))
		return refuse(plugin, &session->self, f.text);
	return MOSQ_ERR_SUCCESS;
}

/*
 * Keeps a message and gives it its way to the broker's own subscribers.
 *
 * Returns 0; else FAULT_CONFIG when the registry has no topic for it; any other fault closes the
 * connection, so that the device sends it again.
 */
static int
take(struct plugin *plugin, struct device *device, const struct registry_message *about,
	enum topic_kind kind, struct mosquitto_evt_message *message, struct fault *f)
{
	mosquitto_property *properties = NULL;
	const char *backend;
	int rc = kind == TOPIC_STATE
			 ? registry_state(plugin->registry, about, time(NULL), &backend, f)
			 : registry_telemetry(plugin->registry, about, time(NULL), &backend, f);

	if (rc)
		return -1;
	if (!*backend)
		return broker_swallow(message, f);
	if (plugin->options.attributes &&
		attributes_copy(&device->attributes, about, &properties, f))
		return -1;
	return broker_redirect(message, make_backend_topic(backend, about, kind), properties, f);
}

static void
note(struct plugin *plugin, struct device *device, const struct registry_message *about,
	enum topic_kind kind)
{
	struct journal *journal = plugin->journal;

	if (kind == TOPIC_STATE)
		journal_heard(journal, device);
	else
		journal_sent_event(journal, device);
	if (device->admission.log_level >= RULES_LOG_DEBUG)
		journal_event(journal, device, RULES_LOG_DEBUG,
			kind == TOPIC_STATE ? "state" : "event", "bytes=%zu subfolder=%s",
			about->len, about->subfolder);
}

int
uplink_take(struct plugin *plugin, struct session *session, struct mosquitto_evt_message *message)
{
	struct fault f = FAULT_INIT;
	struct registry_message about;
	struct device *device;
	const struct topic *topic = parse(plugin, message->topic);

	if (topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH)
		return broker_swallow(message, &f) ? MOSQ_ERR_NOMEM : MOSQ_ERR_SUCCESS;
	device = session_device(session, topic->device);
	if (!device)
		return MOSQ_ERR_ACL_DENIED;
	about = (struct registry_message){
		.from = &device->admission,
		.gateway = device == &session->self ? NULL : session->self.admission.device_id,
		.subfolder = topic->subfolder,
		.payload = message->payload,
		.len = message->payloadlen,
	};
	if (!take(plugin, device, &about, topic->kind, message, &f)) {
		note(plugin, device, &about, topic->kind);
		return MOSQ_ERR_SUCCESS;
	}
	if (f.code == FAULT_CONFIG || f.code == FAULT_AUTH)
		return refuse(plugin, device, f.text);
	journal_failure(plugin->journal, "closed", session->client_id, f.text);
	return MOSQ_ERR_AUTH;
}
