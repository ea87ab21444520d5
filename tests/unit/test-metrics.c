#include "config.h"

#include "unit.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdbool.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "gateway/listen.h"
#include "gateway/metrics.h"
#include "gateway/tally.h"

/* --- tally */

static void
times_fall_into_the_bucket_that_bounds_them(void **state)
{
	static const struct {
		int64_t us;
		size_t bucket;
	} rows[] = {{0, 0}, {5000, 0}, {5001, 1}, {10000, 1}, {10000000, TALLY_BOUNDS - 1},
		{10000001, TALLY_BOUNDS}, {INT64_C(3600000000), TALLY_BOUNDS}};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct tally_times times = {0};

		tally_time(&times, rows[i].us);
		assert_int_equal(times.n[rows[i].bucket], 1);
		assert_int_equal(times.sum_us, rows[i].us);
	}
}

static void
faults_are_counted_by_name_and_code(void **state)
{
	struct tally_faults faults = {0};

	(void)state;
	tally_fault(&faults, "CKR_A", FAULT_TOKEN);
	tally_fault(&faults, "none", FAULT_NOTFOUND);
	tally_fault(&faults, "CKR_A", FAULT_TOKEN);
	tally_fault(&faults, "none", FAULT_IO);
	assert_int_equal(faults.n, 3);
	assert_string_equal(faults.items[0].ckr, "CKR_A");
	assert_int_equal(faults.items[0].n, 2);
	assert_int_equal(faults.items[2].code, FAULT_IO);
}

/* However many kinds there are, the text that is made of them stays small. */
static void
faults_of_too_many_kinds_are_counted_together(void **state)
{
	struct tally_faults faults = {0};
	char names[TALLY_FAULTS_MAX + 10][8];
	uint64_t n = 0;

	(void)state;
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < N_ELEMENTS(names); i++) {
			snprintf(names[i], sizeof(names[i]), "CKR_%zu", i);
			tally_fault(&faults, names[i], FAULT_TOKEN);
		}
	}
	assert_int_equal(faults.n, TALLY_FAULTS_MAX);
	for (size_t i = 0; i < faults.n; i++)
		n += faults.items[i].n;
	assert_int_equal(n, 2 * N_ELEMENTS(names));
	assert_int_equal(faults.items[0].n, 2);
	assert_string_equal(faults.items[TALLY_FAULTS_MAX - 1].ckr, TALLY_OTHERS);
	assert_int_equal(faults.items[TALLY_FAULTS_MAX - 1].n, 22);
}

static void
rate_looks_back_no_further_than_it_is_told(void **state)
{
	struct tally_rate rate = {0};
	uint64_t count = 1000;

	(void)state;
	assert_true(tally_per_s(&rate, 10) == 0);
	tally_sample(&rate, count, 5000);
	assert_true(tally_per_s(&rate, 10) == 0);
	/* 10 a second for five minutes, then 100 a second for ten. */
	for (int s = 1; s <= 310; s++) {
		count += s <= 300 ? 10 : 100;
		tally_sample(&rate, count, 5000 + s * INT64_C(1000));
		if (s == 3)
			assert_true(fabs(tally_per_s(&rate, 60) - 10) < 1e-9);
	}
	assert_true(fabs(tally_per_s(&rate, 10) - 100) < 1e-9);
	assert_true(fabs(tally_per_s(&rate, 60) - 25) < 1e-9);
	assert_true(tally_per_s(&rate, 1000) > 24);
}

/* --- metrics */

static const struct tally_codes none_failed;
static const struct tally_times no_times;
static const struct tally_faults no_faults;

static struct metrics
idle(void)
{
	return (struct metrics){
		.version = "1.2.3",
		.uplink = "gw",
		.profile = "iot-core",
		.state = "waiting",
		.started_at_s = 1700000000,
		.disconnects = &none_failed,
		.connect_failures = &none_failed,
		.sign_times = &no_times,
		.sign_faults = &no_faults,
		.jwt_ends_at_s = NAN,
		.certificate_ends_at_s = NAN,
		.cpu_s = 0.125,
	};
}

static char *
text_of(const struct metrics *metrics)
{
	struct fault f = FAULT_INIT;
	char *text = NULL;
	size_t len = 0;

	assert_ok(metrics_text(metrics, &text, &len, &f), &f);
	assert_int_equal(strlen(text), len);
	return text;
}

static void
assert_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, line, len) && at[len] == '\n')
			return;
	}
	fail_msg("no line '%s' in:\n%s", line, text);
}

static size_t
count(const char *text, const char *what)
{
	size_t n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void
metrics_are_a_line_each(void **state)
{
	struct metrics m = idle();
	AUTO(auto_free) char *text = NULL;

	(void)state;
	m.up = 1;
	m.state = "up";
	m.acknowledged = 123456789012;
	m.delivered = 7;
	m.certificate_ends_at_s = 1800000000;
	strcpy(m.spool_drops[0].name, "full");
	m.spool_drops[0].n = 5;
	m.n_spool_drops = 1;
	text = text_of(&m);
	assert_line(text,
		"p11_gateway_build_info{version=\"1.2.3\",uplink=\"gw\",profile=\"iot-core\"} 1");
	assert_line(text, "p11_gateway_uplink_up 1");
	assert_line(text, "p11_gateway_settings_refused 0");
	assert_line(text, "p11_gateway_uplink_state{state=\"up\"} 1");
	assert_line(text, "p11_gateway_uplink_state{state=\"waiting\"} 0");
	assert_line(text, "p11_gateway_messages_total{direction=\"up\"} 123456789012");
	assert_line(text, "p11_gateway_messages_total{direction=\"down\"} 7");
	assert_line(text, "p11_gateway_certificate_expiry_timestamp_seconds 1800000000");
	assert_line(text, "p11_gateway_spool_dropped_total{reason=\"full\"} 5");
	assert_line(text, "process_cpu_seconds_total 0.125");
	assert_int_equal(count(text, "# TYPE p11_gateway_messages_total counter\n"), 1);
	assert_int_equal(count(text, "# HELP p11_gateway_messages_total "), 1);
	assert_int_equal(count(text, "# TYPE "), count(text, "# HELP "));
}

static void
metrics_that_are_not_known_are_left_out(void **state)
{
	struct metrics m = idle();
	AUTO(auto_free) char *text = text_of(&m);

	(void)state;
	assert_null(strstr(text, "jwt_expiry"));
	assert_null(strstr(text, "certificate_expiry"));
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "sign_errors_total{"));
	assert_line(text, "p11_gateway_disconnects_total{reason=\"net\"} 0");
}

static void
metrics_of_signatures_add_up(void **state)
{
	struct metrics m = idle();
	struct tally_times times = {0};
	struct tally_faults faults = {0};
	struct tally_codes codes = {{0}};
	AUTO(auto_free) char *text = NULL;

	(void)state;
	tally_time(&times, 4000);
	tally_time(&times, 300000);
	tally_time(&times, 60000000);
	tally_fault(&faults, "CKR_DEVICE_ERROR", FAULT_TOKEN);
	for (size_t i = 0; i < TALLY_FAULTS_MAX; i++)
		tally_fault(&faults, i % 2 ? "x" : "y", (enum fault_code)(i / 2 + 1));
	codes.n[FAULT_NONE] = 2;
	codes.n[FAULT_AUTH] = 1;
	m.sign_times = &times;
	m.sign_faults = &faults;
	m.disconnects = &codes;
	text = text_of(&m);
	assert_line(text, "p11_gateway_sign_duration_seconds_bucket{le=\"0.005\"} 1");
	assert_line(text, "p11_gateway_sign_duration_seconds_bucket{le=\"0.25\"} 1");
	assert_line(text, "p11_gateway_sign_duration_seconds_bucket{le=\"0.5\"} 2");
	assert_line(text, "p11_gateway_sign_duration_seconds_bucket{le=\"10\"} 2");
	assert_line(text, "p11_gateway_sign_duration_seconds_bucket{le=\"+Inf\"} 3");
	assert_line(text, "p11_gateway_sign_duration_seconds_sum 60.304");
	assert_line(text, "p11_gateway_sign_duration_seconds_count 3");
	assert_line(
		text, "p11_gateway_sign_errors_total{ckr=\"CKR_DEVICE_ERROR\",fault=\"token\"} 1");
	assert_line(text, "p11_gateway_sign_errors_total{ckr=\"others\",fault=\"others\"} 2");
	assert_line(text, "p11_gateway_disconnects_total{reason=\"wanted\"} 2");
	assert_line(text, "p11_gateway_disconnects_total{reason=\"auth\"} 1");
}

static void
metrics_labels_cannot_be_broken_out_of(void **state)
{
	struct metrics m = idle();
	AUTO(auto_free) char *text = NULL;

	(void)state;
	m.uplink = "a\"} 1\nb\\";
	text = text_of(&m);
	assert_line(text,
		"p11_gateway_build_info{version=\"1.2.3\",uplink=\"a\\\"} 1\\nb\\\\\",profile="
		"\"iot-core\"} 1");
}

/* --- listen */

static void
addresses_are_read(void **state)
{
	static const struct {
		const char *text, *address;
		int family, port;
	} rows[] = {
		{"9464", "127.0.0.1", AF_INET, 9464},
		{"1", "127.0.0.1", AF_INET, 1},
		{"0.0.0.0:65535", "0.0.0.0", AF_INET, 65535},
		{"10.1.2.3:09464", "10.1.2.3", AF_INET, 9464},
		{"[::1]:9464", "::1", AF_INET6, 9464},
		{"[2001:db8::7]:80", "2001:db8::7", AF_INET6, 80},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct sockaddr_storage at;
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
		struct fault f = FAULT_INIT;
		char address[INET6_ADDRSTRLEN];
		bool is_v6 = rows[i].family == AF_INET6;
		socklen_t len;

		assert_ok(listen_parse(rows[i].text, &at, &len, &f), &f);
		assert_int_equal(at.ss_family, rows[i].family);
		assert_int_equal(len, is_v6 ? sizeof(*v6) : sizeof(*v4));
		assert_int_equal(ntohs(is_v6 ? v6->sin6_port : v4->sin_port), rows[i].port);
		inet_ntop(rows[i].family,
			is_v6 ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, address,
			sizeof(address));
		assert_string_equal(address, rows[i].address);
	}
}

static void
addresses_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"", ":", "0", "65536", "99999999999", "-1", "+80", " 80",
		"80 ", "http", ":80", "localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
		"127.1:80", "1.2.3.4.5:80", "::1:80", "[::1]", "[::1]:", "[::1]80", "[]:80", "[",
		"[1.2.3.4]:80", "[::1:80", "::1]:80", "[[::1]]:80", "*:80", "1.2.3.4:5:6",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct sockaddr_storage at;
		struct fault f = FAULT_INIT;
		socklen_t len;

		if (listen_parse(bad[i], &at, &len, &f) == 0)
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(f.code, FAULT_CONFIG);
	}
}

static void
port_that_is_taken_is_said(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	struct fault f = FAULT_INIT;
	AUTO(auto_fd) int taken = socket(AF_INET, SOCK_STREAM, 0);
	char text[16];
	int fd = -1;

	(void)state;
	assert_int_equal(bind(taken, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
	snprintf(text, sizeof(text), "%d", ntohs(at.sin_port));
	assert_fault(listen_open(text, &fd, &f), &f, FAULT_PRECONDITION);
	assert_non_null(strstr(f.text, text));
	assert_int_equal(fd, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_fall_into_the_bucket_that_bounds_them),
		cmocka_unit_test(faults_are_counted_by_name_and_code),
		cmocka_unit_test(faults_of_too_many_kinds_are_counted_together),
		cmocka_unit_test(rate_looks_back_no_further_than_it_is_told),
		cmocka_unit_test(metrics_are_a_line_each),
		cmocka_unit_test(metrics_that_are_not_known_are_left_out),
		cmocka_unit_test(metrics_of_signatures_add_up),
		cmocka_unit_test(metrics_labels_cannot_be_broken_out_of),
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(addresses_that_are_none_are_refused),
		cmocka_unit_test(port_that_is_taken_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
