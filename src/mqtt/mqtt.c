#include "config.h"

#include "mqtt/mqtt.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mqtt/diagnose.h"
#include "mqtt/guard.h"
#include "mqtt/inside.h"
#include "mqtt/stream.h"
#include "mqtt/url.h"
#include "mqtt/words.h"

/* What the protocol has room for. */
#define STRING_MAX     65535
#define KEEP_ALIVE_MAX 65535
#define ALPN_MAX       255

/* How long diagnosing, or a polite end after the user cancelled, may take. */
#define DIAGNOSE_MAX_S	 10
#define CANCELLED_MAX_MS 1000

/* Whether there is a connection already: paho's turns are taken for all of a process's. */
static atomic_bool is_taken;

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

	if (!m)
		return NULL;
	m->ready = m->bell = -1;
	m->version = options->version;
	m->timeout_s = options->timeout_s;
	m->keep_alive.offered_s = options->keep_alive_s;
	m->cancelled = options->cancelled;
	m->window = MQTT_WINDOW_MAX;
	m->qos_max = 1;
	m->packet_max = SIZE_MAX;
	m->connack = MQTT_NO_REASON;
	for (int i = 0; i < SLOTS; i++) {
		struct slot *slot = &m->slots[i];
		struct idle *idle;

		slot->mqtt = m;
		slot->subscribes = i >= MQTT_WINDOW_MAX;
		idle = slot->subscribes ? &m->idle_subscriptions : &m->idle_messages;
		idle->slots[idle->n++] = slot;
	}
	m->deadline_ms = mqtt_now_ms() + (int64_t)m->timeout_s * 1000;
	return m;
}

static bool
fits(const char *text)
{
	return !text || strlen(text) <= STRING_MAX;
}

int
mqtt_check_options(const struct mqtt_options *o, struct fault *f)
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

	if (mqtt_check_options(options, f) || mqtt_url_parse(options->url, &url, f) ||
		(options->ca_file && mqtt_check_ca_file(options->ca_file, f)))
		return -1;
	if (atomic_exchange(&is_taken, true))
		return fault_set(f, FAULT_PRECONDITION, "a process has one connection");
	m = make(options);
	if (!m) {
		is_taken = false;
		return fault_nomem(f);
	}
	drop_proxies();
	guard_begin();
	if (mqtt_drive_open(m, f) || create(m, &url, options, f) || start(m, &url, options, f) ||
		mqtt_drive_connect(m, f))
		return -1;
	*ret_mqtt = TAKE(m);
	return 0;
}

static void
say_why(const struct mqtt *m, struct fault *ret_why)
{
	*ret_why = (struct fault)FAULT_INIT;
	if (m->stopping)
		return;
	if (m->abandoned)
		fault_set(
			ret_why, FAULT_NET, "the broker gave no answer within %d s", m->timeout_s);
	else if (m->connack > 0)
		mqtt_fault_connack(m->version, m->connack, ret_why);
	else if (stream_was_too_large())
		fault_set(ret_why, FAULT_NET, "the broker sends a packet of more than %d bytes",
			STREAM_PACKET_MAX);
	else if (guard_refused(ret_why))
		return;
	else if (m->was_up)
		mqtt_fault_lost(m->goodbye, ret_why);
	else
		fault_set(ret_why, FAULT_NET, "the broker cannot be reached, or gives no answer");
}

/* When all that waits was written. What is in flight is not waited for: who wants that drains. */
static void
ask_for_the_end(struct mqtt *m)
{
	const MQTTAsync_disconnectOptions v4 = MQTTAsync_disconnectOptions_initializer;
	const MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5;
	MQTTAsync_disconnectOptions options = m->version == 5 ? v5 : v4;

	if (!m->stopping || m->asked || m->link != UP || stream_waiting())
		return;
	m->asked = true;
	mqtt_watch_end(m, &options);
	if (MQTTAsync_disconnect(m->client, &options) != MQTTASYNC_SUCCESS)
		m->link = DOWN;
	mqtt_drive(m, false);
}

/* Has things go on, but for who is to be told of them. */
static void
go_on(struct mqtt *m)
{
	mqtt_heard(m);
	mqtt_drive_keep_alive(m);
	mqtt_drive(m, true);
	m->was_up |= m->link == UP;
	ask_for_the_end(m);
	if (m->stopping && mqtt_now_ms() > m->deadline_ms)
		m->link = DOWN;
}

/* What there is before there is a connection, or none is to be had. */
static enum mqtt_state
poll_connector(struct mqtt *m, struct fault *ret_why)
{
	m->abandoned |= m->stopping || mqtt_now_ms() > m->deadline_ms;
	if (!m->abandoned)
		return MQTT_CONNECTING;
	say_why(m, ret_why);
	return MQTT_DOWN;
}

enum mqtt_state
mqtt_poll(struct mqtt *mqtt, struct fault *ret_why)
{
	if (mqtt->abandoned || !mqtt_drive_connected(mqtt, false))
		return poll_connector(mqtt, ret_why);
	go_on(mqtt);
	mqtt_hand_on(mqtt);
	mqtt_reap(mqtt);
	if (mqtt->link == UP)
		return MQTT_UP;
	say_why(mqtt, ret_why);
	return MQTT_DOWN;
}

void
mqtt_flush(struct mqtt *mqtt)
{
	if (!mqtt->handed || mqtt->connects)
		return;
	mqtt->handed = false;
	mqtt_drive_flush(mqtt);
	/* Bytes that were read before the network took these are no news to the system. */
	if (mqtt->n_settled || mqtt->inbox.n || stream_has_more())
		mqtt_ring(mqtt);
}

int
mqtt_fd(const struct mqtt *mqtt)
{
	return mqtt->ready;
}

int
mqtt_check_url(const char *url, struct fault *f)
{
	struct mqtt_url parsed;

	return mqtt_url_parse(url, &parsed, f);
}

int
mqtt_explain(const struct mqtt_options *options, struct fault *f)
{
	int timeout_s = options->timeout_s;
	struct mqtt_url parsed;

	if (mqtt_url_parse(options->url, &parsed, f))
		return -1;
	return mqtt_diagnose(&parsed, options->ca_file, options->version,
		timeout_s < DIAGNOSE_MAX_S ? timeout_s : DIAGNOSE_MAX_S, f);
}

static void
stop_within(struct mqtt *m, int64_t seconds)
{
	m->stopping = true;
	m->deadline_ms = mqtt_now_ms() + seconds * 1000;
	mqtt_ring(m);
}

void
mqtt_stop(struct mqtt *mqtt)
{
	stop_within(mqtt, MQTT_FAREWELL_S);
}

/* A broker that is connected is told, and has some time to take what waits. */
static void
disconnect(struct mqtt *m)
{
	int64_t began_ms = mqtt_now_ms();

	if (!m->stopping)
		stop_within(m, m->timeout_s);
	for (go_on(m); m->link == UP; go_on(m)) {
		if (m->cancelled && m->cancelled() && mqtt_now_ms() > began_ms + CANCELLED_MAX_MS)
			return;
		mqtt_wait(m, -1);
	}
}

void
mqtt_free(struct mqtt *mqtt)
{
	if (!mqtt)
		return;
	mqtt->abandoned |= mqtt->connects;
	mqtt_drive_connected(mqtt, true);
	if (mqtt->client) {
		if (mqtt->link == UP)
			disconnect(mqtt);
		MQTTAsync_destroy(&mqtt->client);
	}
	mqtt_drop_inbox(mqtt);
	mqtt_drive_close(mqtt);
	free(mqtt);
	is_taken = false;
}
