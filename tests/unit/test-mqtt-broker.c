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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "mqtt/inside.h"
#include "mqtt/mqtt.h"
#include "mqtt/stream.h"

#define MANY 500

/* For a ping that is due after a second: far longer, and shorter than paho's own minute. */
#define PING_WAIT_S 40

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
	assert_int_equal(mqtt->window, 6);
	for (uint64_t tag = 1; tag <= MANY; tag++) {
		assert_ok(publish(mqtt, 10, 1, tag, &f), &f);
		assert_true(mqtt_in_flight(mqtt) <= 7);
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

/* Another client comes with our id. */
static void
take_over(void)
{
	static const char scheme[] = "mqtts://";
	char command[512];

	snprintf(command, sizeof(command),
		"mosquitto_pub -i d -q 1 -m other --cafile '%s' "
		"-L '%sdevice:device@%s/devices/d/limits'",
		getenv("TEST_CA"), scheme, getenv("TEST_URL") + strlen(scheme));
	assert_int_equal(system(command), 0);
}

static void
loses_its_connection(int version)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), version, &told);
	struct fault f = FAULT_INIT;
	uint64_t taken = 0;

	for (; taken < 5; taken++)
		assert_ok(publish(mqtt, 10, 1, taken + 1, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
	take_over();
	while (taken < MANY && publish(mqtt, 10, 1, taken + 1, &f) == 0)
		taken++;
	assert_in_range(taken, 5, MANY - 1);
	assert_int_equal(f.code, FAULT_NET);
	assert_int_equal(told.arrived + told.failed, taken);
	for (uint64_t tag = 1; tag <= MANY; tag++)
		assert_int_equal(told.times[tag], tag <= taken);
	assert_int_equal(mqtt_drain(mqtt, &f), told.failed ? -1 : 0);
}

static void
who_waits_for_something_else_hears_of_the_end(void **state)
{
	AUTO(auto_fd) int always = eventfd(1, EFD_CLOEXEC);
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 5, &told);
	struct fault f = FAULT_INIT;

	(void)state;
	take_over();
	assert_fault(mqtt_await(mqtt, always, &f), &f, FAULT_NET);
}

static void
process_has_one_connection(void **state)
{
	struct told told = {0};
	AUTO(auto_mqtt) struct mqtt *mqtt = connect_to(getenv("TEST_URL"), 4, &told);
	const struct mqtt_options options = {
		.url = getenv("TEST_URL"), .client_id = "e", .version = 4, .timeout_s = 20};
	struct mqtt *other = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_fault(mqtt_start(&options, &other, &f), &f, FAULT_PRECONDITION);
	assert_null(other);
	assert_ok(publish(mqtt, 10, 1, 1, &f), &f);
	assert_ok(mqtt_drain(mqtt, &f), &f);
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

/* A loop as a daemon has it. */
struct loop {
	struct mqtt *mqtt;
	struct told told;
	unsigned received;
	bool in_order;
};

static void
on_received(void *with, const struct mqtt_message *message)
{
	struct loop *loop = with;
	char wanted[16];
	int len = snprintf(wanted, sizeof(wanted), "n%u", loop->received);

	loop->in_order &= message->len == (size_t)len &&
			  !memcmp(message->payload, wanted, message->len) &&
			  !strcmp(message->topic, "/devices/e/limits") && message->qos == 1;
	loop->received++;
}

static enum mqtt_state
turn(struct loop *loop, struct fault *why)
{
	struct pollfd fd = {mqtt_fd(loop->mqtt), POLLIN, 0};

	mqtt_flush(loop->mqtt);
	assert_true(poll(&fd, 1, 1000) >= 0);
	return mqtt_poll(loop->mqtt, why);
}

static void
loop_open(struct loop *loop, const char *id, int version)
{
	const struct mqtt_options options = {
		.url = getenv("TEST_URL"),
		.client_id = id,
		.username = "device",
		.password = "device",
		.version = version,
		.ca_file = getenv("TEST_CA"),
		.keep_alive_s = 60,
		.timeout_s = 20,
	};
	enum mqtt_state state;
	struct fault f = FAULT_INIT;

	*loop = (struct loop){.in_order = true};
	assert_ok(mqtt_start(&options, &loop->mqtt, &f), &f);
	mqtt_on_done(loop->mqtt, on_done, &loop->told);
	mqtt_on_message(loop->mqtt, on_received, loop);
	while ((state = turn(loop, &f)) == MQTT_CONNECTING)
		continue;
	assert_int_equal(state, MQTT_UP);
}

static void
loop_close(struct loop *loop)
{
	mqtt_free(loop->mqtt);
}

/* Until so much is told, and came. */
static void
run_until(struct loop *loop, unsigned told, unsigned received)
{
	struct fault f = FAULT_INIT;

	for (int i = 0; i < 2000; i++) {
		if (loop->told.arrived + loop->told.failed >= told && loop->received >= received)
			return;
		assert_int_equal(turn(loop, &f), MQTT_UP);
	}
	fail_msg("told %u, received %u", loop->told.arrived + loop->told.failed, loop->received);
}

static void
subscribe_to(struct loop *loop, const char *filter, uint64_t tag)
{
	const char *const filters[] = {filter, "/devices/e/other"};
	struct fault f = FAULT_INIT;

	assert_ok(mqtt_subscribe(loop->mqtt, filters, 2, 1, tag, &f), &f);
}

static void
loop_sends_and_receives(int version)
{
	struct loop loop;
	struct fault f = FAULT_INIT;
	unsigned sent = 0;

	loop_open(&loop, "e", version);
	subscribe_to(&loop, "/devices/e/limits", MANY);
	run_until(&loop, 1, 0);
	assert_int_equal(loop.told.arrived, 1);
	while (sent < MANY - 1) {
		char text[16];
		int len = snprintf(text, sizeof(text), "n%u", sent);
		int rc = mqtt_send(
			loop.mqtt, "/devices/e/limits", text, (size_t)len, 1, sent + 1, &f);

		if (rc) {
			assert_int_equal(f.code, FAULT_PRECONDITION);
			assert_int_equal(mqtt_room(loop.mqtt), 0);
			turn(&loop, &f);
		}
		sent += !rc;
	}
	run_until(&loop, MANY, MANY - 1);
	assert_true(loop.in_order);
	assert_int_equal(loop.told.arrived, MANY);
	for (uint64_t tag = 1; tag <= MANY; tag++)
		assert_int_equal(loop.told.times[tag], 1);
	assert_int_equal(mqtt_room(loop.mqtt), mqtt_window(loop.mqtt));
	mqtt_stop(loop.mqtt);
	while (turn(&loop, &f) != MQTT_DOWN)
		continue;
	assert_int_equal(f.code, FAULT_NONE);
	loop_close(&loop);
}

static void
loop_sends_and_receives_in_both_versions(void **state)
{
	(void)state;
	loop_sends_and_receives(4);
	loop_sends_and_receives(5);
}

/* A broker that is gone by the time: LeakSanitizer sees whether paho has let go of the message. */
static void
message_that_the_end_overtakes_is_told_of_and_freed(void **state)
{
	char rest[40], url[64], packet[256];
	AUTO(auto_fd) int listening = listen_silently(rest);
	const struct mqtt_options options = {
		.url = url, .client_id = "d", .version = 4, .timeout_s = 20, .keep_alive_s = 60};
	struct loop loop = {.mqtt = NULL};
	struct pollfd fd = {.events = POLLIN};
	struct fault f = FAULT_INIT;
	int there;

	(void)state;
	snprintf(url, sizeof(url), "mqtt%s", rest);
	assert_ok(mqtt_start(&options, &loop.mqtt, &f), &f);
	mqtt_on_done(loop.mqtt, on_done, &loop.told);
	there = accept(listening, NULL, NULL);
	assert_true(recv(there, packet, sizeof(packet), 0) > 0);
	assert_int_equal(send(there, "\x20\x02\0\0", 4, 0), 4);
	while (turn(&loop, &f) == MQTT_CONNECTING)
		continue;
	close(there);
	fd.fd = mqtt_fd(loop.mqtt);
	assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_ok(mqtt_send(loop.mqtt, "a/b", "lost", 4, 1, 1, &f), &f);
	while (mqtt_poll(loop.mqtt, &f) != MQTT_DOWN)
		assert_int_equal(poll(&fd, 1, 10000), 1);
	assert_int_equal(loop.told.failed, 1);
	assert_int_equal(loop.told.times[1], 1);
	loop_close(&loop);
}

/* A connection to a broker that is played here: `there` is its end. */
static struct mqtt *
connect_here(int version, int keep_alive_s, const char *connack, size_t connack_len, int *there)
{
	char rest[40], url[64], packet[256];
	AUTO(auto_fd) int listening = listen_silently(rest);
	const struct mqtt_options options = {.url = url,
		.client_id = "d",
		.version = version,
		.timeout_s = 20,
		.keep_alive_s = keep_alive_s};
	struct loop loop = {.mqtt = NULL};
	struct fault f = FAULT_INIT;
	const int small = 1;

	setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	snprintf(url, sizeof(url), "mqtt%s", rest);
	assert_ok(mqtt_start(&options, &loop.mqtt, &f), &f);
	*there = accept(listening, NULL, NULL);
	assert_true(recv(*there, packet, sizeof(packet), 0) > 0);
	assert_int_equal(send(*there, connack, connack_len, 0), connack_len);
	while (turn(&loop, &f) == MQTT_CONNECTING)
		continue;
	return loop.mqtt;
}

/* The ping itself is what the program waits for: it makes the broker's end readable. */
static void
program_that_waits_for_something_else_sends_pings(void **state)
{
	AUTO(auto_fd) int there = -1;
	struct mqtt *mqtt = connect_here(4, 1, "\x20\2\0\0", 4, &there);
	struct fault f = FAULT_INIT;
	char packet[2];

	(void)state;
	alarm(PING_WAIT_S);
	assert_ok(mqtt_await(mqtt, there, &f), &f);
	alarm(0);
	assert_int_equal(recv(there, packet, sizeof(packet), 0), sizeof(packet));
	assert_memory_equal(packet, "\xc0\0", sizeof(packet));
	mqtt_free(mqtt);
}

static void
expect_pings(int keep_alive_s)
{
	static const char connack[] = "\x20\x06\0\0\x03\x13\0\1";
	AUTO(auto_fd) int there = -1;
	struct loop loop = {
		.mqtt = connect_here(5, keep_alive_s, connack, sizeof(connack) - 1, &there)};
	struct pollfd fd = {.fd = there, .events = POLLIN};
	struct fault f = FAULT_INIT;
	char packet[2];

	for (int i = 0; i < 2; i++) {
		time_t until = time(NULL) + PING_WAIT_S;

		while (poll(&fd, 1, 0) == 0) {
			assert_true(time(NULL) < until);
			assert_int_equal(turn(&loop, &f), MQTT_UP);
		}
		assert_int_equal(recv(there, packet, sizeof(packet), 0), 2);
		assert_memory_equal(packet, "\xc0\0", 2);
		assert_int_equal(send(there, "\xd0\0", 2, 0), 2);
	}
	loop_close(&loop);
}

/* paho alone would be silent for a minute, or for ever. */
static void
broker_that_asks_for_a_shorter_keep_alive_has_it(void **state)
{
	(void)state;
	expect_pings(60);
	expect_pings(0);
}

static void
on_any(void *with, const struct mqtt_message *message)
{
	(void)message;
	++*(unsigned *)with;
}

/* Has so many bytes wait, behind what the network takes of those that nobody reads. */
static void
fill_up_to(size_t waiting)
{
	static const char bytes[STREAM_WAITING_MAX];
	struct pollfd fd = {.fd = stream_wants().fd, .events = POLLOUT};
	const int small = 1;

	do {
		if (stream_waiting() < sizeof(bytes) / 2)
			stream_add(bytes, sizeof(bytes) / 4);
		stream_flush();
	} while (poll(&fd, 1, 200) > 0);
	setsockopt(fd.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	stream_add(bytes, waiting - stream_waiting());
}

/*
 * A broker that sends two messages while the network takes nothing: the answer to the first has as
 * much wait as may, so the second, which was read with it, is not looked at. Then all of it is
 * written, and the system has nothing to tell of.
 */
static void
what_was_read_before_a_flush_is_not_forgotten(void **state)
{
	static const char *const filter = "a";
	static const char two[] = "\x32\x05\0\1a\0\1\x32\x05\0\1a\0\2";
	AUTO(auto_fd) int there = -1;
	struct mqtt *mqtt = connect_here(4, 60, "\x20\2\0\0", 4, &there);
	struct pollfd fd = {.fd = mqtt_fd(mqtt), .events = POLLIN};
	struct told told = {0};
	struct fault f = FAULT_INIT;
	static char sink[1 << 20];
	unsigned received = 0;

	(void)state;
	mqtt_on_done(mqtt, on_done, &told);
	mqtt_on_message(mqtt, on_any, &received);
	fill_up_to(STREAM_WAITING_MAX - 2);
	assert_int_equal(send(there, two, sizeof(two) - 1, 0), sizeof(two) - 1);
	while (!received)
		assert_int_equal(mqtt_poll(mqtt, &f), MQTT_UP);
	assert_int_equal(received, 1);
	assert_int_equal(poll(&fd, 1, 0), 0);
	while (stream_waiting()) {
		assert_true(recv(there, sink, sizeof(sink), MSG_DONTWAIT) != 0);
		stream_flush();
	}
	assert_ok(mqtt_subscribe(mqtt, &filter, 1, 0, 1, &f), &f);
	mqtt_flush(mqtt);
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(mqtt_poll(mqtt, &f), MQTT_UP);
	assert_int_equal(received, 2);
	close(there);
	there = -1;
	mqtt_free(mqtt);
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
		cmocka_unit_test(program_that_waits_for_something_else_sends_pings),
		cmocka_unit_test(who_waits_for_something_else_hears_of_the_end),
		cmocka_unit_test(process_has_one_connection),
		cmocka_unit_test(loop_sends_and_receives_in_both_versions),
		cmocka_unit_test(message_that_the_end_overtakes_is_told_of_and_freed),
		cmocka_unit_test(broker_that_asks_for_a_shorter_keep_alive_has_it),
		cmocka_unit_test(what_was_read_before_a_flush_is_not_forgotten),
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
