#include "config.h"

#include "plugin/broker.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/version.h"

/* Where nobody listens: `#` does not match what begins with a dollar, and it carries nothing. */
#define NOWHERE "$p11-registry/taken"

int
broker_send(const char *client_id, const char *topic, const void *payload, size_t len, int qos,
	struct fault *f)
{
	char *copy = NULL;

	if (len) {
		copy = mosquitto_malloc(len);
		if (!copy)
			return fault_nomem(f);
		memcpy(copy, payload, len);
	}
	if (mosquitto_broker_publish(client_id, topic, (int)len, copy, qos, false, NULL)) {
		mosquitto_free(copy);
		return fault_nomem(f);
	}
	return 0;
}

/* Until 2.0.14 mosquitto forgets what a plugin replaces; later it frees that itself. */
static void
replace(struct mosquitto_evt_message *message, char *topic, mosquitto_property *properties)
{
	if (!version_frees_replaced()) {
		mosquitto_free(message->topic);
		mosquitto_property_free_all(&message->properties);
	}
	message->topic = topic;
	message->properties = properties;
}

int
broker_redirect(struct mosquitto_evt_message *message, char *topic, mosquitto_property *properties,
	struct fault *f)
{
	if (!topic) {
		mosquitto_property_free_all(&properties);
		return fault_nomem(f);
	}
	replace(message, topic, properties);
	message->retain = false;
	return 0;
}

int
broker_swallow(struct mosquitto_evt_message *message, struct fault *f)
{
	char *copy = mosquitto_strdup(NOWHERE);

	if (!copy)
		return fault_nomem(f);
	replace(message, copy, NULL);
	message->retain = false;
	/* The broker frees the old payload; what is in it (a token, perhaps) goes with it. */
	message->payload = NULL;
	message->payloadlen = 0;
	return 0;
}
