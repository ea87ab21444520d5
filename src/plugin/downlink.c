/* What devices subscribe to: their config, their commands, and a gateway's errors. */
#include "config.h"

#include "plugin/plugin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "plugin/broker.h"
#include "registry/limits.h"

#define TOPIC_MAX (RULES_ID_MAX + RULES_SUBFOLDER_MAX + 32)

/* Commands answered at one look. */
#define COMMANDS_MAX 1000

/* As the broker grants it: the bridge knew no QoS 2. */
static int
granted(int qos)
{
	return qos > 1 ? 1 : qos;
}

static int
send_config(struct plugin *plugin, struct device *device, const struct registry_config *config,
	struct fault *f)
{
	char topic[TOPIC_MAX];

	snprintf(topic, sizeof(topic), "/devices/%s/config", device->admission.client.device);
	if (broker_send(device->session->client_id, topic, config->data, config->len,
		    device->config_qos, f))
		return -1;
	device->config_version = config->version;
	journal_got_config(plugin->journal, device, config->version);
	journal_event(plugin->journal, device, RULES_LOG_INFO, "config",
		"version=%lld bytes=%zu qos=%d", (long long)config->version, config->len,
		device->config_qos);
	return 0;
}

/*
 * Sends the newest config; with `other`, only when it is another version than the one sent last. A
 * file that was restored from a copy may hold an older one.
 */
static void
deliver(struct plugin *plugin, struct device *device, bool other)
{
	struct registry_config config = {.data = NULL};
	struct fault f = FAULT_INIT;

	if (registry_config(plugin->registry, device->admission.device_row, &config, &f) ||
		((!other || config.version != device->config_version) &&
			send_config(plugin, device, &config, &f)))
		journal_failure(plugin->journal, "cannot send the config",
			device->session->client_id, f.text);
	free(config.data);
}

void
downlink_renew_config(struct plugin *plugin, struct device *device)
{
	if (device->config_qos != DEVICE_NO_QOS)
		deliver(plugin, device, true);
}

static int
refuse(struct plugin *plugin, struct session *session, const char *filter)
{
	struct fault f = FAULT_INIT;

	fault_set(&f, FAULT_AUTH,
		"'%.80s' is no filter that the device may subscribe to: its own config and "
		"commands/#",
		filter);
	journal_failed(plugin->journal, &session->self, f.text);
	journal_event(plugin->journal, &session->self, RULES_LOG_ERROR, "refused subscription",
		"reason=%s", f.text);
	return MOSQ_ERR_ACL_DENIED;
}

int
downlink_subscribe(
	struct plugin *plugin, struct session *session, const struct mosquitto_evt_acl_check *acl)
{
	struct device *device, *self = &session->self;
	struct topic topic;

	topic_parse(acl->topic, &topic);
	if (!topic_is_filter(&topic))
		return refuse(plugin, session, acl->topic);
	device = gateway_device(plugin, session, topic.device);
	if (topic.kind == TOPIC_ERRORS) {
		if (device != self || !self->admission.gateway)
			return refuse(plugin, session, acl->topic);
		session->errors = true;
		return MOSQ_ERR_SUCCESS;
	}
	if (!device)
		return self->admission.gateway ? gateway_not_attached(plugin, session, topic.device,
							 "SUBSCRIBE", acl->topic)
					       : refuse(plugin, session, acl->topic);
	if (topic.kind == TOPIC_COMMANDS) {
		device->commands_qos = granted(acl->qos);
		return MOSQ_ERR_SUCCESS;
	}
	device->config_qos = granted(acl->qos);
	deliver(plugin, device, false);
	return MOSQ_ERR_SUCCESS;
}

void
downlink_unsubscribe(struct plugin *plugin, struct session *session, const char *filter)
{
	struct device *device;
	struct topic topic;

	(void)plugin;
	topic_parse(filter, &topic);
	device = session_device(session, topic.device);
	if (!device || !topic_is_filter(&topic))
		return;
	if (topic.kind == TOPIC_ERRORS)
		session->errors = device == &session->self ? false : session->errors;
	else if (topic.kind == TOPIC_COMMANDS)
		device->commands_qos = DEVICE_NO_QOS;
	else
		device->config_qos = DEVICE_NO_QOS;
}

/*
 * Sends a command to the device's connection, or says why not.
 *
 * Returns 0; else FAULT_PRECONDITION.
 */
static int
send_command(struct plugin *plugin, const struct registry_command *command,
	struct device **ret_device, struct fault *f)
{
	struct device *device = roster_of(plugin->roster, command->device_row, NULL);
	char topic[TOPIC_MAX];
	int64_t rate;

	if (!device)
		return fault_set(f, FAULT_PRECONDITION, "the device is not connected");
	if (device->commands_qos == DEVICE_NO_QOS)
		return fault_set(f, FAULT_PRECONDITION,
			"the device is connected and not subscribed to its commands");
	rate = session_rate(device->session, plugin->options.max_bytes_per_s);
	if (!limits_take(&device->session->self.allowance.bytes_down, rate, (int64_t)command->len,
		    plugin_now_ms()))
		return fault_set(f, FAULT_PRECONDITION,
			"the device is sent more than %" PRId64 " bytes in a second", rate);
	snprintf(topic, sizeof(topic), "/devices/%s/commands%s%s", device->admission.client.device,
		*command->subfolder ? "/" : "", command->subfolder);
	if (broker_send(device->session->client_id, topic, command->data, command->len,
		    device->commands_qos, f))
		return -1;
	*ret_device = device;
	return 0;
}

static int
answer(struct plugin *plugin, const struct registry_command *command, struct fault *f)
{
	struct device *device;
	char outcome[RULES_ID_MAX + 96];

	if (send_command(plugin, command, &device, f))
		return registry_answer_command(plugin->registry, command->id, false, f->text, f);
	if (device == &device->session->self)
		snprintf(outcome, sizeof(outcome), "sent to the device with QoS %d",
			device->commands_qos);
	else
		snprintf(outcome, sizeof(outcome), "sent to the gateway '%s' with QoS %d",
			device->session->self.admission.device_id, device->commands_qos);
	journal_event(plugin->journal, device, RULES_LOG_INFO, "command",
		"bytes=%zu qos=%d subfolder=%s", command->len, device->commands_qos,
		command->subfolder);
	return registry_answer_command(plugin->registry, command->id, true, outcome, f);
}

void
downlink_answer_commands(struct plugin *plugin)
{
	struct fault f = FAULT_INIT;
	bool there = true;

	for (int n = 0; n < COMMANDS_MAX; n++) {
		AUTO(registry_command_clear) struct registry_command command = {0};

		if (registry_next_command(plugin->registry, time(NULL), &command, &there, &f))
			break;
		if (!there)
			return;
		if (answer(plugin, &command, &f))
			break;
	}
	if (f.code != FAULT_NONE && f.code != FAULT_PRECONDITION)
		journal_failure(plugin->journal, "cannot answer a command", "", f.text);
}
