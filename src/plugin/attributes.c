#include "config.h"

#include "plugin/attributes.h"

#include <stdlib.h>
#include <string.h>

#include <mqtt_protocol.h>

#include "base/auto.h"

struct attributes {
	mosquitto_property *properties;
	char subfolder[];
};

void
attributes_free(struct attributes *attributes)
{
	if (!attributes)
		return;
	mosquitto_property_free_all(&attributes->properties);
	free(attributes);
}

AUTO_DEFINE(attributes, struct attributes, attributes_free);

/* Some brokers keep it to themselves (2.0.21): they have each message's made anew. */
#pragma weak mosquitto_property_copy_all

static int
add(mosquitto_property **to, const char *name, const char *value)
{
	return mosquitto_property_add_string_pair(to, MQTT_PROP_USER_PROPERTY, name, value);
}

static int
make(const struct registry_message *about, mosquitto_property **ret, struct fault *f)
{
	const struct registry_admission *from = about->from;
	mosquitto_property *made = NULL;

	if (add(&made, "deviceId", from->device_id) ||
		add(&made, "deviceNumId", from->device_num_id) ||
		add(&made, "deviceRegistryId", from->client.registry) ||
		add(&made, "deviceRegistryLocation", from->client.region) ||
		add(&made, "projectId", from->client.project) ||
		add(&made, "subFolder", about->subfolder) ||
		(about->gateway && add(&made, "gatewayId", about->gateway))) {
		mosquitto_property_free_all(&made);
		return fault_nomem(f);
	}
	*ret = made;
	return 0;
}

static int
keep(const struct registry_message *about, struct attributes **ret, struct fault *f)
{
	size_t size = strlen(about->subfolder) + 1;
	AUTO(auto_attributes) struct attributes *made = calloc(1, sizeof(*made) + size);

	if (!made)
		return fault_nomem(f);
	memcpy(made->subfolder, about->subfolder, size);
	if (make(about, &made->properties, f))
		return -1;
	*ret = TAKE(made);
	return 0;
}

int
attributes_copy(struct attributes **kept, const struct registry_message *about,
	mosquitto_property **ret, struct fault *f)
{
	struct attributes *made;

	if (!mosquitto_property_copy_all)
		return make(about, ret, f);
	if (!*kept || strcmp((*kept)->subfolder, about->subfolder) != 0) {
		if (keep(about, &made, f))
			return -1;
		attributes_free(*kept);
		*kept = made;
	}
	return mosquitto_property_copy_all(ret, (*kept)->properties) ? fault_nomem(f) : 0;
}
