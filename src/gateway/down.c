/* What comes from the cloud, on its way to the site. */
#include "config.h"

#include "gateway/inside.h"

#include <string.h>

#include "base/log.h"
#include "registry/rules.h"
#include "registry/topic.h"
#include "site/filter.h"

#define TOPIC_SIZE_MAX 2048

static void
note(struct gateway *g, const char *name)
{
	struct device *device = devices_find(g->devices, name);

	if (device)
		devices_received(g->devices, device, gateway_now_ms(g));
}

/* A config that could not be brought on is asked for again. */
static void
config_is_due(struct gateway *g, const char *name)
{
	struct device *device = devices_find(g->devices, name);

	if (!strcmp(name, g->settings.uplink.device))
		g->local.own_due = true;
	else if (device)
		devices_set_config_due(g->devices, device);
}

/* What the settings' `in` asks the cloud for. */
static void
take_other(struct gateway *g, const struct mqtt_message *m, bool retain)
{
	char topic[TOPIC_SIZE_MAX];
	int qos = routes_map(&g->in, ROUTE_IN, m->topic, topic, sizeof(topic));

	if (qos < 0)
		log_debug("nobody asked for topic=%s", m->topic);
	else
		local_deliver(
			g, "", topic, m->payload, m->len, qos < m->qos ? qos : m->qos, retain);
}

/* Whether the gateway has subscribed for a device: itself, or one that it attaches. */
static bool
is_subscribed_for(const struct gateway *g, const char *name)
{
	const struct device *device = devices_find(g->devices, name);

	return !strcmp(name, g->settings.uplink.device) ||
	       (device && device->state != DEVICE_DETACHED);
}

/*
 * Config or a command. The site's broker retains the newest config for a device that subscribes
 * later. The cloud could fill its memory with configs for devices that do not exist.
 */
static void
take_for_device(struct gateway *g, const struct mqtt_message *m, const struct topic *topic)
{
	bool is_config = topic->kind == TOPIC_CONFIG;

	if (!gateway_settings_attaches(&g->settings)) {
		take_other(g, m, is_config || m->retained);
		return;
	}
	if (!is_subscribed_for(g, topic->device)) {
		local_discard(g, m->topic, "the cloud sends it for a device that is not attached");
		return;
	}
	if (m->len > (is_config ? RULES_CONFIG_MAX : RULES_COMMAND_MAX)) {
		local_discard(g, m->topic, "it is larger than Cloud IoT Core allows");
		return;
	}
	note(g, topic->device);
	if (!local_deliver(g, topic->device, m->topic, m->payload, m->len, 1, is_config) &&
		is_config)
		config_is_due(g, topic->device);
}

void
down_take(void *with, const struct mqtt_message *m)
{
	struct gateway *g = with;
	struct topic topic;

	/* Whatever the cloud sends: the site's clients are not to be disconnected for it. */
	if (!filter_is_topic(m->topic)) {
		log_debug("the cloud sends a message for '%.100s', which is not a valid topic",
			m->topic);
		return;
	}
	topic_parse(m->topic, &topic);
	switch (topic.kind) {
	case TOPIC_CONFIG:
	case TOPIC_COMMANDS:
		take_for_device(g, m, &topic);
		break;
	case TOPIC_ERRORS:
		if (!strcmp(topic.device, g->settings.uplink.device))
			attach_errors(g, m);
		break;
	default:
		take_other(g, m, m->retained);
		break;
	}
}
