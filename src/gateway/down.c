/* What comes from the cloud, on its way to the site. */
#include "config.h"

#include "gateway/inside.h"

#include <string.h>

#include "base/log.h"
#include "registry/topic.h"
#include "site/filter.h"

#define TOPIC_SIZE_MAX 2048

static void
note(struct gateway *g, const char *name)
{
	struct device *device = devices_find(g->devices, name);

	if (!device)
		return;
	device->received++;
	device->used_ms = gateway_now_ms(g);
}

/* A config that could not be brought on is asked for again. */
static void
config_is_due(struct gateway *g, const char *name)
{
	struct device *device = devices_find(g->devices, name);

	if (!strcmp(name, g->settings.uplink.device))
		g->local.own_due = true;
	else if (device)
		device->config_due = true;
}

static void
take_other(struct gateway *g, const struct mqtt_message *m)
{
	char topic[TOPIC_SIZE_MAX];
	int qos = routes_map(&g->in, ROUTE_IN, m->topic, topic, sizeof(topic));

	if (qos < 0)
		log_debug("nobody asked for topic=%s", m->topic);
	else
		local_deliver(
			g, "", topic, m->payload, m->len, qos < m->qos ? qos : m->qos, m->retained);
}

/* The newest config is kept by the site's broker for devices that come later. */
void
down_take(void *with, const struct mqtt_message *m)
{
	struct gateway *g = with;
	struct topic topic;

	/* Whatever the cloud sends: the site's clients are not to be disconnected for it. */
	if (!filter_is_topic(m->topic)) {
		log_debug("the cloud sends a message for '%.100s', which is no topic", m->topic);
		return;
	}
	topic_parse(m->topic, &topic);
	switch (topic.kind) {
	case TOPIC_CONFIG:
		note(g, topic.device);
		if (!local_deliver(g, topic.device, m->topic, m->payload, m->len, 1, true))
			config_is_due(g, topic.device);
		break;
	case TOPIC_COMMANDS:
		note(g, topic.device);
		local_deliver(g, topic.device, m->topic, m->payload, m->len, 1, false);
		break;
	case TOPIC_ERRORS:
		if (!strcmp(topic.device, g->settings.uplink.device))
			attach_errors(g, m);
		break;
	default:
		take_other(g, m);
		break;
	}
}
