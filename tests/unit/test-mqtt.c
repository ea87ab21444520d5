#include "config.h"

#include "unit.h"

#include "mqtt/mqtt.h"
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_taken_apart),
		cmocka_unit_test(what_is_no_url_is_refused),
		cmocka_unit_test(password_in_url_is_not_repeated),
		cmocka_unit_test(options_out_of_bounds_are_refused),
		cmocka_unit_test(reason_codes_become_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
