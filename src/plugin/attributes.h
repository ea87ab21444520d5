/* attributes: Cloud Pub/Sub's attributes of a device's messages, as user properties (MQTT 5). */
#ifndef PLUGIN_ATTRIBUTES_H
#define PLUGIN_ATTRIBUTES_H

#include <mosquitto.h>

#include "base/fault.h"
#include "registry/registry.h"

/*
 * What was made for one device, kept for its next message: a copy costs the broker half of what
 * making them anew does, and they are most of what a message costs here.
 */
struct attributes;

/*
 * Copies the attributes of a message.
 *
 * kept  one device's, made anew when the subfolder is another; NULL before the first
 * ret   free with mosquitto_property_free_all()
 *
 * Returns 0; else FAULT_NOMEM.
 */
int attributes_copy(struct attributes **kept, const struct registry_message *about,
	mosquitto_property **ret, struct fault *f);

/* NULL is allowed. */
void attributes_free(struct attributes *attributes);

#endif
