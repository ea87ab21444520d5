#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/secret.h"
#include "gateway/backoff.h"
#include "gateway/ledger.h"
#include "gateway/pace.h"
#include "gateway/route.h"
#include "gateway/settings.h"
#include "gateway/template.h"

/* --- ledger */

static struct ledger *
ledger_from(uint64_t first)
{
	struct ledger *ledger = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(ledger_new(first, &ledger, &f), &f);
	return ledger;
}

static void
take(struct ledger *ledger, uint64_t from, uint64_t to)
{
	struct fault f = FAULT_INIT;

	for (uint64_t seq = from; seq < to; seq++)
		assert_ok(ledger_take(ledger, seq, &f), &f);
}

static void
ledger_moves_on_with_the_first_alone(void **state)
{
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(10);

	(void)state;
	take(ledger, 10, 15);
	ledger_done(ledger, 12);
	ledger_done(ledger, 11);
	ledger_done(ledger, 11);
	assert_int_equal(ledger_first(ledger), 10);
	assert_int_equal(ledger_done_early(ledger, 10), 2);
	assert_int_equal(ledger_done_early(ledger, 11), 2);
	assert_int_equal(ledger_done_early(ledger, 12), 1);
	assert_int_equal(ledger_done_early(ledger, 100), 0);
	ledger_done(ledger, 10);
	assert_int_equal(ledger_first(ledger), 13);
	assert_int_equal(ledger_done_early(ledger, 13), 0);
	assert_true(ledger_has(ledger, 9));
	assert_true(ledger_has(ledger, 13));
	assert_false(ledger_has(ledger, 15));
	ledger_done(ledger, 13);
	ledger_done(ledger, 14);
	assert_int_equal(ledger_first(ledger), 15);
}

/* 16 is held and was never taken: those behind it may be done with, and it is still to come. */
static void
ledger_keeps_a_place_for_what_is_held(void **state)
{
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(16);

	(void)state;
	take(ledger, 17, 20);
	for (uint64_t seq = 17; seq < 20; seq++)
		ledger_done(ledger, seq);
	assert_int_equal(ledger_first(ledger), 16);
	assert_false(ledger_has(ledger, 16));
	assert_true(ledger_has(ledger, 17));
	take(ledger, 16, 17);
	ledger_done(ledger, 16);
	assert_int_equal(ledger_first(ledger), 20);
}

static void
ledger_returns_what_was_under_way(void **state)
{
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(1);

	(void)state;
	take(ledger, 1, 6);
	ledger_done(ledger, 3);
	ledger_return(ledger, 2);
	assert_false(ledger_has(ledger, 2));
	ledger_return_all(ledger);
	assert_false(ledger_has(ledger, 1));
	assert_true(ledger_has(ledger, 3));
	assert_false(ledger_has(ledger, 5));
	ledger_return(ledger, 3);
	assert_true(ledger_has(ledger, 3));
}

static void
ledger_passes_over_what_is_lost(void **state)
{
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(1);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(ledger_lose(ledger, 1, UINT64_C(1) << 40, &f), &f);
	assert_int_equal(ledger_first(ledger), UINT64_C(1) << 40);
	ledger_restart(ledger, 5);
	take(ledger, 6, 7);
	assert_ok(ledger_lose(ledger, 7, 100, &f), &f);
	assert_int_equal(ledger_first(ledger), 5);
	assert_true(ledger_has(ledger, 99));
	ledger_done(ledger, 6);
	assert_ok(ledger_lose(ledger, 5, 6, &f), &f);
	assert_int_equal(ledger_first(ledger), 100);
}

/* Against a plain array, for a million steps. */
static void
ledger_is_as_an_array_would_be(void **state)
{
	enum { N = 20000 };
	static unsigned char model[N]; /* 0 free, 1 under way, 2 done with */
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(0);
	uint64_t first = 0;

	(void)state;
	srandom(1);
	for (int i = 0; i < 300000; i++) {
		uint64_t seq = first + (uint64_t)random() % 9000;

		if (seq >= N)
			break;
		switch (random() % 4) {
		case 0:
		case 1:
			if (!model[seq]) {
				take(ledger, seq, seq + 1);
				model[seq] = 1;
			}
			break;
		case 2:
			if (model[seq] == 1) {
				ledger_done(ledger, seq);
				model[seq] = 2;
			}
			break;
		default:
			ledger_return(ledger, seq);
			if (model[seq] == 1)
				model[seq] = 0;
			break;
		}
		while (first < N && model[first] == 2)
			first++;
		assert_int_equal(ledger_first(ledger), first);
		assert_int_equal(ledger_has(ledger, seq), seq < first || model[seq] != 0);
	}
}

static void
ledger_has_its_bound(void **state)
{
	AUTO(auto_ledger) struct ledger *ledger = ledger_from(1);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(ledger_take(ledger, LEDGER_SPAN_MAX, &f), &f);
	assert_fault(ledger_take(ledger, LEDGER_SPAN_MAX + 1, &f), &f, FAULT_PRECONDITION);
}

/* --- backoff */

static void
backoff_doubles_up_to_its_bound(void **state)
{
	static const int64_t most[] = {1000, 2000, 4000, 8000, 10000, 10000};
	struct backoff backoff = {0};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(most); i++) {
		struct backoff same = backoff;

		assert_int_equal(backoff_next(&same, 1000, 10000, 0), 100);
		same = backoff;
		assert_in_range(backoff_next(&same, 1000, 10000, UINT32_MAX / 2), most[i] / 2 - 1,
			most[i] / 2);
		assert_int_equal(backoff_next(&backoff, 1000, 10000, UINT32_MAX), most[i]);
	}
	backoff_reset(&backoff);
	assert_int_equal(backoff_next(&backoff, 1000, 10000, UINT32_MAX), 1000);
}

/* --- route and template */

static void
routes_map_both_ways(void **state)
{
	static char *rules[] = {TEXT("light/# 0 building/ /devices/gw1/events/"), TEXT("plain/+"),
		TEXT("x 1 \"\" far/")};
	const struct setting_list list = {rules, N_ELEMENTS(rules)};
	static const struct {
		enum route_way way;
		const char *from, *to;
		int qos;
	} rows[] = {
		{ROUTE_OUT, "building/light/1", "/devices/gw1/events/light/1", 0},
		{ROUTE_OUT, "building/heat", NULL, -1},
		{ROUTE_OUT, "light/1", NULL, -1},
		{ROUTE_OUT, "plain/a", "plain/a", 1},
		{ROUTE_OUT, "plain/a/b", NULL, -1},
		{ROUTE_OUT, "x", "far/x", 1},
		{ROUTE_IN, "far/x", "x", 1},
		{ROUTE_IN, "/devices/gw1/events/light/1", "building/light/1", 0},
		{ROUTE_IN, "x", NULL, -1},
	};
	AUTO(routes_clear) struct routes routes = {NULL, 0};
	struct fault f = FAULT_INIT;
	char topic[64], exact[8], small[7];

	(void)state;
	assert_ok(routes_parse(&list, &routes, &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		int qos = routes_map(&routes, rows[i].way, rows[i].from, topic, sizeof(topic));

		if (qos != rows[i].qos || (qos >= 0 && strcmp(topic, rows[i].to)))
			fail_msg("row %zu: %s", i, rows[i].from);
	}
	assert_int_equal(routes_map(&routes, ROUTE_OUT, "plain/a", exact, sizeof(exact)), 1);
	assert_string_equal(exact, "plain/a");
	assert_int_equal(routes_map(&routes, ROUTE_OUT, "plain/a", small, sizeof(small)), -1);
}

static void
routes_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "a#", "a 2", "a 1 local", "a 1 l r more", "a 1 l+ r", "a 1 l #", "a one"};
	struct route route;
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_fault(route_parse(bad[i], &route, &f), &f, FAULT_CONFIG);
	assert_ok(route_parse(" a/+/# \t 0  l/  \"\" ", &route, &f), &f);
	assert_string_equal(route.filter, "a/+/#");
	assert_string_equal(route.local, "l/");
	assert_string_equal(route.remote, "");
	assert_int_equal(route.qos, 0);
}

static void
templates_are_expanded(void **state)
{
	static const struct template_value values[] = {
		{"a", "one"}, {"b", ""}, {"c", NULL}, {NULL}};
	static const char *const bad[] = {"{c}", "{d}", "{a", "{", "{}"};
	AUTO(auto_free) char *text = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(template_expand("x{a}{b}/{a}{{a}}", values, &text, &f), &f);
	assert_string_equal(text, "xone/one{a}}");
	assert_true(template_has("{{a}{b}", "b"));
	assert_false(template_has("{{a}{b}", "a"));
	assert_false(template_has("a {a", "a"));
	assert_false(template_has("", ""));
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_fault(template_expand(bad[i], values, &text, &f), &f, FAULT_CONFIG);
}

/* Each brace is looked at once: what a value has in it is no name. */
static void
values_of_templates_are_copied(void **state)
{
	static const struct template_value values[] = {{"a", "{b}{{"}, {"b", "two"}, {NULL}};
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_secret) char *secret = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(template_expand("{a}{b}", values, &text, &f), &f);
	assert_string_equal(text, "{b}{{two");
	assert_ok(template_expand_secret("{b}{a}", values, &secret, &f), &f);
	assert_string_equal(secret, "two{b}{{");
}

/* --- settings */

static int
read_text(const char *text, struct gateway_settings *values, struct fault *f)
{
	char path[] = "settings.XXXXXX";
	int fd = mkstemp(path), rc;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	*values = (struct gateway_settings){0};
	assert_ok(setting_preset(gateway_settings_table, values, values->origins, f), f);
	rc = gateway_settings_read(path, values, f);
	unlink(path);
	return rc;
}

#define WHOLE \
	"[token]\nkey = pkcs11:token=gw;object=device\n[uplink]\nurl = mqtts://one\n" \
	"url = mqtts://two\nproject = p\nregion = r\nregistry = reg\ndevice = gw1\n"

static void
settings_are_read_and_finished(void **state)
{
	struct gateway_settings v;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(read_text("# a comment\n" WHOLE "[site]\nout = a/# 1 \"\" /{device}/\n", &v, &f),
		&f);
	assert_ok(gateway_settings_finish(&v, "cloud", &f), &f);
	assert_int_equal(v.uplink.url.n, 2);
	assert_string_equal(v.uplink.name, "cloud");
	assert_string_equal(
		v.uplink.client_id, "projects/p/locations/r/registries/reg/devices/gw1");
	assert_string_equal(v.uplink.username, "unused");
	assert_string_equal(v.uplink.audience, "p");
	assert_string_equal(v.uplink.mqtt_version, "5");
	assert_string_equal(v.site.out.items[0], "a/# 1 \"\" /gw1/");
	assert_string_equal(v.status.socket, "/run/p11-gateway/cloud.status");
	assert_true(gateway_settings_attaches(&v));
	gateway_settings_clear(&v);
	assert_ok(read_text(WHOLE "profile = emqx\n", &v, &f), &f);
	assert_ok(gateway_settings_finish(&v, NULL, &f), &f);
	assert_string_equal(v.uplink.client_id, "gw1");
	assert_string_equal(v.uplink.claim.items[0], "sub=gw1");
	assert_false(gateway_settings_attaches(&v));
	gateway_settings_clear(&v);
}

/* Faults are those of the file wherever it was: "FILE" stands for its name. */
static const char *
without_name(const struct gateway_settings *v, struct fault *f)
{
	size_t len = v->file ? strlen(v->file) : 0;

	if (len && !strncmp(f->text, v->file, len)) {
		memmove(f->text + 4, f->text + len, strlen(f->text + len) + 1);
		memcpy(f->text, "FILE", 4);
	}
	return f->text;
}

static void
settings_that_are_wrong_are_named(void **state)
{
	static const struct {
		const char *text, *start;
	} rows[] = {
		{WHOLE "lifetime = 3 hours\n",
			"FILE:10: uplink.lifetime: '3 hours' is not a number"},
		{WHOLE "lifetime = 1s\n", "FILE:10: uplink.lifetime: '1s' is not within 8.."},
		{WHOLE "lifetime = 1h ; an hour\n",
			"FILE:10: uplink.lifetime: '1h ; an hour' is not"},
		{WHOLE "colour = red\n", "FILE:10: [uplink] has no setting 'colour'"},
		{WHOLE "[colour]\nred = 1\n", "FILE:11: [colour] has no setting 'red'"},
		{WHOLE "what is this\n", "FILE:10: the line is neither"},
		{WHOLE "profile = aws\n", "FILE:10: uplink.profile: 'aws' is not one of"},
		{WHOLE "profile = generic\nmqtt-version = 3.1.1\n",
			"FILE: uplink.username is missing"},
		{WHOLE "max-qos = 2\n", "FILE:10: uplink.max-qos: '2' is not"},
		{WHOLE "region = s\n", "FILE:10: uplink.region: it is set in line 7 already"},
		{WHOLE "[token]\nkey = k\n", "FILE:11: token.key: it is set in line 2 already"},
		{"[uplink]\ndevice = gw1\n", "FILE: token.key is missing"},
		{"[token]\nkey =\n", "FILE:2: token.key: it must not be empty"},
		{"[token]\nkey = k\n[uplink]\ndevice = gw1\n", "FILE: uplink.url is missing"},
		{"[token]\nkey = k\n[uplink]\ndevice = gw1\nurl = mqtt://h\n",
			"FILE: uplink.project is missing"},
		{WHOLE "[spool]\npath =\n", "FILE:11: spool.path: it must not be empty"},
		{WHOLE "client-id = {nobody}\n",
			"FILE:10: uplink.client-id: {nobody} is not a known"},
		{WHOLE "username = {jwt}\n", "FILE:10: uplink.username: {jwt} has no value here"},
		{WHOLE "password = {jwt\n", "FILE:10: uplink.password: a '{' has no '}'"},
		{WHOLE "password = {jwt}{token}\n",
			"FILE:10: uplink.password: {token} is not a known"},
		{WHOLE "claim = a=b\nclaim = c={d}\n", "FILE:11: uplink.claim: {d} is not a known"},
		{WHOLE "header = a={b}\n", "FILE:10: uplink.header: {b} is not a known"},
		{WHOLE "[token]\ndevice-key = pkcs11:object={gateway}\n",
			"FILE:11: token.device-key: {gateway} is not a known"},
		{"[token]\nkey = k\n[uplink]\ndevice = gw1\nurl = mqtt://h\nproject = p\nregion = "
		 "r\n"
		 "registry = no good\n",
			"FILE:8: uplink.registry: "},
		{WHOLE "[site]\nin = a\nin = a#\n", "FILE:12: site.in: 'a#'"},
		{WHOLE "[site]\nout = {device} 2\n", "FILE:11: site.out: 'gw1 2'"},
		{WHOLE "[status]\nmetrics-listen = localhost:9\n",
			"FILE:11: status.metrics-listen: 'localhost:9'"},
	};

	(void)state;
	unsetenv("P11_GATEWAY_URL");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct gateway_settings v;
		struct fault f = FAULT_INIT;

		if (read_text(rows[i].text, &v, &f) == 0)
			assert_int_not_equal(gateway_settings_finish(&v, NULL, &f), 0);
		if (f.code != FAULT_CONFIG ||
			strncmp(without_name(&v, &f), rows[i].start, strlen(rows[i].start)))
			fail_msg("row %zu: %s", i, f.text);
		gateway_settings_clear(&v);
	}
}

/* --- pace */

static void
a_profile_presets_the_rates_of_its_broker(void **state)
{
	static const struct {
		const char *text;
		long messages, bytes;
	} rows[] = {
		{"", 100, 524288},
		{"profile = clearblade\n", 100, 524288},
		{"profile = generic\n", 0, 0},
		{"device-rate = 0\ndevice-byte-rate = 7\n", 0, 7},
		{"profile = emqx\ndevice-rate = 5\n", 5, 0},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct gateway_settings v;
		struct fault f = FAULT_INIT;
		char text[512];

		snprintf(text, sizeof(text), WHOLE "%s", rows[i].text);
		assert_ok(read_text(text, &v, &f), &f);
		assert_ok(gateway_settings_finish(&v, NULL, &f), &f);
		assert_int_equal(v.uplink.device_rate, rows[i].messages);
		assert_int_equal(v.uplink.device_byte_rate, rows[i].bytes);
		assert_int_equal(v.uplink.drain_rate, 0);
		gateway_settings_clear(&v);
	}
}

/* Messages that may be sent at a time. */
static int
sendable(struct pace *pace, const struct pace_rates *rates, size_t attached, size_t len,
	int64_t now_ms)
{
	int n = 0;

	for (; pace_wait_ms(pace, now_ms) == 0 && n < 100000; n++)
		pace_spend(pace, rates, attached, len, now_ms);
	return n;
}

static void
each_attached_device_adds_to_the_pace(void **state)
{
	static const struct pace_rates numbers = {.messages = 100}, bytes = {.bytes = 1000},
				       total = {.total = 100}, none = {0};
	struct pace pace = {0};

	(void)state;
	assert_int_equal(sendable(&pace, &numbers, 0, 1, 0), 100);
	assert_int_equal(sendable(&pace, &numbers, 0, 1, 500), 50);
	assert_int_equal(sendable(&pace, &numbers, 9, 1, 1000), 500);
	/* Attaches come first: the messages wait for what they took. */
	assert_int_equal(pace_wait_control_ms(&pace, 1000), 0);
	for (int i = 0; i < 50; i++)
		pace_spend_control(&pace, &numbers, 0, 1, 1000);
	assert_in_range(pace_wait_ms(&pace, 1000), 490, 501);
	assert_int_equal(sendable(&pace, &numbers, 0, 1, 1000), 0);
	pace = (struct pace){0};
	assert_int_equal(sendable(&pace, &bytes, 1, 500, 0), 4);
	assert_in_range(pace_wait_ms(&pace, 0), 1, 251);
	/* The total is one for all devices, and has little room for bursts. */
	pace = (struct pace){0};
	assert_int_equal(sendable(&pace, &total, 50, 500, 0), 10);
	pace = (struct pace){0};
	assert_int_equal(sendable(&pace, &none, 0, 500, 0), 100000);
}

static void
faults_name_where_a_value_was_given(void **state)
{
	static char *argv[] = {
		TEXT("run"), TEXT("--uplink.claim=a=b"), TEXT("--uplink.region=s"), NULL};
	struct gateway_settings v;
	struct fault f = FAULT_INIT;
	int operands;
	static const struct {
		const char *name;
		size_t item;
		const char *text;
	} rows[] = {
		{"uplink.url", 1, "FILE:5: uplink.url: no"},
		{"uplink.claim", 0, "--uplink.claim: no"},
		{"uplink.region", 0, "--uplink.region: no"},
		{"token.module", 0, "environment variable P11_GATEWAY_MODULE: no"},
		{"uplink.username", 0, "uplink.username: no"},
		{"uplink.project", 0, "FILE:6: uplink.project: no"},
	};

	(void)state;
	setenv("P11_GATEWAY_MODULE", "/module", 1);
	assert_ok(read_text(WHOLE "claim = c=d\n", &v, &f), &f);
	unsetenv("P11_GATEWAY_MODULE");
	assert_ok(setting_parse(gateway_settings_table, &v, v.origins, 3, argv, &operands, &f), &f);
	assert_int_equal(v.uplink.claim.n, 1);
	assert_ok(gateway_settings_finish(&v, NULL, &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		fault_set(&f, FAULT_CONFIG, "no");
		gateway_settings_blame(&v, rows[i].name, rows[i].item, &f);
		assert_string_equal(without_name(&v, &f), rows[i].text);
	}
	gateway_settings_clear(&v);
}

static void
text_after_a_semicolon_belongs_to_a_value(void **state)
{
	struct gateway_settings v;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(read_text("[token]\nkey = pkcs11:token=gw ; object=device # so\n", &v, &f), &f);
	assert_string_equal(v.token.key, "pkcs11:token=gw ; object=device # so");
	gateway_settings_clear(&v);
}

static void
what_is_set_comes_before_the_profile(void **state)
{
	static const struct {
		const char *text;
		const char *claims[3], *headers[3];
		const char *audience;
	} rows[] = {
		{"profile = rabbitmq\n", {"sub=gw1"}, {"kid=gw1"}, "p"},
		{"profile = rabbitmq\nclaim = sub=me\nheader = kid=mine\n", {"sub=me"},
			{"kid=mine"}, "p"},
		{"profile = rabbitmq\nclaim = sub:=1\nheader = kid:=[2]\n", {"sub:=1"},
			{"kid:=[2]"}, "p"},
		{"profile = emqx\nclaim = subject=me\nheader = kid=mine\n",
			{"subject=me", "sub=gw1"}, {"kid=mine"}, "p"},
		{"claim = aud:=[\"a\",\"b\"]\n", {"aud:=[\"a\",\"b\"]"}, {NULL}, NULL},
		{"audience = me\n", {NULL}, {NULL}, "me"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_free) char *text = NULL;
		struct gateway_settings v;

		assert_true(asprintf(&text, "%s%s", WHOLE, rows[i].text) > 0);
		assert_ok(read_text(text, &v, &f), &f);
		assert_ok(gateway_settings_finish(&v, NULL, &f), &f);
		for (size_t item = 0; item < v.uplink.claim.n; item++)
			assert_string_equal(v.uplink.claim.items[item], rows[i].claims[item]);
		for (size_t item = 0; item < v.uplink.header.n; item++)
			assert_string_equal(v.uplink.header.items[item], rows[i].headers[item]);
		assert_null(rows[i].claims[v.uplink.claim.n]);
		assert_null(rows[i].headers[v.uplink.header.n]);
		if (rows[i].audience)
			assert_string_equal(v.uplink.audience, rows[i].audience);
		else
			assert_null(v.uplink.audience);
		gateway_settings_clear(&v);
	}
}

static void
a_static_password_needs_no_key(void **state)
{
	static const char text[] = "[uplink]\nprofile = generic\nurl = mqtt://h\ndevice = gw1\n"
				   "project = {device}{{\npassword = ";
	static const struct {
		const char *password;
		bool signs;
		const char *expanded;
	} rows[] = {
		{"secret", false, "secret"},
		{"{{jwt}", false, "{jwt}"},
		{"{project}-{device}", false, "{device}{{-gw1"},
		{"", false, ""},
		{"{jwt}\n[token]\nkey = k", true, "JWT"},
		{"{device}:{jwt}\n[token]\nkey = k", true, "gw1:JWT"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_free) char *whole = NULL;
		AUTO(auto_secret) char *password = NULL;
		struct gateway_settings v;

		assert_true(asprintf(&whole, "%s%s\n", text, rows[i].password) > 0);
		assert_ok(read_text(whole, &v, &f), &f);
		assert_ok(gateway_settings_finish(&v, NULL, &f), &f);
		assert_int_equal(gateway_settings_signs(&v), rows[i].signs);
		assert_ok(
			gateway_settings_password(&v, rows[i].signs ? "JWT" : NULL, &password, &f),
			&f);
		assert_string_equal(password, rows[i].expanded);
		gateway_settings_clear(&v);
	}
}

static void
settings_of_a_section_are_compared(void **state)
{
	static const char *const keep_alive[] = {"uplink.drain-rate", "uplink.keep-alive", NULL};
	struct gateway_settings a, b;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(read_text(WHOLE, &a, &f), &f);
	assert_ok(read_text(WHOLE "keep-alive = 30s\n[site]\nin = x\n", &b, &f), &f);
	assert_true(gateway_settings_same(&a, &b, "token", NULL));
	assert_false(gateway_settings_same(&a, &b, "uplink", NULL));
	assert_false(gateway_settings_same(&a, &b, "site", NULL));
	assert_true(gateway_settings_same(&a, &a, "uplink", NULL));
	assert_true(gateway_settings_same(&a, &b, "uplink", keep_alive));
	assert_false(gateway_settings_same(&a, &b, "uplink", keep_alive + 2));
	assert_false(gateway_settings_same(&a, &b, "site.in", NULL));
	assert_true(gateway_settings_same(&a, &b, "site.out", NULL));
	gateway_settings_clear(&a);
	gateway_settings_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ledger_moves_on_with_the_first_alone),
		cmocka_unit_test(ledger_keeps_a_place_for_what_is_held),
		cmocka_unit_test(ledger_returns_what_was_under_way),
		cmocka_unit_test(ledger_passes_over_what_is_lost),
		cmocka_unit_test(ledger_is_as_an_array_would_be),
		cmocka_unit_test(ledger_has_its_bound),
		cmocka_unit_test(backoff_doubles_up_to_its_bound),
		cmocka_unit_test(routes_map_both_ways),
		cmocka_unit_test(routes_that_are_none_are_refused),
		cmocka_unit_test(templates_are_expanded),
		cmocka_unit_test(values_of_templates_are_copied),
		cmocka_unit_test(settings_are_read_and_finished),
		cmocka_unit_test(settings_that_are_wrong_are_named),
		cmocka_unit_test(faults_name_where_a_value_was_given),
		cmocka_unit_test(text_after_a_semicolon_belongs_to_a_value),
		cmocka_unit_test(what_is_set_comes_before_the_profile),
		cmocka_unit_test(a_static_password_needs_no_key),
		cmocka_unit_test(settings_of_a_section_are_compared),
		cmocka_unit_test(a_profile_presets_the_rates_of_its_broker),
		cmocka_unit_test(each_attached_device_adds_to_the_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
