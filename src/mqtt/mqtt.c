#include "config.h"

#include "mqtt/mqtt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mqtt/diagnose.h"
#include "mqtt/inside.h"
#include "mqtt/url.h"
#include "mqtt/words.h"

/* What the protocol has room for. */
#define STRING_MAX     65535
#define KEEP_ALIVE_MAX 65535
#define ALPN_MAX       255

/* How long diagnosing, or a polite end after the user cancelled, may take. */
#define DIAGNOSE_MAX_S	10
#define CANCELLED_MAX_S 1

/* paho takes a proxy from the environment even for mqtt; a device's link is what it was told. */
static void
drop_proxies(void)
{
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("HTTP_PROXY");
	unsetenv("HTTPS_PROXY");
}

static int
create(struct mqtt *m, const struct mqtt_url *url, const struct mqtt_options *o, struct fault *f)
{
	const MQTTAsync_createOptions v4 = MQTTAsync_createOptions_initializer;
	const MQTTAsync_createOptions v5 = MQTTAsync_createOptions_initializer5;
	MQTTAsync_createOptions create = o->version == 5 ? v5 : v4;
	int rc;

	create.sendWhileDisconnected = 0;
	create.maxBufferedMessages = MQTT_WINDOW_MAX;
	create.restoreMessages = 0;
	create.persistQoS0 = 0;
	create.MQTTVersion = o->version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	rc = MQTTAsync_createWithOptions(
		&m->client, url->paho, o->client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
	if (rc == MQTTASYNC_SUCCESS)
		rc = mqtt_watch(m);
	if (rc != MQTTASYNC_SUCCESS)
		return fault_set(
			f, FAULT_NET, "paho cannot make a client: %s", MQTTAsync_strerror(rc));
	return 0;
}

static int
start(struct mqtt *m, const struct mqtt_url *url, const struct mqtt_options *o, struct fault *f)
{
	const MQTTAsync_connectOptions v4 = MQTTAsync_connectOptions_initializer;
	const MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
	MQTTAsync_connectOptions connect = o->version == 5 ? v5 : v4;
	MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
	char protos[ALPN_MAX + 2];
	int rc;

	connect.MQTTVersion = o->version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	connect.keepAliveInterval = o->keep_alive_s;
	connect.connectTimeout = o->timeout_s;
	connect.maxInflight = 2 * MQTT_WINDOW_MAX;
	connect.automaticReconnect = 0;
	connect.username = o->username;
	connect.password = o->password; /* paho's copy lives in plain memory until mqtt_free() */
	if (o->version == 5)
		connect.cleanstart = 1;
	else
		connect.cleansession = 1;
	mqtt_watch_connect(m, &connect);
	if (url->tls) {
		ssl.enableServerCertAuth = 1;
		ssl.verify = 1; /* the host's name too */
		ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
		ssl.trustStore = o->ca_file;
		ssl.disableDefaultTrustStore = o->ca_file != NULL;
		if (o->alpn) {
			protos[0] = (char)strlen(o->alpn);
			memcpy(protos + 1, o->alpn, strlen(o->alpn) + 1);
			ssl.protos = (const unsigned char *)protos;
			ssl.protos_len = (unsigned)strlen(protos);
		}
		connect.ssl = &ssl;
	}
	rc = MQTTAsync_connect(m->client, &connect);
	if (rc != MQTTASYNC_SUCCESS)
		return fault_set(f, FAULT_NET, "paho cannot connect: %s", MQTTAsync_strerror(rc));
	return 0;
}

static struct mqtt *
make(const struct mqtt_options *options)
{
	struct mqtt *m = calloc(1, sizeof(*m));
	pthread_condattr_t monotonic;

	if (!m)
		return NULL;
	m->version = options->version;
	m->timeout_s = options->timeout_s;
	m->cancelled = options->cancelled;
	m->window = MQTT_WINDOW_MAX;
	m->qos_max = 1;
	m->packet_max = SIZE_MAX;
	m->connack = MQTT_NO_REASON;
	pthread_mutex_init(&m->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&m->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &m->slots[i];
		struct idle *idle;

		slot->mqtt = m;
		slot->subscribes = i >= MQTT_WINDOW_MAX;
		idle = slot->subscribes ? &m->idle_subscriptions : &m->idle_messages;
		idle->slots[idle->n++] = slot;
	}
	m->wake = options->wake;
	m->wake_with = options->wake_with;
	m->deadline_ms = mqtt_now_ms() + (int64_t)m->timeout_s * 1000;
	return m;
}

static bool
fits(const char *text)
{
	return !text || strlen(text) <= STRING_MAX;
}

static int
check(const struct mqtt_options *o, struct fault *f)
{
	if (!fits(o->client_id) || !fits(o->username) || !fits(o->password))
		return fault_set(f, FAULT_USAGE,
			"client id, user name and password may have %d bytes each", STRING_MAX);
	if (o->alpn && (!*o->alpn || strlen(o->alpn) > ALPN_MAX))
		return fault_set(
			f, FAULT_USAGE, "a protocol's name in TLS has 1 to %d bytes", ALPN_MAX);
	if ((o->version != 4 && o->version != 5) || o->keep_alive_s < 0 ||
		o->keep_alive_s > KEEP_ALIVE_MAX || o->timeout_s < 1)
		return fault_set(f, FAULT_USAGE,
			"MQTT's version must be 4 or 5, the keep-alive 0..%d s, the timeout 1 s at "
			"least",
			KEEP_ALIVE_MAX);
	return 0;
}

int
mqtt_start(const struct mqtt_options *options, struct mqtt **ret_mqtt, struct fault *f)
{
	AUTO(auto_mqtt) struct mqtt *m = NULL;
	struct mqtt_url url;

	if (check(options, f) || mqtt_url_parse(options->url, &url, f))
		return -1;
	if (options->ca_file && access(options->ca_file, R_OK) < 0) {
		fault_errno(f, "cannot read the CA file '%s'", options->ca_file);
		if (f)
			f->code = FAULT_CONFIG;
		return -1;
	}
	drop_proxies();
	m = make(options);
	if (!m)
		return fault_nomem(f);
	if (create(m, &url, options, f) || start(m, &url, options, f))
		return -1;
	*ret_mqtt = TAKE(m);
	return 0;
}

static void
say_why(const struct mqtt *m, int connack, int goodbye, bool was_up, struct fault *ret_why)
{
	*ret_why = (struct fault)FAULT_INIT;
	if (m->stopping)
		return;
	if (connack > 0)
		mqtt_fault_connack(m->version, connack, ret_why);
	else if (goodbye == MQTT_OVERRUN)
		fault_set(ret_why, FAULT_NET,
			"messages come from the broker faster than they can be handed on");
	else if (was_up)
		mqtt_fault_lost(goodbye, ret_why);
	else if (m->timed_out)
		fault_set(
			ret_why, FAULT_NET, "the broker gave no answer within %d s", m->timeout_s);
	else
		fault_set(ret_why, FAULT_NET, "the broker cannot be reached, or gives no answer");
}

enum mqtt_state
mqtt_poll(struct mqtt *mqtt, struct fault *ret_why)
{
	enum link link;
	int connack, goodbye;

	pthread_mutex_lock(&mqtt->mutex);
	mqtt->roused = false;
	if (mqtt->link == UP)
		mqtt->was_up = true;
	else if (mqtt->link == CONNECTING && mqtt_now_ms() > mqtt->deadline_ms) {
		mqtt->link = DOWN;
		mqtt->timed_out = true;
	}
	if (mqtt->stopping && mqtt_now_ms() > mqtt->deadline_ms)
		mqtt->link = DOWN;
	connack = mqtt->connack;
	pthread_mutex_unlock(&mqtt->mutex);
	mqtt_hand_on(mqtt);
	mqtt_reap(mqtt, &link, &goodbye);
	if (link == DOWN)
		say_why(mqtt, connack, goodbye, mqtt->was_up, ret_why);
	return link == CONNECTING ? MQTT_CONNECTING : link == UP ? MQTT_UP : MQTT_DOWN;
}

int
mqtt_check_url(const char *url, struct fault *f)
{
	struct mqtt_url parsed;

	return mqtt_url_parse(url, &parsed, f);
}

int
mqtt_explain(const char *url, const char *ca_file, int timeout_s, struct fault *f)
{
	struct mqtt_url parsed;

	if (mqtt_url_parse(url, &parsed, f))
		return -1;
	return mqtt_diagnose(
		&parsed, ca_file, timeout_s < DIAGNOSE_MAX_S ? timeout_s : DIAGNOSE_MAX_S, f);
}

void
mqtt_stop(struct mqtt *mqtt)
{
	const MQTTAsync_disconnectOptions v4 = MQTTAsync_disconnectOptions_initializer;
	const MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5;
	MQTTAsync_disconnectOptions options = mqtt->version == 5 ? v5 : v4;

	mqtt->stopping = true;
	mqtt->deadline_ms = mqtt_now_ms() + (int64_t)mqtt->timeout_s * 1000;
	mqtt_watch_end(mqtt, &options);
	if (MQTTAsync_disconnect(mqtt->client, &options) != MQTTASYNC_SUCCESS)
		mqtt_set_link(mqtt, DOWN);
}

/* Without waiting for what is in flight: who wants that drains. */
static void
disconnect(struct mqtt *m)
{
	bool cancelled = m->cancelled && m->cancelled();
	int64_t deadline =
		mqtt_now_ms() + (int64_t)(cancelled ? CANCELLED_MAX_S : m->timeout_s) * 1000;

	if (!m->stopping)
		mqtt_stop(m);
	pthread_mutex_lock(&m->mutex);
	while (m->link == UP && mqtt_now_ms() < deadline)
		mqtt_wait_slice(m);
	pthread_mutex_unlock(&m->mutex);
}

void
mqtt_free(struct mqtt *mqtt)
{
	if (!mqtt)
		return;
	if (mqtt->client) {
		if (MQTTAsync_isConnected(mqtt->client))
			disconnect(mqtt);
		MQTTAsync_destroy(&mqtt->client);
	}
	mqtt_drop_inbox(mqtt);
	pthread_cond_destroy(&mqtt->woken);
	pthread_mutex_destroy(&mqtt->mutex);
	free(mqtt);
}
