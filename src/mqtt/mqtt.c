#include "config.h"

#include "mqtt/mqtt.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <MQTTAsync.h>

#include "mqtt/diagnose.h"
#include "mqtt/url.h"
#include "mqtt/words.h"

#define TOPIC_MAX 65535

/* How long a wait goes on before it asks whether it was cancelled: a signal cannot end it. */
#define SLICE_MS 100

/* What may have become of a message. */
enum fate { FREE, IN_FLIGHT, ARRIVED, REFUSED };

/* code  a PUBACK's reason, or paho's own negative number */
struct slot {
	struct mqtt *mqtt;
	enum fate fate;
	uint64_t tag;
	int code;
};

enum link { CONNECTING, UP, DOWN };

/*
 * paho's threads only change what `mutex` guards, and wake us; the mutex is never held around
 * a call of paho's, whose own lock is held in its callbacks.
 */
struct mqtt {
	MQTTAsync client;
	int version, timeout_s, window;
	bool (*cancelled)(void);
	mqtt_done *done;
	void *done_with;

	pthread_mutex_t mutex;
	pthread_cond_t woken;
	unsigned long events; /* counted, so that none between a look and a wait is slept through */
	enum link link;
	int connack; /* >= 0: the broker's; -1: it did not come to that */
	struct slot slots[MQTT_WINDOW_MAX];
};

static void
wake(struct mqtt *m)
{
	m->events++;
	pthread_cond_signal(&m->woken);
	pthread_mutex_unlock(&m->mutex);
}

static void
set_link(struct mqtt *m, enum link link, int connack)
{
	pthread_mutex_lock(&m->mutex);
	m->link = link;
	m->connack = connack;
	wake(m);
}

static void
set_fate(struct slot *slot, enum fate fate, int code)
{
	struct mqtt *m = slot->mqtt;

	pthread_mutex_lock(&m->mutex);
	if (slot->fate == IN_FLIGHT) {
		slot->fate = fate;
		slot->code = code;
	}
	wake(m);
}

static void
on_connected(void *with, MQTTAsync_successData *data)
{
	(void)data;
	set_link(with, UP, 0);
}

/* The broker's Receive Maximum bounds the window; paho does not wake up for what is above it. */
static void
on_connected_v5(void *with, MQTTAsync_successData5 *data)
{
	struct mqtt *m = with;
	int maximum = MQTTProperties_getNumericValue(
		&data->properties, MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);

	pthread_mutex_lock(&m->mutex);
	if (maximum > 0 && maximum < m->window)
		m->window = maximum;
	pthread_mutex_unlock(&m->mutex);
	set_link(m, UP, 0);
}

static void
on_connect_failed(void *with, MQTTAsync_failureData *data)
{
	set_link(with, DOWN, data && data->code > 0 ? data->code : -1);
}

/* paho 1.3.12 puts the reason code where 3.1.1's return code goes. */
static void
on_connect_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	int code = !data ? -1 : data->reasonCode ? (int)data->reasonCode : data->code;

	set_link(with, DOWN, code >= 0x80 ? code : -1);
}

static void
on_lost(void *with, char *cause)
{
	(void)cause;
	set_link(with, DOWN, -1);
}

static void
on_disconnected(void *with, MQTTProperties *properties, enum MQTTReasonCodes code)
{
	(void)properties, (void)code;
	set_link(with, DOWN, -1);
}

/* Nothing is subscribed to; paho wants one all the same. */
static int
on_message(void *with, char *topic, int len, MQTTAsync_message *message)
{
	(void)with, (void)len;
	MQTTAsync_freeMessage(&message);
	MQTTAsync_free(topic);
	return 1;
}

static void
on_sent(void *with, MQTTAsync_successData *data)
{
	(void)data;
	set_fate(with, ARRIVED, 0);
}

static void
on_sent_v5(void *with, MQTTAsync_successData5 *data)
{
	bool refused = data && data->reasonCode >= 0x80;

	set_fate(with, refused ? REFUSED : ARRIVED, refused ? (int)data->reasonCode : 0);
}

static void
on_send_failed(void *with, MQTTAsync_failureData *data)
{
	(void)data;
	set_fate(with, REFUSED, -1);
}

static void
on_send_failed_v5(void *with, MQTTAsync_failureData5 *data)
{
	set_fate(with, REFUSED, data && data->reasonCode >= 0x80 ? (int)data->reasonCode : -1);
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits a slice at most, with the mutex held, unless something came after `seen` was read. */
static void
wait_slice(struct mqtt *m, unsigned long seen)
{
	int64_t until = now_ms() + SLICE_MS;
	const struct timespec ts = {until / 1000, until % 1000 * 1000000};

	if (m->events == seen)
		pthread_cond_timedwait(&m->woken, &m->mutex, &ts);
}

static int
check_cancelled(const struct mqtt *m, struct fault *f)
{
	if (m->cancelled && m->cancelled())
		return fault_set(f, FAULT_CANCELLED, "stopped");
	return 0;
}

static int
fault_lost(struct fault *f)
{
	return fault_set(f, FAULT_NET, "the broker closed the connection");
}

/*
 * Tells `done` what became of messages; of all when the connection is down. Returns how many are
 * still in flight; *ret_told receives how many were told.
 */
static int
reap(struct mqtt *m, int *ret_told)
{
	int in_flight = 0;

	*ret_told = 0;
	for (int i = 0; i < MQTT_WINDOW_MAX; i++) {
		struct slot *slot = &m->slots[i];
		struct fault fault = FAULT_INIT;
		struct slot seen;

		pthread_mutex_lock(&m->mutex);
		if (slot->fate == IN_FLIGHT && m->link == DOWN) {
			slot->fate = REFUSED;
			slot->code = -1;
		}
		seen = *slot;
		if (seen.fate == IN_FLIGHT)
			in_flight++;
		else
			slot->fate = FREE;
		pthread_mutex_unlock(&m->mutex);
		if (seen.fate == FREE || seen.fate == IN_FLIGHT)
			continue;
		++*ret_told;
		if (seen.fate == REFUSED && seen.code > 0)
			mqtt_fault_puback(seen.code, &fault);
		else if (seen.fate == REFUSED)
			fault_set(&fault, FAULT_NET,
				"the connection ended before the broker acknowledged it");
		if (m->done)
			m->done(m->done_with, seen.tag, seen.fate == REFUSED ? &fault : NULL);
	}
	return in_flight;
}

/* Waits until at most `most` messages are in flight, as long as there is progress. */
static int
wait_for_room(struct mqtt *m, int most, struct fault *f)
{
	int64_t progress = now_ms();

	for (;;) {
		int told, in_flight;
		unsigned long seen;
		bool down;

		/* Looked at before: what is down by then is told of whole. */
		pthread_mutex_lock(&m->mutex);
		down = m->link == DOWN;
		seen = m->events;
		pthread_mutex_unlock(&m->mutex);
		in_flight = reap(m, &told);
		if (down)
			return fault_lost(f);
		if (in_flight <= most)
			return 0;
		if (told)
			progress = now_ms();
		if (check_cancelled(m, f))
			return -1;
		if (now_ms() > progress + (int64_t)m->timeout_s * 1000) {
			set_link(m, DOWN, -1); /* what comes later is not waited for */
			reap(m, &told);
			return fault_set(f, FAULT_NET, "the broker acknowledged nothing for %d s",
				m->timeout_s);
		}
		pthread_mutex_lock(&m->mutex);
		wait_slice(m, seen);
		pthread_mutex_unlock(&m->mutex);
	}
}

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
		rc = MQTTAsync_setCallbacks(m->client, m, on_lost, on_message, NULL);
	if (rc == MQTTASYNC_SUCCESS && o->version == 5)
		rc = MQTTAsync_setDisconnected(m->client, m, on_disconnected);
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
	int rc;

	connect.MQTTVersion = o->version == 5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
	connect.keepAliveInterval = o->keep_alive_s;
	connect.connectTimeout = o->timeout_s;
	connect.maxInflight = MQTT_WINDOW_MAX;
	connect.automaticReconnect = 0;
	connect.username = o->username;
	connect.password = o->password;
	connect.context = m;
	if (o->version == 5) {
		connect.cleanstart = 1;
		connect.onSuccess5 = on_connected_v5;
		connect.onFailure5 = on_connect_failed_v5;
	} else {
		connect.cleansession = 1;
		connect.onSuccess = on_connected;
		connect.onFailure = on_connect_failed;
	}
	if (url->tls) {
		ssl.enableServerCertAuth = 1;
		ssl.verify = 1; /* the host's name too */
		ssl.sslVersion = MQTT_SSL_VERSION_TLS_1_2;
		ssl.trustStore = o->ca_file;
		ssl.disableDefaultTrustStore = o->ca_file != NULL;
		connect.ssl = &ssl;
	}
	rc = MQTTAsync_connect(m->client, &connect);
	if (rc != MQTTASYNC_SUCCESS)
		return fault_set(f, FAULT_NET, "paho cannot connect: %s", MQTTAsync_strerror(rc));
	return 0;
}

/* Waits for the CONNACK. */
static int
wait_for_link(struct mqtt *m, const struct mqtt_url *url, const char *ca_file, struct fault *f)
{
	int64_t deadline = now_ms() + (int64_t)m->timeout_s * 1000;
	enum link link;
	int connack;

	for (;;) {
		pthread_mutex_lock(&m->mutex);
		if (m->link == CONNECTING)
			wait_slice(m, m->events);
		link = m->link;
		connack = m->connack;
		pthread_mutex_unlock(&m->mutex);
		if (link == UP)
			return 0;
		if (check_cancelled(m, f))
			return -1;
		if (link == DOWN && connack > 0)
			return mqtt_fault_connack(m->version, connack, f);
		if (link == DOWN)
			return mqtt_diagnose(url, ca_file, m->timeout_s, f);
		if (now_ms() > deadline)
			return fault_set(f, FAULT_NET, "no answer from '%s' port %s within %d s",
				url->host, url->port, m->timeout_s);
	}
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
	m->connack = -1;
	pthread_mutex_init(&m->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&m->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	for (int i = 0; i < MQTT_WINDOW_MAX; i++)
		m->slots[i].mqtt = m;
	return m;
}

int
mqtt_connect(const struct mqtt_options *options, struct mqtt **ret_mqtt, struct fault *f)
{
	AUTO(auto_mqtt) struct mqtt *m = NULL;
	struct mqtt_url url;

	if (mqtt_url_parse(options->url, &url, f))
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
	if (create(m, &url, options, f) || start(m, &url, options, f) ||
		wait_for_link(m, &url, options->ca_file, f))
		return -1;
	*ret_mqtt = TAKE(m);
	return 0;
}

void
mqtt_on_done(struct mqtt *mqtt, mqtt_done *done, void *with)
{
	mqtt->done = done;
	mqtt->done_with = with;
}

static struct slot *
free_slot(struct mqtt *m)
{
	for (int i = 0; i < MQTT_WINDOW_MAX; i++) {
		if (m->slots[i].fate == FREE)
			return &m->slots[i];
	}
	return NULL;
}

int
mqtt_publish(struct mqtt *mqtt, const char *topic, const void *payload, size_t len, int qos,
	uint64_t tag, struct fault *f)
{
	MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
	struct slot *slot;
	int rc;

	if (len > MQTT_PAYLOAD_MAX || strlen(topic) > TOPIC_MAX || !*topic ||
		strpbrk(topic, "+#") || qos < 0 || qos > 1)
		return fault_set(f, FAULT_USAGE,
			"a message of at most %d bytes, a topic without wildcards and QoS 0 or 1 "
			"can be published",
			MQTT_PAYLOAD_MAX);
	if (wait_for_room(mqtt, mqtt->window - 1, f))
		return -1;
	pthread_mutex_lock(&mqtt->mutex);
	slot = free_slot(mqtt);
	slot->fate = IN_FLIGHT;
	slot->tag = tag;
	pthread_mutex_unlock(&mqtt->mutex);
	response.context = slot;
	if (mqtt->version == 5) {
		response.onSuccess5 = on_sent_v5;
		response.onFailure5 = on_send_failed_v5;
	} else {
		response.onSuccess = on_sent;
		response.onFailure = on_send_failed;
	}
	rc = MQTTAsync_send(mqtt->client, topic, (int)len, payload, qos, 0, &response);
	if (rc == MQTTASYNC_SUCCESS)
		return 0;
	set_fate(slot, REFUSED, -1);
	if (rc == MQTTASYNC_DISCONNECTED) {
		set_link(mqtt, DOWN, -1);
		return wait_for_room(mqtt, 0, f);
	}
	return fault_set(
		f, FAULT_NET, "paho does not take the message: %s", MQTTAsync_strerror(rc));
}

int
mqtt_drain(struct mqtt *mqtt, struct fault *f)
{
	return wait_for_room(mqtt, 0, f);
}

static void
disconnect(struct mqtt *m)
{
	MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
	MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
	int64_t deadline = now_ms() + (int64_t)m->timeout_s * 1000;

	/* paho waits for what is in flight up to the timeout, then sends DISCONNECT. */
	options.timeout = options5.timeout = SLICE_MS;
	MQTTAsync_disconnect(m->client, m->version == 5 ? &options5 : &options);
	while (MQTTAsync_isConnected(m->client) && now_ms() < deadline) {
		pthread_mutex_lock(&m->mutex);
		wait_slice(m, m->events);
		pthread_mutex_unlock(&m->mutex);
	}
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
	pthread_cond_destroy(&mqtt->woken);
	pthread_mutex_destroy(&mqtt->mutex);
	free(mqtt);
}
