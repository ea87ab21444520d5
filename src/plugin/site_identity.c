/* Which device a client is. */
#include "config.h"

#include "plugin/site_plugin.h"

#include <string.h>

#include "base/clock.h"
#include "plugin/broker_config.h"
#include "registry/rules.h"

/*
 * A broker that accepts clients without a password does not check user names. When the plugin
 * cannot read the broker's configuration file, it only logs that, so that a site with a correct
 * configuration still starts.
 */
int
site_identity_check(const struct site *site, struct fault *f)
{
	struct fault why = FAULT_INIT;
	struct broker_config config;

	if (strcmp(site->options.identity, "username") != 0)
		return 0;
	if (broker_config_read_own(SITE_PLUGIN ".so", &config, &why)) {
		mosquitto_log_printf(MOSQ_LOG_WARNING,
			SITE_PLUGIN ": cannot check that allow_anonymous is false, which "
				    "plugin_opt_identity username needs: %s",
			why.text);
		return 0;
	}
	return config.allow_anonymous
		       ? fault_set(f, FAULT_CONFIG,
				 "plugin_opt_identity username needs 'allow_anonymous false' in "
				 "mosquitto.conf: with 'true' a client may give any user name and "
				 "is that device; set it to false, with a password_file, or use "
				 "plugin_opt_identity client-id")
		       : 0;
}

const char *
site_identity_name(const struct site *site, const struct mosquitto *client)
{
	const struct speaker *speaker;
	const char *id;

	if (!strcmp(site->options.identity, "username"))
		return site->identity_unsafe ? NULL : mosquitto_client_username(client);
	id = mosquitto_client_id(client);
	if (!id || !rules_is_device_client(id))
		return id;
	/* A known client's long client ID was parsed when the client was added. */
	speaker = speakers_find(site->speakers, client, id);
	if (!speaker)
		return speaker_name(id);
	return speaker->device ? speaker->device->name : NULL;
}

bool
site_identity_is_trusted(const struct site *site, const struct mosquitto *client)
{
	const char *username = mosquitto_client_username(client);

	for (size_t i = 0; username && i < site->options.trusted.n; i++) {
		if (!strcmp(site->options.trusted.items[i], username))
			return true;
	}
	return false;
}

bool
site_identity_is_known(const struct site *site, const struct mosquitto *client)
{
	const char *id = mosquitto_client_id(client);

	return id && speakers_find(site->speakers, client, id);
}

/*
 * A name that no device can have is not limited, because no gateway is told of it. A name is
 * counted at its first use, not at the CONNECT. mosquitto tells plugins of a CONNECT only when they
 * check passwords, and then refuses each user name that no plugin accepts.
 */
bool
site_identity_accept_name(struct site *site, const char *name, const char *address)
{
	struct fault f = FAULT_INIT;

	if (!rules_is_device(name, strlen(name)) ||
		name_limit_accept(
			site->name_limit, name, address, clock_ms(CLOCK_MONOTONIC_COARSE), &f) == 0)
		return true;
	site_log_complaint(&site->names_limited, "new devices are refused", f.text);
	return false;
}

struct speaker *
site_identity_add(struct site *site, const struct mosquitto *client)
{
	const char *id = mosquitto_client_id(client), *name;
	struct speaker *speaker;
	struct fault f = FAULT_INIT;
	bool trusted;

	if (!id)
		return NULL;
	speaker = speakers_find(site->speakers, client, id);
	if (speaker)
		return speaker;
	name = site_identity_name(site, client);
	trusted = site_identity_is_trusted(site, client);
	if (name && !site_identity_accept_name(
			    site, name, trusted ? NULL : mosquitto_client_address(client)))
		return NULL;
	if (speakers_add(site->speakers, client, id, name, trusted, &speaker, &f)) {
		mosquitto_log_printf(MOSQ_LOG_ERR, SITE_PLUGIN ": %s", f.text);
		return NULL;
	}
	if (speaker->device && speaker->device->connections == 1)
		door_tell(site->door, FRAME_PRESENT, speaker->device->name, NULL, 0);
	return speaker;
}
