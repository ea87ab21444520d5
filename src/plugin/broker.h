/* broker: what we ask of mosquitto: messages to one client, and another topic for a message. */
#ifndef PLUGIN_BROKER_H
#define PLUGIN_BROKER_H

#include <stddef.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

#include "base/fault.h"

/*
 * Sends a message to one connection, whatever it subscribed to; it goes out at the broker's next
 * pass.
 *
 * payload  copied
 *
 * Returns 0; else FAULT_NOMEM.
 */
int broker_send(const char *client_id, const char *topic, const void *payload, size_t len, int qos,
	struct fault *f);

/*
 * Gives a message that a device published another topic, and other properties (MQTT 5) in place of
 * all that the device gave it.
 *
 * topic       from mosquitto_malloc(), taken over; NULL when memory ran out for it
 * properties  taken over in any case; NULL for none
 *
 * Returns 0; else FAULT_NOMEM: the message must not go on then.
 */
int broker_redirect(struct mosquitto_evt_message *message, char *topic,
	mosquitto_property *properties, struct fault *f);

/* Lets a message end here, unseen: for who published it, it was taken. As broker_redirect(). */
int broker_swallow(struct mosquitto_evt_message *message, struct fault *f);

#endif
