#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "mqtt/mqtt.h"
#include "mqtt/packet.h"
#include "mqtt/url.h"
#include "mqtt/words.h"

static void
urls_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		bool tls;
		const char *host, *port, *paho;
	} rows[] = {
		{"mqtt://localhost", false, "localhost", "1883", "tcp://localhost:1883"},
		{"mqtts://localhost", true, "localhost", "8883", "ssl://localhost:8883"},
		{"mqtts://mqtt.example.com:443", true, "mqtt.example.com", "443",
			"ssl://mqtt.example.com:443"},
		{"mqtt://192.0.2.1:1", false, "192.0.2.1", "1", "tcp://192.0.2.1:1"},
		{"mqtts://[2001:db8::1]:65535", true, "2001:db8::1", "65535",
			"ssl://[2001:db8::1]:65535"},
		{"mqtt://[::1]", false, "::1", "1883", "tcp://[::1]:1883"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct mqtt_url url;

		assert_ok(mqtt_url_parse(rows[i].text, &url, &f), &f);
		assert_int_equal(url.tls, rows[i].tls);
		assert_string_equal(url.host, rows[i].host);
		assert_string_equal(url.port, rows[i].port);
		assert_string_equal(url.paho, rows[i].paho);
	}
}

static void
what_is_no_url_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"localhost",
		"mqtt:/localhost",
		"MQTT://localhost",
		"tcp://localhost:1883",
		"https://localhost",
		"mqtt://",
		"mqtt://:1883",
		"mqtt://localhost:",
		"mqtt://localhost:0",
		"mqtt://localhost:65536",
		"mqtt://localhost:123456",
		"mqtt://localhost:18 83",
		"mqtt://localhost:1883/path",
		"mqtt://user@localhost",
		"mqtt://local host",
		"mqtt://[::1",
		"mqtt://[localhost]",
		"mqtt://[::1:]",
		"mqtt://[1.2.3.4]",
		"mqtt://[::1]1883",
		"mqtt://::1",
		"mqtt://h\xc3\xa4st",
	};
	static char longer[400] = "mqtt://";
	struct fault f = FAULT_INIT;
	struct mqtt_url url;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (mqtt_url_parse(bad[i], &url, &f) == 0)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(f.code, FAULT_USAGE);
		assert_non_null(strstr(f.text, "mqtts://HOST"));
	}
	memset(longer + 7, 'a', 300);
	assert_fault(mqtt_url_parse(longer, &url, &f), &f, FAULT_USAGE);
}

static void
password_in_url_is_not_repeated(void **state)
{
	static const char *const bad[] = {
		"mqtts://user:s3cret@localhost",
		"mqtts://user:s3cret@localhost:8883",
		"https://user:s3cret@localhost",
		"user:s3cret@localhost",
	};
	struct fault f = FAULT_INIT;
	struct mqtt_url url;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		assert_fault(mqtt_url_parse(bad[i], &url, &f), &f, FAULT_USAGE);
		assert_null(strstr(f.text, "s3cret"));
	}
}

static void
options_out_of_bounds_are_refused(void **state)
{
	static char longer[65537];
	const struct mqtt_options good = {
		.url = "mqtt://127.0.0.1:1", .client_id = "c", .version = 4, .timeout_s = 1};
	struct mqtt_options bad[6];
	struct fault f = FAULT_INIT;
	struct mqtt *mqtt = NULL;

	(void)state;
	memset(longer, 'a', sizeof(longer) - 1);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		bad[i] = good;
	bad[0].version = 3;
	bad[1].client_id = longer;
	bad[2].username = longer;
	bad[3].password = longer;
	bad[4].keep_alive_s = 65536;
	bad[5].timeout_s = 0;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_fault(mqtt_connect(&bad[i], &mqtt, &f), &f, FAULT_USAGE);
	assert_null(mqtt);
}

static void
reason_codes_become_words(void **state)
{
	static const struct {
		int version, code;
		enum fault_code fault;
		const char *word;
	} rows[] = {
		{4, 1, FAULT_NET, "3.1.1"},
		{4, 2, FAULT_AUTH, "client id"},
		{4, 3, FAULT_NET, "not available"},
		{4, 4, FAULT_AUTH, "password"},
		{4, 5, FAULT_AUTH, "not authorised"},
		{4, 99, FAULT_NET, "not known"},
		{5, 0x87, FAULT_AUTH, "not authorised"},
		{5, 0x84, FAULT_NET, "MQTT 5"},
		{5, 0x05, FAULT_NET, "not known"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_fault(
			mqtt_fault_connack(rows[i].version, rows[i].code, &f), &f, rows[i].fault);
		assert_int_equal(f.native, rows[i].code);
		assert_non_null(strstr(f.text, rows[i].word));
	}
	assert_fault(mqtt_fault_puback(0x87, &f), &f, FAULT_AUTH);
	assert_fault(mqtt_fault_puback(0x97, &f), &f, FAULT_NET);
	assert_non_null(strstr(f.text, "quota"));
	assert_fault(mqtt_fault_lost(0, &f), &f, FAULT_NET);
	assert_non_null(strstr(f.text, "closed the connection"));
	assert_fault(mqtt_fault_lost(0x8e, &f), &f, FAULT_NET);
	assert_non_null(strstr(f.text, "another client"));
}

/* MQTT 5 section 2.4, and 3.1.1's table 3.1: what of it may come in each packet. */
static void
every_reason_code_has_its_words(void **state)
{
	static const int connack[] = {0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
		0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f};
	static const int puback[] = {0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
	static const int suback[] = {0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2};
	static const int disconnect[] = {0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f,
		0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
		0xa0, 0xa1, 0xa2};
	static const struct {
		int (*say)(int code, struct fault *f);
		const int *codes;
		size_t n;
	} rows[] = {
		{mqtt_fault_puback, puback, N_ELEMENTS(puback)},
		{mqtt_fault_suback, suback, N_ELEMENTS(suback)},
		{mqtt_fault_lost, disconnect, N_ELEMENTS(disconnect)},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(connack); i++) {
		mqtt_fault_connack(5, connack[i], &f);
		assert_null(strstr(f.text, "not known here"));
		assert_int_equal(f.native, connack[i]);
	}
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		for (size_t k = 0; k < rows[i].n; k++) {
			rows[i].say(rows[i].codes[k], &f);
			assert_null(strstr(f.text, "not known here"));
			assert_int_equal(f.native, rows[i].codes[k]);
		}
		rows[i].say(0xff, &f);
		assert_non_null(strstr(f.text, "not known here"));
	}
}

/* A packet: its first byte, and its body. */
struct row {
	int version;
	const char *bytes;
	size_t len;
};

#define ROW(version, bytes) \
	{ \
		version, bytes, sizeof(bytes) - 1 \
	}

/* Copied to where the end is seen by sanitizers and valgrind. */
static const char *
check_packet(const struct row *row, size_t len, struct packet_suback *suback)
{
	uint8_t *body = malloc(len - 1 ? len - 1 : 1);
	const char *what;

	memcpy(body, row->bytes + 1, len - 1);
	what = packet_check(row->version, (unsigned char)row->bytes[0], body, len - 1, suback);
	free(body);
	return what;
}

static const struct row good_packets[] = {
	ROW(4, "\x20\0\5"),
	ROW(5, "\x20\0\0\0"),
	ROW(5, "\x20\0\0\x08\x13\0\5\x21\0\1\x24\1"),
	ROW(4, "\x30\0\1a"),
	ROW(4, "\x32\0\1a\0\7"),
	ROW(5, "\x32\0\1a\0\7\0"),
	ROW(5, "\x30\0\1a\x12\x26\0\1k\0\1v\x26\0\1k\0\1v\x0b\1\x0b\2"),
	ROW(5, "\x30\0\1a\x05\2\0\0\0\x09"),
	ROW(4, "\x40\0\1"),
	ROW(5, "\x40\0\1"),
	ROW(5, "\x40\0\1\x97"),
	ROW(5, "\x40\0\1\x97\4\x1f\0\1r"),
	ROW(4, "\x90\0\1\x80"),
	ROW(5, "\x90\0\1\0\x87"),
	ROW(4, "\xb0\0\1"),
	ROW(5, "\xb0\0\1\0\x11"),
	ROW(4, "\xd0"),
	ROW(5, "\xe0"),
	ROW(5, "\xe0\x8b"),
	ROW(5, "\xe0\x9d\4\x1c\0\1s"),
};

static void
packets_that_are_some_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good_packets); i++) {
		struct packet_suback suback;

		if (check_packet(&good_packets[i], good_packets[i].len, &suback))
			fail_msg("row %zu", i);
	}
}

/* What is shorter is none, or another; nothing is read behind its end. */
static void
packets_that_are_cut_off_are_not_read_beyond(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good_packets); i++) {
		for (size_t len = 1; len < good_packets[i].len; len++) {
			struct packet_suback suback;

			check_packet(&good_packets[i], len, &suback);
		}
	}
}

static void
packets_that_are_none_are_refused(void **state)
{
	static const struct row rows[] = {
		ROW(4, "\x20\0"),
		ROW(4, "\x20\0\0\0"),
		ROW(5, "\x20\0\1"),
		ROW(5, "\x20\0\0\xff\1\0"),
		ROW(5, "\x20\0\0\1\0\0"),
		ROW(5, "\x20\0\0\x80\x80\x80\x80\0"),
		ROW(5, "\x20\0\0\2\2\0\0"),
		ROW(5, "\x20\0\0\2\x7f\0"),
		ROW(5, "\x20\0\0\3\x8f\x7f\0"),
		ROW(5, "\x20\0\0\6\x13\0\5\x13\0\5"),
		ROW(5, "\x20\0\0\2\x13\0"),
		ROW(4, "\x30\0\2a"),
		ROW(4, "\x32\0\1a\0"),
		ROW(4, "\x36\0\1a\0\1"),
		ROW(5, "\x30\0\1a"),
		ROW(5, "\x30\0\1a\1"),
		ROW(5, "\x30\0\1a\4\3\xff\xff"
		       "A"),
		ROW(5, "\x30\0\1a\5\x26\0\1k\0v"),
		ROW(5, "\x30\0\1a\3\x13\0\5"),
		ROW(4, "\x40\0"),
		ROW(4, "\x40\0\1\0"),
		ROW(5, "\x40\0\1\0\0\0"),
		ROW(4, "\x90\0\1"),
		ROW(5, "\x90\0\1\0"),
		ROW(4, "\x90\0\1\x87"),
		ROW(5, "\x90\0\1\0\3"),
		ROW(4, "\xb0\0\1\0"),
		ROW(5, "\xb0\0\1\0"),
		ROW(4, "\xd0\0"),
		ROW(4, "\xe0"),
		ROW(5, "\xe0\x8b\xff\1"),
		ROW(4, "\x00"),
		ROW(5, "\x10\0\1"),
		ROW(5, "\x82\0\1"),
		ROW(5, "\xa2\0\1"),
		ROW(5, "\xc0"),
		ROW(5, "\xf0"),
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct packet_suback suback;

		if (!check_packet(&rows[i], rows[i].len, &suback))
			fail_msg("row %zu is taken", i);
	}
}

static void
codes_of_a_suback_are_counted(void **state)
{
	static const struct {
		struct row row;
		int n, worst;
	} rows[] = {
		{ROW(4, "\x90\0\1\1"), 1, 1},
		{ROW(4, "\x90\0\1\1\x80\0"), 3, 0x80},
		{ROW(5, "\x90\0\1\0\x87\x80"), 2, 0x87},
		{ROW(5, "\x90\0\1\4\x1f\0\1r\0"), 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct packet_suback suback;

		assert_null(check_packet(&rows[i].row, rows[i].row.len, &suback));
		assert_int_equal(suback.n, rows[i].n);
		assert_int_equal(suback.worst, rows[i].worst);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(what_is_no_url_is_refused),
		cmocka_unit_test(password_in_url_is_not_repeated),
		cmocka_unit_test(options_out_of_bounds_are_refused),
		cmocka_unit_test(reason_codes_become_words),
		cmocka_unit_test(every_reason_code_has_its_words),
		cmocka_unit_test(packets_that_are_some_are_taken),
		cmocka_unit_test(packets_that_are_cut_off_are_not_read_beyond),
		cmocka_unit_test(packets_that_are_none_are_refused),
		cmocka_unit_test(codes_of_a_suback_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
