/*
 * Runs against the broker that mqtt-broker.test starts:
 *   TEST_URL, TEST_CA   it, over TLS; it takes 7 messages in flight and packets of 3000 bytes
 *   TEST_URL_QOS0       it, in the clear, taking QoS 0 only
 * What arrives at the other end is looked at by the driver, with mosquitto_sub.
 */
#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "mqtt/inside.h"
#include "mqtt/mqtt.h"

#define MANY 500

/* What `done` was told: how often for each tag, and the last fault. */
struct told {
	unsigned arrived, failed, times[MANY + 1];
	struct fault last;
};

static void
on_done(void *with, uint64_t tag, const struct fault *failed)
{
	struct told *told = with;

	assert_in_range(tag, 1, MANY);
	told->times[tag]++;
	if (failed) {
		told->failed++;
		told->last = *failed;
	} else {
		told->arrived++;
	}
}

static struct mqtt *
connect_to(const char *url, int version, struct told *told)
{
	const struct mqtt_options options = {
		.url = url,
		.client_id = "d",
		.username = "device",
		.password = "device",
		.version = version,
		.ca_file = getenv("TEST_CA"),
		.keep_alive_s = 60,
		.timeout_s = 20,
	};
	struct fault f = FAULT_INIT;
	struct mqtt *mqtt;

	assert_ok(mqtt_connect(&options, &mqtt, &f), &f);
	mqtt_on_done(mqtt, on_done, told);
	return mqtt;
}

static int
publish(struct mqtt *mqtt, size_t len, int qos, uint64_t tag, struct fault *f)
{
	static char payload[MQTT_PAYLOAD_MAX];

	memset(payload, 'x', len);
	return mqtt_publish(mqtt, "/devices/d/limits", payload, len, qos, tag, f);
}

static void
window_is_the_brokers_receive_maximum(void **state)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 5, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(mqtt->window, 7);
	for (uint64_t tag = 1; tag <= MANY; tag++) {
		assert_ok(publish(mqtt, 10, 1, tag, &f), &f);
		assert_true(MQTT_WINDOW_MAX - mqtt->n_idle <= 7);
	}
	assert_ok(mqtt_drain(mqtt, &f), &f);
	assert_int_equal(told.arrived, MANY);
	for (uint64_t tag = 1; tag <= MANY; tag++)
		assert_int_equal(told.times[tag], 1);
}

static void
message_larger_than_the_broker_takes_is_refused_alone(void **state)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 5, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(publish(mqtt, 2900, 1, 1, &f), &f);
	assert_ok(publish(mqtt, 3000, 1, 2, &f), &f);
	assert_ok(publish(mqtt, 2900, 0, 3, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
	assert_int_equal(told.arrived, 2);
	assert_int_equal(told.times[2], 1);
	assert_int_equal(told.failed, 1);
	assert_int_equal(told.last.native, 0x95);
	assert_non_null(strstr(told.last.text, "larger"));
}

static void
qos_that_the_broker_does_not_take_is_refused_alone(void **state)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL_QOS0"), 5, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(publish(mqtt, 1, 1, 1, &f), &f);
	assert_ok(publish(mqtt, 1, 0, 2, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
	assert_int_equal(told.arrived, 1);
	assert_int_equal(told.times[2], 1);
	assert_int_equal(told.last.native, 0x9b);
}

/* Another client with the same id ends our connection. */
static void
loses_its_connection(int version)
{
	struct told told = {0}, others = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), version, &told);
	AUTO(auto_mqtt) struct mqtt *other = NULL;
	struct fault f = FAULT_INIT;
	uint64_t taken = 0;

	for (; taken < 5; taken++)
		assert_ok(publish(mqtt, 10, 1, taken + 1, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
	other = connect_to(getenv("TEST_URL"), version, &others);
	while (taken < MANY && publish(mqtt, 10, 1, taken + 1, &f) == 0)
		taken++;
	assert_in_range(taken, 5, MANY - 1);
	assert_int_equal(f.code, FAULT_NET);
	assert_int_equal(told.arrived + told.failed, taken);
	for (uint64_t tag = 1; tag <= MANY; tag++)
		assert_int_equal(told.times[tag], tag <= taken);
	assert_int_equal(mqtt_drain(mqtt, &f), told.failed ? -1 : 0);
	assert_ok(publish(other, 10, 1, 1, &f), &f);
	assert_ok(mqtt_drain(other, &f), &f);
	assert_int_equal(others.arrived, 1);
}

static void
lost_connection_tells_each_message_once(void **state)
{
	(void)state;
	loses_its_connection(4);
	loses_its_connection(5);
}

static void
lost_connection_says_why_in_mqtt_5(void **state)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 5, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	mqtt->packet_max = SIZE_MAX; /* let through what the broker hangs up for */
	assert_ok(publish(mqtt, 4000, 1, 1, &f), &f);
	assert_fault(mqtt_drain(mqtt, &f), &f, FAULT_NET);
	assert_int_equal(f.native, 0x95);
	assert_non_null(strstr(f.text, "too large"));
	assert_int_equal(told.failed, 1);
	assert_int_equal(told.times[1], 1);
	assert_fault(publish(mqtt, 10, 1, 2, &f), &f, FAULT_NET);
	assert_int_equal(told.times[2], 0);
}

/* Listens, and never answers; receives the URL without its scheme. */
static int
listen_silently(char rest[static 40])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	snprintf(rest, 40, "://127.0.0.1:%d", ntohs(address.sin_port));
	return fd;
}

static bool
cancel_on_third_question(void)
{
	static int asked;

	return ++asked >= 3;
}

static void
silent_peer_ends_in_a_timeout_or_when_cancelled(void **state)
{
	static const char *const schemes[] = {"mqtt", "mqtts"};
	char rest[40], url[64];
	AUTO(auto_fd) int fd = -1;
	struct mqtt_options options = {
		.url = url, .client_id = "d", .version = 4, .timeout_s = 1, .keep_alive_s = 60};
	struct fault f = FAULT_INIT;
	struct mqtt *mqtt = NULL;

	(void)state;
	fd = listen_silently(rest);
	assert_true(fd >= 0);
	for (size_t i = 0; i < N_ELEMENTS(schemes); i++) {
		snprintf(url, sizeof(url), "%s%s", schemes[i], rest);
		options.timeout_s = 1;
		options.cancelled = NULL;
		assert_fault(mqtt_connect(&options, &mqtt, &f), &f, FAULT_NET);
		options.timeout_s = 60;
		options.cancelled = cancel_on_third_question;
		assert_fault(mqtt_connect(&options, &mqtt, &f), &f, FAULT_CANCELLED);
	}
	assert_null(mqtt);
}

static void
proxy_of_the_environment_is_not_used(void **state)
{
	static const char *const names[] = {
		"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"};
	struct told told = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		setenv(names[i], "http://127.0.0.1:1", 1);
	for (int version = 4; version <= 5; version++) {
		AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), version, &told);

		assert_ok(publish(mqtt, 1, 1, 1, &f), &f);
		assert_ok(mqtt_drain(mqtt, &f), &f);
	}
	assert_int_equal(told.arrived, 2);
}

static void
topic_that_cannot_be_is_refused(void **state)
{
	static const char *const topics[] = {"", "a/+", "#", "a/\xff"};
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 4, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(topics); i++)
		assert_fault(mqtt_publish(mqtt, topics[i], "x", 1, 1, 1, &f), &f, FAULT_USAGE);
	assert_fault(publish(mqtt, 1, 2, 1, &f), &f, FAULT_USAGE);
	assert_ok(publish(mqtt, 1, 1, 1, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
	assert_int_equal(told.arrived, 1);
	assert_int_equal(told.failed, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_is_the_brokers_receive_maximum),
		cmocka_unit_test(message_larger_than_the_broker_takes_is_refused_alone),
		cmocka_unit_test(qos_that_the_broker_does_not_take_is_refused_alone),
		cmocka_unit_test(lost_connection_tells_each_message_once),
		cmocka_unit_test(lost_connection_says_why_in_mqtt_5),
		cmocka_unit_test(silent_peer_ends_in_a_timeout_or_when_cancelled),
		cmocka_unit_test(proxy_of_the_environment_is_not_used),
		cmocka_unit_test(topic_that_cannot_be_is_refused),
	};

	if (!getenv("TEST_URL") || !getenv("TEST_URL_QOS0") || !getenv("TEST_CA")) {
		fprintf(stderr, "run mqtt-broker.test, which starts the broker\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
