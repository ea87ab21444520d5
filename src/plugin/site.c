/* p11_site.so: the callbacks of the site's broker, and the plugin's start and end. */
#include "config.h"

#include "plugin/site_plugin.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "registry/rules.h"

/* The shortest time between two polls of the gateways' socket. */
#define POLL_MS 4

static void
site_free(struct site *site)
{
	if (!site)
		return;
	door_free(site->door);
	name_file_close(site->name_file);
	name_limit_free(site->name_limit);
	speakers_free(site->speakers);
	timely_close(site->spool);
	will_clear(&site->will);
	retained_clear(&site->retained);
	site_options_clear(&site->options);
	free(site);
}

AUTO_DEFINE(site, struct site, site_free);

static void
log_gateway(void *with, bool good, const char *text)
{
	(void)with;
	mosquitto_log_printf(good ? MOSQ_LOG_INFO : MOSQ_LOG_NOTICE, SITE_PLUGIN ": %s", text);
}

static void
tick_files(struct site *site)
{
	struct fault f = FAULT_INIT;
	bool failed = timely_tick(site->spool, clock_ms(CLOCK_BOOTTIME), &f) != 0;

	if (failed && !site->tick_failed)
		mosquitto_log_printf(MOSQ_LOG_ERR, SITE_PLUGIN ": %s", f.text);
	site->tick_failed = failed;
	if (name_file_tick(site->name_file, clock_ms(CLOCK_MONOTONIC_COARSE), &f))
		mosquitto_log_printf(MOSQ_LOG_ERR, SITE_PLUGIN ": %s", f.text);
}

/* The broker calls this up to 100,000 times a second; nearly always nothing is due. */
static void
poll_gateways(struct site *site)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC_COARSE);

	if (now_ms - site->polled_ms < POLL_MS)
		return;
	site->polled_ms = now_ms;
	door_poll(site->door);
	tick_files(site);
}

/*
 * The broker accepts a connection in one pass of its loop and reads it in a later one, so a tick
 * comes before the first message. A broker that sends no ticks calls the plugin only for messages.
 */
static void
poll_without_tick(struct site *site)
{
	if (!site->missing_tick_logged)
		mosquitto_log_printf(MOSQ_LOG_ERR, SITE_PLUGIN
			": this broker gives plugins no time with per_listener_settings true "
			"(2.0.15 and later do): config and commands wait for a message to "
			"come");
	site->missing_tick_logged = true;
	poll_gateways(site);
}

static int
on_acl_check(int event, void *event_data, void *userdata)
{
	(void)event;
	return site_accept_acl(userdata, event_data);
}

/* The message is in the spool before the broker sends the PUBACK. */
static int
on_message(int event, void *event_data, void *userdata)
{
	struct site *site = userdata;
	int rc = site_accept_message(site, event_data);

	(void)event;
	if (!site->ticks)
		poll_without_tick(site);
	return rc;
}

static int
on_tick(int event, void *event_data, void *userdata)
{
	struct site *site = userdata;

	(void)event;
	(void)event_data;
	site->ticks = true;
	site_accept_next_event(site, NULL);
	poll_gateways(site);
	return MOSQ_ERR_SUCCESS;
}

static int
on_disconnect(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_disconnect *disconnect = event_data;
	struct site *site = userdata;
	char gone[RULES_ID_MAX + 1];

	(void)event;
	site_accept_next_event(site, NULL);
	will_note_end(&site->will, disconnect->client);
	speakers_remove(site->speakers, disconnect->client, gone);
	if (!*gone)
		return MOSQ_ERR_SUCCESS;
	/* The device may have been connected for months, and was last seen now. */
	if (rules_is_device(gone, strlen(gone)))
		name_limit_remember(site->name_limit, gone, NULL);
	door_tell(site->door, FRAME_GONE, gone, NULL, 0);
	return MOSQ_ERR_SUCCESS;
}

/* mosquitto reads its configuration file again: see site_identity_check(). */
static int
on_reload(int event, void *event_data, void *userdata)
{
	struct site *site = userdata;
	struct fault f = FAULT_INIT;

	(void)event;
	(void)event_data;
	site->identity_unsafe = site_identity_check(site, &f) != 0;
	if (site->identity_unsafe)
		mosquitto_log_printf(MOSQ_LOG_ERR,
			SITE_PLUGIN ": no client is accepted as a device: %s", f.text);
	return MOSQ_ERR_SUCCESS;
}

static const struct {
	int event;
	MOSQ_FUNC_generic_callback callback;
} callbacks[] = {
	{MOSQ_EVT_ACL_CHECK, on_acl_check},
	{MOSQ_EVT_MESSAGE, on_message},
	{MOSQ_EVT_TICK, on_tick},
	{MOSQ_EVT_DISCONNECT, on_disconnect},
	{MOSQ_EVT_RELOAD, on_reload},
};

#define N_CALLBACKS (sizeof(callbacks) / sizeof(callbacks[0]))

static void
unregister(struct site *site)
{
	for (size_t i = 0; i < N_CALLBACKS; i++)
		mosquitto_callback_unregister(
			site->id, callbacks[i].event, callbacks[i].callback, NULL);
}

static int
start(struct site *site, const struct mosquitto_opt *options, int n, struct fault *f)
{
	struct spool_options spool;

	if (site_options_read(&site->options, options, n, f) || site_identity_check(site, f))
		return -1;
	spool = site_options_spool(&site->options);
	if (timely_open(site->options.spool, &spool, (int)site->options.disk_timeout_ms,
		    &site->spool, f) ||
		speakers_new(&site->speakers, f) ||
		name_limit_new(&site->options.new_devices, &site->name_limit, f) ||
		name_file_open(site->options.spool, site->name_limit, &site->name_file, f) ||
		door_new(site->options.socket, site->speakers, site_deliver, log_gateway, site,
			&site->door, f))
		return -1;
	for (size_t i = 0; i < N_CALLBACKS; i++) {
		int rc = mosquitto_callback_register(
			site->id, callbacks[i].event, callbacks[i].callback, NULL, site);

		if (rc) {
			unregister(site);
			return fault_set(f, FAULT_CONFIG,
				"the broker takes no callback for event %d", callbacks[i].event);
		}
	}
	mosquitto_log_printf(MOSQ_LOG_INFO,
		SITE_PLUGIN ": messages go to %s%s%s, gateways come to %s", site->options.spool,
		spool.front ? ", first to memory in " : "", spool.front ? spool.front : "",
		site->options.socket);
	return 0;
}

int
mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++) {
		if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

int
mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
	struct mosquitto_opt *options, int option_count)
{
	AUTO(auto_site) struct site *site = calloc(1, sizeof(*site));
	struct fault f = FAULT_INIT;

	if (!site)
		return MOSQ_ERR_NOMEM;
	site->id = identifier;
	if (start(site, options, option_count, &f)) {
		mosquitto_log_printf(MOSQ_LOG_ERR, SITE_PLUGIN ": %s", f.text);
		return MOSQ_ERR_UNKNOWN;
	}
	*userdata = TAKE(site);
	return MOSQ_ERR_SUCCESS;
}

int
mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
	struct site *site = userdata;

	(void)options;
	(void)option_count;
	if (site)
		unregister(site);
	site_free(site);
	return MOSQ_ERR_SUCCESS;
}
