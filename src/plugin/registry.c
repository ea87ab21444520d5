/* The cloud's broker: lets mosquitto speak Cloud IoT Core's protocol, by registry/'s rules. */
#include "config.h"

#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "base/auto.h"
#include "base/fault.h"
#include "plugin/sessions.h"
#include "registry/registry.h"
#include "registry/rules.h"

#define NAME "p11_registry"

/* How often the registry's file is asked whether someone else changed it. */
#define LOOK_EVERY_MS 200

/*
 * Looking again at who may stay costs the broker at most this many queries for each millisecond
 * that went by, and this many at once.
 */
#define RECHECKS_PER_MS 20
#define RECHECKS_MAX	2000

/* Connections closed at once. */
#define KICKS_MAX 200

/* Characters of a client id in a log line. */
#define LOG_ID_MAX 200

/*
 * looked_ms  when the file was last asked, by the monotonic clock
 * swept_ms   when stale sessions were last looked at
 * failing    the file failed when it was last asked about a session: say so once
 */
struct plugin {
	mosquitto_plugin_id_t *id;
	struct registry *registry;
	struct sessions *sessions;
	long looked_ms;
	long swept_ms;
	bool failing;
};

static void
plugin_free(struct plugin *plugin)
{
	if (!plugin)
		return;
	sessions_free(plugin->sessions);
	registry_close(plugin->registry);
	free(plugin);
}

AUTO_DEFINE(plugin, struct plugin, plugin_free);

/* A line about a client: its id comes from outside, so that only plain characters are shown. */
static void
report(int level, const char *event, const char *client_id, const char *reason)
{
	char shown[LOG_ID_MAX + 4];
	size_t n;

	for (n = 0; n < LOG_ID_MAX && client_id[n]; n++) {
		bool plain = client_id[n] > ' ' && client_id[n] < 0x7f;

		shown[n] = plain ? client_id[n] : '?';
	}
	strcpy(shown + n, client_id[n] ? "..." : "");
	mosquitto_log_printf(level, NAME ": %s client=%s reason=%s", event, shown, reason);
}

static long
monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
end(struct plugin *plugin, struct session *session, const char *reason)
{
	report(MOSQ_LOG_NOTICE, "closing", session->client_id, reason);
	sessions_end(plugin->sessions, session);
}

/* Asks the file whether it changed, now and then: this is called for every packet. */
static void
look(struct plugin *plugin, long now_ms)
{
	if (now_ms - plugin->looked_ms < LOOK_EVERY_MS)
		return;
	plugin->looked_ms = now_ms;
	if (registry_changed(plugin->registry))
		sessions_make_stale(plugin->sessions);
}

/*
 * Looks again at one session whose device the registry may have blocked or deleted.
 *
 * Returns 0 when it may stay or is ended now; -1 when the file failed: it is as stale as before.
 */
static int
recheck(struct plugin *plugin, struct session *session)
{
	struct fault f = FAULT_INIT;

	if (!registry_may_stay(plugin->registry, &session->admission, &f)) {
		sessions_fresh(plugin->sessions, session);
	} else if (f.code == FAULT_AUTH) {
		end(plugin, session, f.text);
	} else {
		if (!plugin->failing)
			report(MOSQ_LOG_ERR, "cannot check", session->client_id, f.text);
		plugin->failing = true;
		return -1;
	}
	plugin->failing = false;
	return 0;
}

/* Whether a device may still do anything at all; ends its session when not. */
static bool
may_go_on(struct plugin *plugin, struct session *session)
{
	if (session->ended)
		return false;
	if (session->admission.until <= time(NULL)) {
		end(plugin, session, "the token's time is over");
		return false;
	}
	look(plugin, monotonic_ms());
	if (!sessions_is_stale(plugin->sessions, session))
		return true;
	return !recheck(plugin, session) && !session->ended;
}

/*
 * A device's CONNECT; also each client once more when the broker reloads its settings.
 *
 * A file that fails closes the connection without a CONNACK: to "not authorised", which is what
 * MOSQ_ERR_AUTH becomes, devices give up for good.
 */
static int
on_basic_auth(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_basic_auth *auth = event_data;
	struct plugin *plugin = userdata;
	const char *client_id = mosquitto_client_id(auth->client);
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	int rc;

	(void)event;
	if (!client_id || !rules_is_device_client(client_id)) {
		sessions_remove(plugin->sessions, auth->client);
		return MOSQ_ERR_PLUGIN_DEFER;
	}
	if (!auth->password)
		rc = fault_set(&f, FAULT_AUTH, "no token in the password");
	else if (!mosquitto_client_clean_session(auth->client))
		rc = fault_set(
			&f, FAULT_AUTH, "persistent sessions are not kept: set clean session");
	else
		rc = registry_admit(plugin->registry, client_id, auth->password,
			strlen(auth->password), time(NULL), &admission, &f);
	if (!rc)
		rc = sessions_put(plugin->sessions, auth->client, client_id, &admission, &f);
	if (!rc)
		return MOSQ_ERR_SUCCESS;

	sessions_remove(plugin->sessions, auth->client);
	if (f.code == FAULT_AUTH) {
		report(MOSQ_LOG_NOTICE, "refused", client_id, f.text);
		return MOSQ_ERR_AUTH;
	}
	report(MOSQ_LOG_ERR, "cannot admit", client_id, f.text);
	return MOSQ_ERR_UNKNOWN;
}

static int
acl_write(struct session *session, const struct mosquitto_evt_acl_check *acl)
{
	const char *device = session->admission.client.device;
	struct fault f = FAULT_INIT;

	if (!rules_may_publish(device, acl->topic, acl->payloadlen, acl->qos, &f))
		return MOSQ_ERR_SUCCESS;
	report(MOSQ_LOG_NOTICE, "closed", session->client_id, f.text);
	return MOSQ_ERR_AUTH;
}

static int
acl_subscribe(struct session *session, const struct mosquitto_evt_acl_check *acl)
{
	const char *device = session->admission.client.device;
	struct fault f = FAULT_INIT;

	if (!rules_may_subscribe(device, acl->topic, &f))
		return MOSQ_ERR_SUCCESS;
	report(MOSQ_LOG_NOTICE, "refused subscription", session->client_id, f.text);
	return MOSQ_ERR_ACL_DENIED;
}

/*
 * A device without a session was never let in here, or is gone already: its will is asked about
 * after its end, and a will is not for devices.
 *
 * MOSQ_ERR_AUTH closes the connection, but for reading: there it would fall on the publisher.
 */
static int
on_acl_check(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_acl_check *acl = event_data;
	struct plugin *plugin = userdata;
	int denied = acl->access == MOSQ_ACL_READ ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_AUTH;
	struct session *session = sessions_find(plugin->sessions, acl->client);

	(void)event;
	if (!session) {
		const char *client_id = mosquitto_client_id(acl->client);

		if (client_id && !rules_is_device_client(client_id))
			return MOSQ_ERR_PLUGIN_DEFER;
		return denied;
	}
	if (!may_go_on(plugin, session))
		return denied;
	switch (acl->access) {
	case MOSQ_ACL_WRITE:
		return acl_write(session, acl);
	case MOSQ_ACL_READ:
		return rules_may_receive(session->admission.client.device, acl->topic)
			       ? MOSQ_ERR_SUCCESS
			       : MOSQ_ERR_ACL_DENIED;
	case MOSQ_ACL_SUBSCRIBE:
		return acl_subscribe(session, acl);
	case MOSQ_ACL_UNSUBSCRIBE:
		return MOSQ_ERR_SUCCESS;
	default:
		return denied;
	}
}

/*
 * A message that a device may publish: it is kept before the PUBACK. When it cannot be, the
 * connection is closed without one, and the device sends it again.
 */
static int
on_message(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_message *message = event_data;
	struct plugin *plugin = userdata;
	struct session *session = sessions_find(plugin->sessions, message->client);
	const struct registry_admission *from;
	struct fault f = FAULT_INIT;
	char device[RULES_ID_MAX + 1];
	const char *subfolder;
	int rc;

	(void)event;
	if (!session)
		return MOSQ_ERR_SUCCESS;
	from = &session->admission;
	message->retain = false;
	switch (rules_parse_topic(message->topic, device, sizeof(device), &subfolder)) {
	case RULES_TOPIC_EVENTS:
		rc = registry_telemetry(plugin->registry, from, subfolder, message->payload,
			message->payloadlen, time(NULL), &f);
		break;
	case RULES_TOPIC_STATE:
		rc = registry_state(plugin->registry, from, message->payload, message->payloadlen,
			time(NULL), &f);
		break;
	default:
		rc = fault_set(&f, FAULT_AUTH, "a topic that devices do not publish");
	}
	if (!rc)
		return MOSQ_ERR_SUCCESS;
	report(f.code == FAULT_IO ? MOSQ_LOG_ERR : MOSQ_LOG_NOTICE, "closed", session->client_id,
		f.text);
	return MOSQ_ERR_AUTH;
}

static void
sweep(struct plugin *plugin, long now_ms)
{
	long budget = (now_ms - plugin->swept_ms) * RECHECKS_PER_MS;
	struct session *session;

	if (budget <= 0)
		return;
	plugin->swept_ms = now_ms;
	if (budget > RECHECKS_MAX)
		budget = RECHECKS_MAX;
	while (budget-- && (session = sessions_stale(plugin->sessions))) {
		if (recheck(plugin, session))
			return;
	}
}

/*
 * Closes the connections of ended sessions: only here, because a kick inside another callback frees
 * what the broker is still using. on_disconnect() runs inside the kick, and frees the session.
 */
static void
kick(struct plugin *plugin)
{
	struct session *session;

	for (int n = 0; n < KICKS_MAX && (session = sessions_take_ended(plugin->sessions)); n++) {
		AUTO(auto_free) char *client_id = NULL;

		if (!sessions_is_newest(plugin->sessions, session))
			continue;
		client_id = strdup(session->client_id);
		if (client_id)
			mosquitto_kick_client_by_clientid(client_id, false);
	}
}

/* Once for each pass of the broker's loop, up to 100,000 times a second: nearly always nothing. */
static int
on_tick(int event, void *event_data, void *userdata)
{
	struct plugin *plugin = userdata;
	long now_ms = monotonic_ms();
	time_t now = time(NULL);
	struct session *session;

	(void)event;
	(void)event_data;
	look(plugin, now_ms);
	while ((session = sessions_expired(plugin->sessions, now)))
		end(plugin, session, "the token's time is over");
	sweep(plugin, now_ms);
	kick(plugin);
	return MOSQ_ERR_SUCCESS;
}

static int
on_disconnect(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_disconnect *disconnect = event_data;
	struct plugin *plugin = userdata;

	(void)event;
	sessions_remove(plugin->sessions, disconnect->client);
	return MOSQ_ERR_SUCCESS;
}

static const struct {
	int event;
	MOSQ_FUNC_generic_callback callback;
} callbacks[] = {
	{MOSQ_EVT_BASIC_AUTH, on_basic_auth},
	{MOSQ_EVT_ACL_CHECK, on_acl_check},
	{MOSQ_EVT_MESSAGE, on_message},
	{MOSQ_EVT_TICK, on_tick},
	{MOSQ_EVT_DISCONNECT, on_disconnect},
};

#define N_CALLBACKS (sizeof(callbacks) / sizeof(callbacks[0]))

static void
unregister(struct plugin *plugin)
{
	for (size_t i = 0; i < N_CALLBACKS; i++)
		mosquitto_callback_unregister(
			plugin->id, callbacks[i].event, callbacks[i].callback, NULL);
}

/* Named with three letters or more: mosquitto 2.0 takes no shorter option. */
static int
read_options(const struct mosquitto_opt *options, int n, const char **ret_path, struct fault *f)
{
	const char *path = NULL;

	for (int i = 0; i < n; i++) {
		if (strcmp(options[i].key, "db_file"))
			return fault_set(
				f, FAULT_CONFIG, "unknown option plugin_opt_%s", options[i].key);
		path = options[i].value;
	}
	if (!path || !*path)
		return fault_set(f, FAULT_CONFIG,
			"plugin_opt_db_file is missing: name the file that "
			"p11-registry --db names");
	*ret_path = path;
	return 0;
}

static int
start(struct plugin *plugin, const struct mosquitto_opt *options, int n, struct fault *f)
{
	const char *path;

	if (read_options(options, n, &path, f) || registry_open(path, &plugin->registry, f) ||
		sessions_new(&plugin->sessions, f))
		return -1;
	plugin->swept_ms = monotonic_ms();
	for (size_t i = 0; i < N_CALLBACKS; i++) {
		int rc = mosquitto_callback_register(
			plugin->id, callbacks[i].event, callbacks[i].callback, NULL, plugin);

		if (rc) {
			unregister(plugin);
			return fault_set(f, FAULT_CONFIG,
				"the broker takes no callback for event %d", callbacks[i].event);
		}
	}
	mosquitto_log_printf(MOSQ_LOG_INFO, NAME ": serving the registries of %s", path);
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
	AUTO(auto_plugin) struct plugin *plugin = calloc(1, sizeof(*plugin));
	struct fault f = FAULT_INIT;

	if (!plugin)
		return MOSQ_ERR_NOMEM;
	plugin->id = identifier;
	if (start(plugin, options, option_count, &f)) {
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s", f.text);
		return MOSQ_ERR_UNKNOWN;
	}
	*userdata = TAKE(plugin);
	return MOSQ_ERR_SUCCESS;
}

int
mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
	struct plugin *plugin = userdata;

	(void)options;
	(void)option_count;
	if (plugin)
		unregister(plugin);
	plugin_free(plugin);
	return MOSQ_ERR_SUCCESS;
}
