#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/rules.h"

#define NOW 1800000000

static const char *
repeat(char c, size_t n)
{
	static char text[1024];

	memset(text, c, n);
	text[n] = '\0';
	return text;
}

static void
an_id_is_taken_or_refused(void **state)
{
	static const struct {
		const char *id;
		int rc;
	} rows[] = {
		{"abc", 0},
		{"gw1", 0},
		{"A-._+~%9", 0},
		{"google", -1},
		{"goog", -1},
		{"Google", 0},
		{"go1", 0},
		{"", -1},
		{"ab", -1},
		{"1abc", -1},
		{"-abc", -1},
		{"a b", -1},
		{"a/b/c", -1},
		{"abc/", -1},
		{"abc\n", -1},
		{"ab#", -1},
		{"ab+", 0},
		{"caf\xc3\xa9", -1},
		{"abc'", -1},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct fault f = FAULT_INIT;

		if (rules_check_id("device", rows[i].id, &f) != rows[i].rc)
			fail_msg("'%s'", rows[i].id);
		if (rows[i].rc)
			assert_int_equal(f.code, FAULT_USAGE);
	}
	assert_int_equal(rules_check_id("device", repeat('a', 255), NULL), 0);
	assert_int_equal(rules_check_id("device", repeat('a', 256), NULL), -1);
}

static void
a_client_id_is_read_exactly(void **state)
{
	static const char *const bad[] = {
		"",
		"gw1",
		"projects/",
		"projects/p/locations/r/registries/reg/devices/",
		"projects/p/locations/r/registries/reg/devices/d1",
		"projects/p/locations/r/registries/reg/devices/dev/",
		"projects/p/locations/r/registries/reg/devices/dev/x",
		"projects/p/locations/r/registries/reg/devices/dev ",
		"projects/p/locations/r/registries//devices/dev",
		"projects//locations/r/registries/reg/devices/dev",
		"projects/p/q/locations/r/registries/reg/devices/dev",
		"/projects/p/locations/r/registries/reg/devices/dev",
		"Projects/p/locations/r/registries/reg/devices/dev",
		"projects/p/location/r/registries/reg/devices/dev",
		"projects/p/locations/r/registries/reg/devices/../dev",
	};
	struct rules_client c;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(rules_parse_client_id("projects/p/locations/us-central1/registries/reg/devices/"
					"dev~1",
			  &c, &f),
		&f);
	assert_string_equal(c.project, "p");
	assert_string_equal(c.region, "us-central1");
	assert_string_equal(c.registry, "reg");
	assert_string_equal(c.device, "dev~1");
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (rules_parse_client_id(bad[i], &c, &f) == 0)
			fail_msg("'%s'", bad[i]);
		assert_int_equal(f.code, FAULT_AUTH);
	}
}

static void
service_clients_are_told_from_devices(void **state)
{
	(void)state;
	assert_true(rules_is_device_client("projects/x"));
	assert_false(rules_is_device_client("backend"));
	assert_false(rules_is_device_client("project"));
	assert_false(rules_is_device_client(""));
}

static void
claims_are_judged(void **state)
{
	static const struct {
		const char *claims;
		int rc;
	} rows[] = {
		{"{'aud':'p','iat':1800000000,'exp':1800003600}", 0},
		{"{'aud':'p','iat':1800000600,'exp':1800003600}", 0},
		{"{'aud':'p','iat':1800000601,'exp':1800003600}", -1},
		{"{'aud':'p','iat':1799990000,'exp':1799999401}", 0},
		{"{'aud':'p','iat':1799990000,'exp':1799999400}", -1},
		{"{'aud':'p','iat':1800000000,'exp':1800086400}", 0},
		{"{'aud':'p','iat':1800000000,'exp':1800086401}", -1},
		{"{'aud':'p','iat':1800000001,'exp':1800000000}", -1},
		{"{'aud':'q','iat':1800000000,'exp':1800003600}", -1},
		{"{'aud':'pp','iat':1800000000,'exp':1800003600}", -1},
		{"{'aud':['p'],'iat':1800000000,'exp':1800003600}", -1},
		{"{'aud':'','iat':1800000000,'exp':1800003600}", -1},
		{"{'aud':'p\\u0000','iat':1800000000,'exp':1800003600}", -1},
		{"{'iat':1800000000,'exp':1800003600}", -1},
		{"{'aud':'p','exp':1800003600}", -1},
		{"{'aud':'p','iat':1800000000}", -1},
		{"{'aud':'p','iat':1800000000,'exp':true}", -1},
		{"{'aud':'p','iat':-1,'exp':1800003600}", -1},
		{"{'aud':'p','iat':-9223372036854775808,'exp':9223372036854775807}", -1},
		{"{'aud':'p','iat':9223372036854775806,'exp':9223372036854775807}", -1},
		{"{'aud':'p','iat':1800000000,'exp':1800003600,'nbf':1900000000,'x':[]}", 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char *text = strdup(rows[i].claims);
		struct fault f = FAULT_INIT;
		time_t until = 7;
		json_t *claims;

		for (char *p = text; *p; p++) {
			if (*p == '\'')
				*p = '"';
		}
		claims = json_loads(text, JSON_ALLOW_NUL, NULL);
		assert_non_null(claims);
		if (rules_check_claims(claims, "p", NOW, RULES_SKEW_S, false, &until, &f) !=
			rows[i].rc)
			fail_msg("%s: %s", rows[i].claims, f.text);
		if (rows[i].rc) {
			assert_int_equal(f.code, FAULT_AUTH);
			assert_int_equal(until, 7);
		} else {
			assert_int_equal(until,
				json_integer_value(json_object_get(claims, "exp")) + RULES_SKEW_S);
		}
		json_decref(claims);
		free(text);
	}
}

/* ok is the time that the claim states. */
static void
a_time_is_a_number_or_a_text_of_digits(void **state)
{
	static const struct {
		const char *exp;
		json_int_t ok; /* 0: refused */
	} rows[] = {
		{"1800003600", 1800003600}, {"1800003600.0", 1800003600},
		{"1800003600.387841", 1800003600}, {"1800003599.999999", 1800003599},
		{"1.8000036e9", 1800003600}, {"18000036E+2", 1800003600},
		{"'1800003600'", 1800003600}, {"'01800003600'", 1800003600},
		{"'000001800003600'", 0}, {"'1800003600.0'", 0}, {"'1800003600.5'", 0},
		{"'1.8000036e9'", 0}, {"'1e9'", 0}, {"' 1800003600'", 0}, {"'1800003600 '", 0},
		{"'+1800003600'", 0}, {"'-1800003600'", 0}, {"'0x6b49d200'", 0},
		{"'1800003600\\n'", 0}, {"'1800003600\\u0000'", 0}, {"'\\u0000'", 0},
		{"'\\u0661\\u0662'", 0}, {"''", 0}, {"'NaN'", 0}, {"'Infinity'", 0},
		{"'253402300799'", 0}, {"'253402300800'", 0}, {"'999999999999'", 0},
		{"'9223372036854775808'", 0}, {"'18446744073709551617'", 0}, {"-0.5", 0},
		{"-1800003600.0", 0}, {"253402300799.5", 0}, {"253402300800.0", 0}, {"9.3e18", 0},
		{"1e300", 0}, {"null", 0}, {"true", 0}, {"['1800003600']", 0},
		{"{'exp':1800003600}", 0}, {NULL, 0}, /* 400 digits */
	};
	char digits[403];

	(void)state;
	memset(digits, '1', sizeof(digits) - 1);
	digits[0] = digits[sizeof(digits) - 2] = '\'';
	digits[sizeof(digits) - 1] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char text[1024];
		struct fault f = FAULT_INIT;
		time_t until = 7;
		json_t *claims;

		snprintf(text, sizeof(text), "{'aud':'p','iat':1800000000,'exp':%s}",
			rows[i].exp ? rows[i].exp : digits);
		for (char *p = text; *p; p++) {
			if (*p == '\'')
				*p = '"';
		}
		claims = json_loads(text, JSON_ALLOW_NUL, NULL);
		assert_non_null(claims);
		if (rules_check_claims(claims, "p", NOW, RULES_SKEW_S, false, &until, &f) !=
			(rows[i].ok ? 0 : -1))
			fail_msg("%s: %s", text, f.text);
		assert_int_equal(until, rows[i].ok ? rows[i].ok + RULES_SKEW_S : 7);
		json_decref(claims);
	}
}

/* Published clients of Cloud IoT Core write their times so. */
static void
both_times_are_read_alike(void **state)
{
	static const char *const rows[] = {
		"{\"iat\":\"1800000000\",\"exp\":\"1800003600\",\"aud\":\"p\"}",
		"{\"iat\":1800000000.403285,\"exp\":1800003600.387841,\"aud\":\"p\"}",
		"{\"iat\":\"1800000000\",\"exp\":1800003600.9,\"aud\":\"p\"}",
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		json_t *claims = json_loads(rows[i], 0, NULL);
		struct fault f = FAULT_INIT;
		time_t until = 7;

		assert_non_null(claims);
		assert_ok(rules_check_claims(claims, "p", NOW, 0, false, &until, &f), &f);
		assert_int_equal(until, NOW + 3600);
		json_decref(claims);
	}
}

static void
clocks_may_differ_by_the_skew_and_no_more(void **state)
{
	static const struct {
		long skew_s;
		json_int_t iat, exp;
		int rc;
	} rows[] = {
		{0, NOW, NOW + 1, 0},
		{0, NOW + 1, NOW + 2, -1},
		{0, NOW - 1, NOW, -1},
		{60, NOW + 60, NOW + 61, 0},
		{60, NOW + 61, NOW + 62, -1},
		{60, NOW - 100, NOW - 59, 0},
		{60, NOW - 100, NOW - 60, -1},
		/* A token that ends when it begins counts like one that has just expired. */
		{60, NOW, NOW, 0},
		{60, NOW + 60, NOW + 60, 0},
		{60, NOW - 59, NOW - 59, 0},
		{60, NOW - 60, NOW - 60, -1},
		{60, NOW + 61, NOW + 61, -1},
		{0, NOW, NOW, -1},
		{0, NOW + 1, NOW + 1, -1},
		{60, NOW + 1, NOW, -1},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		json_t *claims = json_pack(
			"{s:s, s:I, s:I}", "aud", "p", "iat", rows[i].iat, "exp", rows[i].exp);
		struct fault f = FAULT_INIT;
		time_t until = 7;

		assert_non_null(claims);
		if (rules_check_claims(claims, "p", NOW, rows[i].skew_s, false, &until, &f) !=
			rows[i].rc)
			fail_msg("row %zu: %s", i, f.text);
		assert_int_equal(until, rows[i].rc ? 7 : rows[i].exp + rows[i].skew_s);
		json_decref(claims);
	}
}

static void
strict_is_rfc_7519_to_the_letter(void **state)
{
	static const struct {
		const char *claims;
		int rc;
	} rows[] = {
		{"{\"aud\":\"p\",\"iat\":1800000000,\"exp\":1800003600}", 0},
		{"{\"aud\":\"p\",\"iat\":1800000000.25,\"exp\":1800003600.75}", 0},
		{"{\"aud\":\"p\",\"iat\":1800000000,\"exp\":1800000001}", 0},
		{"{\"aud\":\"p\",\"iat\":1800000000,\"exp\":1800000000}", -1},
		{"{\"aud\":\"p\",\"iat\":\"1800000000\",\"exp\":1800003600}", -1},
		{"{\"aud\":\"p\",\"iat\":1800000000,\"exp\":\"1800003600\"}", -1},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		json_t *claims = json_loads(rows[i].claims, 0, NULL);
		struct fault f = FAULT_INIT;
		time_t until = 7;

		assert_non_null(claims);
		if (rules_check_claims(claims, "p", NOW, RULES_SKEW_S, true, &until, &f) !=
			rows[i].rc)
			fail_msg("%s: %s", rows[i].claims, f.text);
		json_decref(claims);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_taken_or_refused),
		cmocka_unit_test(a_client_id_is_read_exactly),
		cmocka_unit_test(service_clients_are_told_from_devices),
		cmocka_unit_test(claims_are_judged),
		cmocka_unit_test(a_time_is_a_number_or_a_text_of_digits),
		cmocka_unit_test(both_times_are_read_alike),
		cmocka_unit_test(clocks_may_differ_by_the_skew_and_no_more),
		cmocka_unit_test(strict_is_rfc_7519_to_the_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
