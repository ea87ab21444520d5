/* The cloud's broker: lets mosquitto speak Cloud IoT Core's protocol, by registry/'s rules. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "plugin/broker_config.h"
#include "base/clock.h"
#include "plugin/plugin.h"
#include "registry/rules.h"

#define NAME "p11_registry"

/* How long the broker stands still while another program writes to the registry. */
#define PATIENCE_MS 250

static void
plugin_free(struct plugin *plugin)
{
	if (!plugin)
		return;
	waker_free(plugin->waker);
	journal_free(plugin->journal);
	sessions_free(plugin->sessions);
	registry_close(plugin->registry);
	registry_options_clear(&plugin->options);
	free(plugin);
}

AUTO_DEFINE(plugin, struct plugin, plugin_free);

int64_t
plugin_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC_COARSE);
}

/* What is noted of a session's devices is kept before they go. */
static void
keep_notes(struct plugin *plugin, struct session *session)
{
	journal_keep(plugin->journal, &session->self);
	for (size_t i = 0; i < session->attached.n_slots; i++) {
		for (struct table_link *link = session->attached.slots[i]; link; link = link->next)
			journal_keep(plugin->journal, CONTAINER(link, struct device, by_name));
	}
}

void
plugin_end(struct plugin *plugin, struct session *session, const char *reason)
{
	if (session->ended)
		return;
	journal_failed(plugin->journal, &session->self, reason);
	journal_event(
		plugin->journal, &session->self, RULES_LOG_ERROR, "closing", "reason=%s", reason);
	keep_notes(plugin, session);
	sessions_end(plugin->sessions, session);
	plugin_set_due(plugin);
}

void
plugin_set_due(struct plugin *plugin)
{
	bool now = sessions_any_ended(plugin->sessions) || roster_stale(plugin->roster) ||
		   plugin->reading;

	waker_set_due(plugin->waker, now ? 1 : roster_next_end(plugin->roster));
}

bool
plugin_may_go_on(struct plugin *plugin, struct session *session)
{
	struct device *self = &session->self;
	int64_t now_ms = plugin_now_ms();

	if (session->ended)
		return false;
	if (self->admission.until <= time(NULL)) {
		plugin_end(plugin, session, "the token's time is over");
		return false;
	}
	if (session->idle.in)
		sessions_hear(plugin->sessions, session, now_ms);
	watch_look(plugin, now_ms);
	journal_tick(plugin->journal, now_ms);
	if (session->ended)
		return false;
	if (!roster_is_stale(plugin->roster, self))
		return true;
	return !watch_recheck(plugin, self) && !session->ended;
}

static void
forget(struct plugin *plugin, const void *client)
{
	struct session *session = sessions_find(plugin->sessions, client);

	if (!session)
		return;
	if (!session->ended)
		keep_notes(plugin, session);
	sessions_remove(plugin->sessions, client);
}

/*
 * Whether this connection was let in with this very token before: the broker asks about each client
 * once more when it reloads its settings, and a signature judged once need not be judged again.
 */
static bool
is_known(struct plugin *plugin, struct session *session, const unsigned char *digest)
{
	if (!session || CRYPTO_memcmp(session->digest, digest, SESSION_DIGEST_LEN) != 0 ||
		session->self.admission.until <= time(NULL))
		return false;
	/* When the file fails it stays; one that is stale is looked at before it does anything. */
	watch_recheck(plugin, &session->self);
	return !session->ended;
}

/*
 * A device that asked for a session to be kept (MQTT 5; a plugin cannot see that at CONNECT) stays
 * a client of the broker's after its connection, and a reload asks about it as about the others.
 * To refuse it then makes the broker close it once more, and expire it twice; to admit it makes a
 * session that nobody speaks over. It is marked when it goes.
 */
static void
mark_as_gone(struct plugin *plugin, struct mosquitto *client)
{
	const char *client_id = mosquitto_client_id(client);

	if (client_id && rules_is_device_client(client_id) &&
		mosquitto_set_username(client, plugin->gone_mark))
		journal_failure(plugin->journal, "cannot mark one that is gone", client_id,
			"memory ran out");
}

/* In constant time: who knew the mark would be let in, if only to be denied everything. */
static bool
is_gone(const struct plugin *plugin, const struct mosquitto_evt_basic_auth *auth)
{
	size_t len = strlen(plugin->gone_mark);

	return auth->username && strlen(auth->username) == len &&
	       CRYPTO_memcmp(auth->username, plugin->gone_mark, len) == 0;
}

static int
admit(struct plugin *plugin, const struct mosquitto_evt_basic_auth *auth, const char *client_id,
	const unsigned char *digest, struct fault *f)
{
	struct registry_admission admission;
	struct session *session;
	int keepalive = mosquitto_client_keepalive(auth->client);

	if (!mosquitto_client_clean_session(auth->client))
		return fault_set(
			f, FAULT_AUTH, "persistent sessions are not kept: set clean session");
	if (registry_admit(plugin->registry, client_id, auth->password, strlen(auth->password),
		    time(NULL), &admission, f) ||
		sessions_put(plugin->sessions, auth->client, client_id, &admission, &session, f))
		return -1;
	memcpy(session->digest, digest, SESSION_DIGEST_LEN);
	/* Others are watched by the broker, which sees their pings. */
	if (keepalive == 0 || keepalive > plugin->options.idle_s)
		sessions_hear(plugin->sessions, session, plugin_now_ms());
	journal_heard(plugin->journal, &session->self);
	journal_event(plugin->journal, &session->self, RULES_LOG_INFO, "connected", "type=%s",
		admission.gateway ? "gateway" : "device");
	gateway_take_over(plugin, &session->self);
	plugin_set_due(plugin);
	return 0;
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
	struct session *session = sessions_find(plugin->sessions, auth->client);
	unsigned char digest[SESSION_DIGEST_LEN];
	struct fault f = FAULT_INIT;
	int rc;

	(void)event;
	if (waker_called(plugin->waker, &f))
		journal_failure(plugin->journal, "changes wait for the next packet", "", f.text);
	/* Without a session it may do nothing, and nobody can come back to it. */
	if (is_gone(plugin, auth))
		return MOSQ_ERR_SUCCESS;
	/* One that waits to be closed is not let in again by a reload. */
	if (session && session->ended)
		return MOSQ_ERR_AUTH;
	if (!client_id || !rules_is_device_client(client_id)) {
		forget(plugin, auth->client);
		return MOSQ_ERR_PLUGIN_DEFER;
	}
	if (!auth->password)
		rc = fault_set(&f, FAULT_AUTH, "no token in the password");
	else if (!EVP_Digest(
			 auth->password, strlen(auth->password), digest, NULL, EVP_sha256(), NULL))
		rc = fault_openssl(&f, FAULT_CRYPTO, "no SHA-256");
	else if (is_known(plugin, session, digest))
		return MOSQ_ERR_SUCCESS;
	else {
		forget(plugin, auth->client);
		rc = admit(plugin, auth, client_id, digest, &f);
	}
	if (!rc)
		return MOSQ_ERR_SUCCESS;

	forget(plugin, auth->client);
	if (f.code == FAULT_AUTH) {
		journal_refused(plugin->journal, client_id, f.text);
		return MOSQ_ERR_AUTH;
	}
	journal_failure(plugin->journal, "cannot admit", client_id, f.text);
	return MOSQ_ERR_UNKNOWN;
}

/*
 * A device without a session was never let in here, or is gone already: its will is asked about
 * after its end, and a will is not for devices.
 *
 * MOSQ_ERR_AUTH closes the connection, but for reading: there it would fall on the publisher. What
 * is for a device is sent to its connection alone, and that is not asked about here: no device
 * reads what someone published to its topics.
 */
static int
on_acl_check(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_acl_check *acl = event_data;
	struct plugin *plugin = userdata;
	int denied = acl->access == MOSQ_ACL_READ ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_AUTH;
	struct session *session = sessions_find(plugin->sessions, acl->client);
	int rc;

	(void)event;
	if (!session) {
		const char *client_id = mosquitto_client_id(acl->client);

		if (client_id && !rules_is_device_client(client_id))
			return MOSQ_ERR_PLUGIN_DEFER;
		return denied;
	}
	if (acl->access == MOSQ_ACL_READ || !plugin_may_go_on(plugin, session))
		return denied;
	if (acl->access != MOSQ_ACL_WRITE) {
		rc = uplink_count_filter(plugin, session);
		if (rc)
			return rc;
	}
	switch (acl->access) {
	case MOSQ_ACL_WRITE:
		return uplink_check(plugin, session, acl);
	case MOSQ_ACL_SUBSCRIBE:
		return downlink_subscribe(plugin, session, acl);
	case MOSQ_ACL_UNSUBSCRIBE:
		downlink_unsubscribe(plugin, session, acl->topic);
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

	(void)event;
	return session ? uplink_take(plugin, session, message) : MOSQ_ERR_SUCCESS;
}

static int
on_tick(int event, void *event_data, void *userdata)
{
	struct plugin *plugin = userdata;

	(void)event;
	(void)event_data;
	waker_ticked(plugin->waker);
	watch_tick(plugin);
	return MOSQ_ERR_SUCCESS;
}

/* Perhaps asked for by the waker; each client's BASIC_AUTH follows. */
static int
on_reload(int event, void *event_data, void *userdata)
{
	struct plugin *plugin = userdata;

	(void)event;
	(void)event_data;
	plugin->looked_ms = 0;
	watch_tick(plugin);
	plugin_set_due(plugin);
	return MOSQ_ERR_SUCCESS;
}

static int
on_disconnect(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_disconnect *disconnect = event_data;
	struct plugin *plugin = userdata;
	struct session *session = sessions_find(plugin->sessions, disconnect->client);

	(void)event;
	if (session && !session->ended)
		journal_event(plugin->journal, &session->self, RULES_LOG_INFO, "disconnected",
			"attached=%zu", session_attached(session));
	forget(plugin, disconnect->client);
	mark_as_gone(plugin, disconnect->client);
	plugin_set_due(plugin);
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
	{MOSQ_EVT_RELOAD, on_reload},
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

static int
make_mark(struct plugin *plugin, struct fault *f)
{
	unsigned char bytes[MARK_BYTES];

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "no random bytes");
	base64url_encode(plugin->gone_mark, bytes, sizeof(bytes));
	return 0;
}

static void
set_retention(struct plugin *plugin)
{
	const struct registry_options *o = &plugin->options;
	const struct registry_retention retention = {.messages = o->max_subscription_messages,
		.bytes = o->max_subscription_bytes,
		.device_bytes = o->max_device_bytes,
		.age_s = o->message_retention_s};

	registry_set_retention(plugin->registry, &retention);
}

/* Devices need no acl_file, so that its absence is noticed only when a service gets nothing. */
static void
log_denied_services(void)
{
	struct fault why = FAULT_INIT;
	struct broker_config config;

	if (broker_config_read_own(NAME ".so", &config, &why))
		mosquitto_log_printf(MOSQ_LOG_NOTICE,
			NAME ": cannot check that mosquitto.conf has an acl_file, without which "
			     "service clients are denied every topic: %s",
			why.text);
	else if (config.denies_topics)
		mosquitto_log_printf(MOSQ_LOG_NOTICE,
			NAME ": mosquitto.conf has no acl_file: service clients are denied every "
			     "topic; add an acl_file with the topics of each, see "
			     "p11_registry.so(8)");
}

static int
start(struct plugin *plugin, const struct mosquitto_opt *options, int n, struct fault *f)
{
	if (make_mark(plugin, f) || registry_options_read(&plugin->options, options, n, f) ||
		registry_open(plugin->options.db_file, &plugin->registry, f) ||
		sessions_new(&plugin->sessions, f))
		return -1;
	registry_set_patience(plugin->registry, PATIENCE_MS);
	registry_set_skew(plugin->registry, plugin->options.clock_skew_s);
	registry_set_strict(plugin->registry, plugin->options.strict);
	set_retention(plugin);
	for (size_t i = 0; i < plugin->options.crl_file.n; i++) {
		if (registry_set_crl_file(plugin->registry, plugin->options.crl_file.items[i], f))
			return -1;
	}
	plugin->roster = sessions_roster(plugin->sessions);
	if (journal_new(plugin->registry, plugin->roster, &plugin->journal, f) ||
		waker_new(plugin->options.db_file, &plugin->waker, f))
		return -1;
	plugin->swept_ms = plugin_now_ms();
	for (size_t i = 0; i < N_CALLBACKS; i++) {
		int rc = mosquitto_callback_register(
			plugin->id, callbacks[i].event, callbacks[i].callback, NULL, plugin);

		if (rc) {
			unregister(plugin);
			return fault_set(f, FAULT_CONFIG,
				"the broker takes no callback for event %d", callbacks[i].event);
		}
	}
	log_denied_services();
	mosquitto_log_printf(
		MOSQ_LOG_INFO, NAME ": serving the registries of %s", plugin->options.db_file);
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
