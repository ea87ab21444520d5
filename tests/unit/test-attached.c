/* What the broker asks of the registry: who may attach, what changed, what devices did. */
#include "config.h"

#include "unit.h"

#include "soft-key.h"
#include "soft-store.h"

static void
add_gateway(struct context *c, const char *id, const char *method)
{
	const struct store_device gateway = {.gateway = true, .auth_method = method};

	add(c, id, &gateway);
}

/* One gateway for each method by which a gateway may attach devices. */
static void
add_gateways(struct context *c)
{
	add_gateway(c, "bound-only", "ASSOCIATION_ONLY");
	add_gateway(c, "token-only", "DEVICE_AUTH_TOKEN_ONLY");
	add_gateway(c, "both", "ASSOCIATION_AND_DEVICE_AUTH_TOKEN");
}

static struct registry_admission
gateway_of(struct context *c, const char *id)
{
	struct registry_admission gateway = {.client = place, .gateway = true};
	char query[128];

	strcpy(gateway.client.device, id);
	strcpy(gateway.device_id, id);
	snprintf(query, sizeof(query), "SELECT id FROM devices WHERE name = '%s'", id);
	gateway.device_row = count(c, query);
	return gateway;
}

/* An attach's payload with a token by the key. */
static char *
body_of(EVP_PKEY *key, time_t now)
{
	char *token = make_jwt(NULL, key, now), *body;

	assert_true(asprintf(&body, "{\"authorization\":\"%s\"}", token) > 0);
	secret_free(token);
	return body;
}

static int
attach(struct context *c, const char *gateway, const char *device, const char *body,
	struct registry_admission *ret, struct fault *f)
{
	struct registry_admission through = gateway_of(c, gateway);

	return registry_attach(c->broker, &through, device, body, strlen(body), NOW, ret, f);
}

static void
assert_refused_with(struct context *c, const char *gateway, const char *device, const char *body,
	enum fault_code code, const char *reason)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_fault(attach(c, gateway, device, body, &admission, &f), &f, code);
	if (!strstr(f.text, reason))
		fail_msg("'%s' instead of '%s'", f.text, reason);
}

/* The gateway may know why. */
static void
assert_refused(struct context *c, const char *gateway, const char *device, const char *body,
	const char *reason)
{
	assert_refused_with(c, gateway, device, body, FAULT_AUTH, reason);
}

/* Only the operator may know why. */
static void
assert_unseen(struct context *c, const char *gateway, const char *device, const char *body,
	const char *reason)
{
	assert_refused_with(c, gateway, device, body, FAULT_NOTFOUND, reason);
}

static void
each_method_asks_for_what_it_says(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *key = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *other = soft_key("P-256");
	AUTO(auto_free) char *good = body_of(key, NOW);
	AUTO(auto_free) char *bad = body_of(other, NOW);
	AUTO(auto_free) char *old = body_of(key, NOW - 86400);
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	add_gateways(c);
	add_gateway(c, "neither", NULL);
	add(c, "dev", NULL);
	add(c, "loner", NULL);
	add_key(c, "dev", key);
	add_key(c, "loner", key);
	assert_ok(store_gateway_bind(c->store, &place, "bound-only", "dev", &f), &f);
	assert_ok(store_gateway_bind(c->store, &place, "both", "dev", &f), &f);

	assert_ok(attach(c, "bound-only", "dev", "", &admission, &f), &f);
	assert_int_equal(admission.until, 0);
	assert_false(admission.by_token);
	assert_string_equal(admission.device_id, "dev");
	assert_ok(attach(c, "bound-only", "dev", bad, &admission, &f), &f);
	assert_unseen(c, "bound-only", "loner", good, "not bound");

	assert_ok(attach(c, "token-only", "dev", good, &admission, &f), &f);
	assert_int_equal(admission.until, NOW + 3600 + RULES_SKEW_S);
	assert_true(admission.by_token);
	assert_ok(attach(c, "token-only", "loner", good, &admission, &f), &f);
	assert_refused(c, "token-only", "dev", "{}", "wants a token");
	assert_unseen(c, "token-only", "dev", bad, "credentials");
	assert_refused(c, "token-only", "dev", old, "expired");

	assert_ok(attach(c, "both", "dev", good, &admission, &f), &f);
	assert_refused(c, "both", "dev", "", "wants a token");
	assert_refused(c, "both", "dev", bad, "credentials");
	assert_unseen(c, "both", "loner", good, "not bound");

	assert_refused(c, "neither", "dev", good, "auth method");
	assert_ok(store_device_block(c->store, named("dev"), true, &f), &f);
	assert_refused(c, "both", "dev", good, "blocked");
	assert_refused(c, "token-only", "dev", good, "blocked");
}

/* A gateway learns nothing about devices that are not bound to it and whose tokens it has not. */
static void
an_attach_does_not_tell_who_exists(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *key = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *other = soft_key("P-256");
	AUTO(auto_free) char *good = body_of(key, NOW);
	AUTO(auto_free) char *bad = body_of(other, NOW);
	AUTO(auto_free) char *old = body_of(other, NOW - 86400);
	struct fault f = FAULT_INIT;

	add_gateways(c);
	add(c, "dev", NULL);
	add(c, "blocked", NULL);
	add_key(c, "dev", key);
	/* The gateway's own token is no other's. */
	add_key(c, "token-only", other);
	assert_ok(store_device_block(c->store, named("blocked"), true, &f), &f);
	for (size_t i = 0; i < 2; i++) {
		const char *gateway = i ? "both" : "bound-only";

		assert_unseen(c, gateway, "dev", good, "not bound");
		assert_unseen(c, gateway, "blocked", good, "not bound");
		assert_unseen(c, gateway, "token-only", good, "not bound");
		assert_unseen(c, gateway, "nobody", good, "no such device");
		assert_unseen(c, gateway, "17", good, "no such device");
	}
	assert_unseen(c, "token-only", "dev", bad, "none of the device's 1 credentials");
	assert_unseen(c, "token-only", "blocked", bad, "none of the device's 0 credentials");
	assert_unseen(c, "token-only", "both", bad, "none of the device's 0 credentials");
	assert_unseen(c, "token-only", "nobody", bad, "no such device");
	/* Its own token opens nothing else, and what is wrong with a token itself may be told. */
	assert_refused(c, "token-only", "token-only", bad, "gateway does not attach");
	assert_refused(c, "token-only", "dev", old, "expired");
	assert_refused(c, "token-only", "nobody", old, "expired");
	assert_refused(c, "token-only", "nobody", "", "wants a token");
}

static void
an_attached_device_stays_as_long_as_it_may(void **state)
{
	struct context *c = *state;
	struct registry_admission admission, gateway;
	struct fault f = FAULT_INIT;

	add_gateway(c, "gate", "ASSOCIATION_ONLY");
	add(c, "dev", NULL);
	assert_ok(store_gateway_bind(c->store, &place, "gate", "dev", &f), &f);
	assert_ok(attach(c, "gate", "dev", "{}", &admission, &f), &f);
	gateway = gateway_of(c, "gate");
	assert_ok(registry_may_stay_attached(c->broker, &gateway, &admission, &f), &f);
	sql(c, "UPDATE devices SET auth_method = 'ASSOCIATION_AND_DEVICE_AUTH_TOKEN'"
	       " WHERE name = 'gate'");
	assert_fault(
		registry_may_stay_attached(c->broker, &gateway, &admission, &f), &f, FAULT_AUTH);
	sql(c, "UPDATE devices SET auth_method = 'ASSOCIATION_ONLY' WHERE name = 'gate'");
	assert_ok(registry_may_stay_attached(c->broker, &gateway, &admission, &f), &f);
	assert_ok(store_gateway_unbind(c->store, &place, "gate", "dev", &f), &f);
	assert_fault(
		registry_may_stay_attached(c->broker, &gateway, &admission, &f), &f, FAULT_AUTH);
}

/* The devices that changed, each followed by a blank; "all" when all are to be looked at. */
static const char *
changes(struct context *c, size_t size)
{
	static char text[128];
	struct fault f = FAULT_INIT;
	int64_t rows[16];
	char query[80];
	bool all;
	size_t n;

	assert_ok(registry_changes(c->broker, rows, size, &n, &all, &f), &f);
	if (all)
		return "all";
	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		snprintf(query, sizeof(query), "SELECT name FROM devices WHERE id = %lld",
			(long long)rows[i]);
		strcat(strcat(text, ask(c, query)), " ");
	}
	return text;
}

static void
a_broker_learns_which_devices_changed(void **state)
{
	struct context *c = *state;
	AUTO(auto_pkey) EVP_PKEY *key = soft_key("P-256");
	struct fault f = FAULT_INIT;

	add_gateway(c, "gate", "ASSOCIATION_ONLY");
	add(c, "dev", NULL);
	add(c, "third", NULL);
	assert_string_equal(changes(c, 16), "all");
	assert_string_equal(changes(c, 16), "");
	assert_ok(store_device_block(c->store, named("third"), true, &f), &f);
	assert_ok(store_gateway_bind(c->store, &place, "gate", "dev", &f), &f);
	add_key(c, "gate", key);
	assert_string_equal(changes(c, 16), "third ");
	assert_ok(store_gateway_unbind(c->store, &place, "gate", "dev", &f), &f);
	assert_ok(update_config(c, "x", 0, NOW, &f), &f);
	assert_ok(store_credential_clear(c->store, named("gate"), &f), &f);
	assert_ok(store_device_delete(c->store, named("third"), &f), &f);
	assert_string_equal(changes(c, 2), "dev dev ");
	/* The last one is not there any more. */
	assert_string_equal(changes(c, 2), "gate  ");
	assert_string_equal(changes(c, 2), "");
	/* A registry that is closed to MQTT concerns all. */
	sql(c, "UPDATE registries SET mqtt = 0");
	assert_string_equal(changes(c, 16), "all");
	/* One that slept too long looks at all; so does one whose file went back. */
	sql(c, "INSERT INTO changes (id, device) VALUES (500000, 2)");
	assert_string_equal(changes(c, 16), "all");
	sql(c, "DELETE FROM changes; INSERT INTO changes (id, device) VALUES (5, 2)");
	assert_string_equal(changes(c, 16), "all");
	assert_string_equal(changes(c, 16), "");
}

static void
what_devices_did_is_kept_in_one_go(void **state)
{
	struct context *c = *state;
	char why[] = "too large";
	const struct registry_activity first = {
		.heartbeat = 100, .event = 90, .config_sent = 80, .config_version = 3};
	const struct registry_activity second = {.heartbeat = 110, .error = 105, .error_text = why};
	struct registry_event event = {.when = NOW, .of = place, .event = "closed"};
	struct fault f = FAULT_INIT;
	int64_t device;

	add(c, "dev", NULL);
	strcpy(event.of.device, "dev");
	strcpy(event.detail, "reason=too large");
	assert_ok(registry_begin(c->broker, &f), &f);
	device = count(c, "SELECT id FROM devices");
	assert_ok(registry_keep_activity(c->broker, device, &first, &f), &f);
	assert_ok(registry_keep_activity(c->broker, device, &second, &f), &f);
	assert_ok(registry_keep_activity(c->broker, 77, &first, &f), &f);
	assert_ok(registry_keep_event(c->broker, &event, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM activity"), 0);
	assert_ok(registry_commit(c->broker, &f), &f);
	assert_string_equal(ask(c, "SELECT group_concat(heartbeat || ' ' || event"
				   " || ' ' || config_sent || ' ' || config_version || ' ' || error"
				   " || ' ' || error_text) FROM activity"),
		"110 90 80 3 105 too large");
	assert_string_equal(
		ask(c, "SELECT event || ' ' || detail FROM audit WHERE event = 'closed'"),
		"closed reason=too large");
	assert_ok(registry_begin(c->broker, &f), &f);
	assert_ok(registry_keep_event(c->broker, &event, &f), &f);
	registry_rollback(c->broker);
	assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE event = 'closed'"), 1);
}

static void
a_locked_file_is_told_and_comes_back(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;

	registry_set_patience(c->broker, 20);
	sql(c, "BEGIN IMMEDIATE");
	for (int i = 0; i < 3; i++)
		assert_fault(registry_begin(c->broker, &f), &f, FAULT_IO);
	sql(c, "COMMIT");
	assert_ok(registry_begin(c->broker, &f), &f);
	registry_rollback(c->broker);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_method_asks_for_what_it_says),
		TEST(an_attach_does_not_tell_who_exists),
		TEST(an_attached_device_stays_as_long_as_it_may),
		TEST(a_broker_learns_which_devices_changed),
		TEST(what_devices_did_is_kept_in_one_go),
		TEST(a_locked_file_is_told_and_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
