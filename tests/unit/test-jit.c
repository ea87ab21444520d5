/* Devices that nobody registered, with certificates in their tokens. */
#include "config.h"

#include "unit.h"

#include <pthread.h>

#include "soft-registry.h"

/* A certificate as it stands in x5c; with_tail puts a byte more behind it. */
static json_t *
entry(X509 *cert, bool with_tail)
{
	unsigned char *der = NULL, *data;
	int len = i2d_X509(cert, &der);
	char text[12000];
	json_t *json;

	data = calloc(1, (size_t)len + 1);
	memcpy(data, der, (size_t)len);
	EVP_EncodeBlock((unsigned char *)text, data, len + with_tail);
	json = json_string(text);
	OPENSSL_free(der);
	free(data);
	return json;
}

static json_t *
header_of(json_t *x5c)
{
	return json_pack("{s:o}", "x5c", x5c);
}

/* A header with the certificate that is meant, made and freed. */
static json_t *
header_with(const struct soft_cert *what)
{
	X509 *cert = soft_cert(what);
	json_t *header = header_of(json_pack("[o]", entry(cert, false)));

	X509_free(cert);
	return header;
}

static void
assert_refused(
	struct context *c, const char *device, json_t *header, EVP_PKEY *key, const char *reason)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_fault(connect_with(c->broker, device, header, key, &admission, &f), &f, FAULT_AUTH);
	assert_says(&f, reason);
	json_decref(header);
	assert_int_equal(count(c, "SELECT count(*) FROM devices"), 0);
	assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE device <> ''"), 0);
}

static struct registry_admission
assert_admitted(struct context *c, const char *device, json_t *header, EVP_PKEY *key)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_ok(connect_with(c->broker, device, header, key, &admission, &f), &f);
	json_decref(header);
	return admission;
}

/* Device "dev" is refused for this reason. If it is NULL, "dev" is registered and forgotten. */
static void
assert_judged(struct context *c, const struct soft_cert *what, const char *reason)
{
	if (reason) {
		assert_refused(c, "dev", header_with(what), c->key, reason);
		return;
	}
	assert_admitted(c, "dev", header_with(what), c->key);
	sql(c, "DELETE FROM devices; DELETE FROM audit");
}

static void
a_registry_takes_no_unknown_device_unless_told(void **state)
{
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");

	assert_refused(c, "dev", header_with(&what), c->key, "no such device");
	sql(c, "UPDATE registries SET jit = 'sometimes'");
	assert_refused(c, "dev", header_with(&what), c->key, "no such device");
	sql(c, "UPDATE registries SET jit = 'cn', mqtt = 0");
	assert_refused(c, "dev", header_with(&what), c->key, "takes no MQTT");
	sql(c, "UPDATE registries SET mqtt = 1");
	assert_refused(c, "dev", NULL, c->key, "no certificate (x5c)");
	assert_refused(c, "1234567890", header_with(&what), c->key, "no such device");
	assert_admitted(c, "dev", header_with(&what), c->key);
}

static void
a_device_is_registered_by_its_certificate(void **state)
{
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");
	struct registry_admission first, again;
	struct fault f = FAULT_INIT;

	sql(c, "UPDATE registries SET jit = 'cn'");
	first = assert_admitted(c, "dev", header_with(&what), c->key);
	assert_string_equal(first.device_id, "dev");
	assert_int_equal(first.until, NOW + 3600 + RULES_SKEW_S);
	assert_false(first.gateway);
	assert_int_equal(count(c, "SELECT count(*) FROM devices WHERE name = 'dev'"
				  " AND NOT gateway AND NOT blocked"),
		1);
	assert_int_equal(count(c, "SELECT id FROM devices"), first.device_row);
	assert_int_equal(
		count(c, "SELECT count(*) FROM credentials WHERE format = 'ES256_X509_PEM'"), 1);
	assert_true(first.by_token);
	assert_ok(registry_may_stay(c->broker, &first, &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE event = 'registered' AND"
				  " device = 'dev' AND registry = 'reg' AND time = 1800000000"),
		1);

	/* From now on it is known, with and without x5c, whatever that holds. */
	again = assert_admitted(c, "dev", NULL, c->key);
	assert_memory_equal(again.credential, first.credential, sizeof(first.credential));
	again = assert_admitted(c, "dev", header_of(json_string("nonsense")), c->key);
	assert_int_equal(again.device_row, first.device_row);
	assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE device <> ''"), 1);
	assert_int_equal(count(c, "SELECT count(*) FROM credentials"), 1);

	/* Blocked is blocked. */
	sql(c, "UPDATE devices SET blocked = 1");
	json_t *header = header_with(&what);

	assert_fault(connect_with(c->broker, "dev", header, c->key, &again, &f), &f, FAULT_AUTH);
	assert_says(&f, "blocked");
	json_decref(header);
}

static void
its_key_may_be_any_that_devices_have(void **state)
{
	static const struct {
		const char *key, *format, *reason;
	} rows[] = {
		{"2048", "RSA_X509_PEM", NULL},
		{"P-256", "ES256_X509_PEM", NULL},
		{"P-384", NULL, "ES384"},
	};
	struct context *c = *state;

	sql(c, "UPDATE registries SET jit = 'cn'");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct soft_cert what = ordinary(c, "dev");
		AUTO(auto_pkey) EVP_PKEY *key = soft_key(rows[i].key);
		char text[100];

		what.key = key;
		if (rows[i].reason) {
			assert_refused(c, "dev", header_with(&what), key, rows[i].reason);
			continue;
		}
		assert_admitted(c, "dev", header_with(&what), key);
		snprintf(text, sizeof(text), "SELECT count(*) FROM credentials WHERE format = '%s'",
			rows[i].format);
		assert_int_equal(count(c, text), 1);
		sql(c, "DELETE FROM devices; DELETE FROM audit");
	}
}

static void
each_rule_asks_for_its_name(void **state)
{
	static const struct {
		const char *rule, *cn, *names, *reason;
	} rows[] = {
		{"cn", "dev", NULL, NULL},
		{"cn", "dev", "DNS:other", NULL},
		{"cn", "dev2", NULL, "common name is another"},
		{"cn", "DEV", NULL, "common name is another"},
		{"cn", "de", NULL, "common name is another"},
		{"cn", NULL, "DNS:dev", "no common name"},
		{"dns", "other", "DNS:dev", NULL},
		{"dns", NULL, "DNS:a.example,DNS:dev", NULL},
		{"dns", "dev", NULL, "no alternative names"},
		{"dns", "dev", "DNS:dev.example,URI:dev,email:dev", "none of its DNS names"},
		{"dns", "dev", "DNS:*", "none of its DNS names"},
		{"uri", "other", "URI:" CLIENT "dev", NULL},
		{"uri", "other", "DNS:x,URI:urn:1,URI:" CLIENT "dev", NULL},
		{"uri", "dev", "URI:dev", "none of its URI names"},
		{"uri", "dev", "URI:" CLIENT "dev2", "none of its URI names"},
		{"uri", "dev", "DNS:" CLIENT "dev", "none of its URI names"},
		{"uri", "dev", "URI:https://x/" CLIENT "dev", "none of its URI names"},
	};
	struct context *c = *state;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct soft_cert what = ordinary(c, rows[i].cn);
		char text[80];

		snprintf(text, sizeof(text), "UPDATE registries SET jit = '%s'", rows[i].rule);
		sql(c, text);
		what.names = rows[i].names;
		assert_judged(c, &what, rows[i].reason);
	}
}

static void
names_that_hide_something_are_refused(void **state)
{
	struct context *c = *state;
	struct soft_cert what = ordinary(c, "dev\0.evil");
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	X509 *cert;

	sql(c, "UPDATE registries SET jit = 'cn'");
	what.cn_len = 9;
	assert_refused(c, "dev", header_with(&what), c->key, "NUL");
	what = ordinary(c, "dev");
	what.second_cn = "dev";
	assert_refused(c, "dev", header_with(&what), c->key, "several common names");
	what.second_cn = "other";
	assert_refused(c, "dev", header_with(&what), c->key, "several common names");

	sql(c, "UPDATE registries SET jit = 'dns'");
	what = ordinary(c, "dev");
	cert = soft_cert(&what);
	ASN1_STRING_set(text, "dev\0.evil", 9);
	GENERAL_NAME_set0_value(name, GEN_DNS, text);
	sk_GENERAL_NAME_push(names, name);
	X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0);
	X509_sign(cert, c->ca_key, EVP_sha256());
	assert_refused(c, "dev", header_of(json_pack("[o]", entry(cert, false))), c->key, "NUL");
	GENERAL_NAMES_free(names);
	X509_free(cert);
}

static void
only_the_registrys_CA_vouches(void **state)
{
	struct context *c = *state;
	struct soft_cert what = ordinary(c, "dev");

	sql(c, "UPDATE registries SET jit = 'cn'");
	assert_refused(c, "dev", header_with(&what), c->other, "signature is not the key's");
	what.ca = c->false_ca;
	what.ca_key = c->false_key;
	assert_refused(c, "dev", header_with(&what), c->key, "signature is not by the CA");
	what.ca = NULL;
	what.ca_key = NULL;
	assert_refused(
		c, "dev", header_with(&what), c->key, "not issued by any of the registry's 1 CAs");
	what = ordinary(c, "dev");
	what.is_ca = true;
	assert_refused(c, "dev", header_with(&what), c->key, "it is a CA certificate");
	what = ordinary(c, "dev");
	what.from = NOW + 60;
	assert_refused(c, "dev", header_with(&what), c->key, "not valid before");
	what.from = NOW - 2 * SOFT_DAY;
	what.days = 1;
	assert_refused(c, "dev", header_with(&what), c->key, "expired");
	assert_refused(c, "CA-", header_of(json_pack("[o]", entry(c->ca, false))), c->ca_key,
		"common name is another");
	sql(c, "DELETE FROM registry_cas");
	what = ordinary(c, "dev");
	assert_refused(c, "dev", header_with(&what), c->key, "the registry has no CA");
}

static void
a_certificate_is_verified_as_openssl_does(void **state)
{
	static const struct {
		const char *extension, *value, *reason;
	} rows[] = {
		{"1.2.3.4", "critical,ASN1:UTF8String:x", "critical extension 1.2.3.4 is unknown"},
		{"extendedKeyUsage", "serverAuth", "issue it with keyUsage digitalSignature"},
		{"keyUsage", "critical,keyEncipherment", "issue it with keyUsage digitalSignature"},
		{"keyUsage", "critical,keyAgreement", "does not allow signing tokens"},
		{"1.2.3.4", "ASN1:UTF8String:x", NULL},
		{"extendedKeyUsage", "critical,clientAuth", NULL},
		{"keyUsage", "critical,digitalSignature", NULL},
	};
	struct context *c = *state;

	sql(c, "UPDATE registries SET jit = 'cn'");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct soft_cert what = ordinary(c, "dev");

		what.extension = rows[i].extension;
		what.value = rows[i].value;
		assert_judged(c, &what, rows[i].reason);
	}
}

/* Puts a CA into the registry in the place of its own, as an older version may have accepted it. */
static void
trust_instead(struct context *c, X509 *ca)
{
	struct fault f = FAULT_INIT;
	sqlite3_stmt *q;
	char *pem;

	sql(c, "DELETE FROM registry_cas");
	assert_ok(cert_pem(ca, &pem, &f), &f);
	sqlite3_prepare_v2(
		c->db, "INSERT INTO registry_cas (registry, pem) VALUES (1, ?)", -1, &q, NULL);
	sqlite3_bind_text(q, 1, pem, -1, SQLITE_TRANSIENT);
	assert_int_equal(sqlite3_step(q), SQLITE_DONE);
	sqlite3_finalize(q);
	free(pem);
}

static void
a_ca_vouches_within_its_constraints_only(void **state)
{
	static const struct {
		const char *names, *reason;
	} rows[] = {
		{"DNS:dev", "name constraints do not permit"},
		{"DNS:dev.example.com", NULL},
	};
	struct context *c = *state;
	const struct soft_cert constrained = {.cn = "CA",
		.extension = "nameConstraints",
		.value = "critical,permitted;DNS:example.com",
		.key = c->ca_key,
		.is_ca = true,
		.serial = 1,
		.from = NOW - SOFT_DAY,
		.days = 1000};
	X509 *ca = soft_cert(&constrained);

	trust_instead(c, ca);
	sql(c, "UPDATE registries SET jit = 'cn'");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct soft_cert what = ordinary(c, "dev");

		what.names = rows[i].names;
		if (rows[i].reason)
			assert_refused(c, "dev", header_with(&what), c->key, rows[i].reason);
		else
			assert_admitted(c, "dev", header_with(&what), c->key);
	}
	X509_free(ca);
}

/* The CA's own name may be one that a device can have. */
static void
the_CA_is_no_device(void **state)
{
	struct context *c = *state;
	struct soft_cert what = ordinary(c, "dev");
	X509 *cert;

	what.ca = NULL;
	what.ca_key = NULL;
	what.is_ca = true;
	cert = soft_cert(&what);
	trust_instead(c, cert);
	sql(c, "UPDATE registries SET jit = 'cn'");
	assert_refused(
		c, "dev", header_of(json_pack("[o]", entry(cert, false))), c->key, "the CA's own");
	X509_free(cert);
}

static void
x5c_is_read_strictly(void **state)
{
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");
	AUTO(auto_x509) X509 *cert = soft_cert(&what);
	json_t *good = entry(cert, false);
	AUTO(auto_free) char *text = strdup(json_string_value(good));
	size_t len = strlen(text);
	char huge[11000];

	sql(c, "UPDATE registries SET jit = 'cn'");
	memset(huge, 'A', sizeof(huge));
	const struct {
		json_t *x5c;
		const char *reason;
	} rows[] = {
		{json_null(), "no list"},
		{json_true(), "no list"},
		{json_incref(good), "no list"},
		{json_object(), "no list"},
		{json_array(), "no list"},
		{json_pack("[oooooo]", json_string("AAAA"), json_string("AAAA"),
			 json_string("AAAA"), json_string("AAAA"), json_string("AAAA"),
			 json_string("AAAA")),
			"no list"},
		{json_pack("[i]", 1), "no text"},
		{json_pack("[[O]]", good), "no text"},
		{json_pack("[On]", good), "no text"},
		{json_pack("[s]", ""), "no text"},
		{json_pack("[s%]", huge, (size_t)10928), "longer than"},
		{json_pack("[s]", "===="), "not base64"},
		{json_pack("[s]", "AA="), "not base64"},
		{json_pack("[s]", "A==="), "not base64"},
		{json_pack("[s]", "AB=="), "not base64"},
		{json_pack("[s]", "AA==AAAA"), "not base64"},
		{json_pack("[s]", "AA-_"), "not base64"},
		{json_pack("[s]", "AA A"), "not base64"},
		{json_pack("[Os]", good, "AA\nA"), "not base64"},
		{json_pack("[o]", json_stringn("AA\0A", 4)), "not JSON"},
		{json_pack("[s]", "AAAA"), "not one certificate in DER"},
		{json_pack("[s%]", text, len / 8 * 4), "not one certificate in DER"},
		{json_pack("[o]", entry(cert, true)), "not one certificate in DER"},
		{json_pack("[oO]", entry(c->ca, false), good), "common name is another"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		assert_refused(c, "dev", header_of(rows[i].x5c), c->key, rows[i].reason);
	}
	/* What follows the first is not needed, and does no harm. */
	assert_admitted(c, "dev", header_of(json_pack("[Oo]", good, entry(c->ca, false))), c->key);
	json_decref(good);
}

static void
the_token_is_judged_as_ever(void **state)
{
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");
	json_t *header = header_with(&what), *claims;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	char *token;

	sql(c, "UPDATE registries SET jit = 'cn'");
	assert_ok(jwt_claims("q", 3600, NOW, &claims, &f), &f);
	assert_ok(jwt_sign(header, claims, c->key, &token, &f), &f);
	assert_fault(
		registry_admit(c->broker, CLIENT "dev", token, strlen(token), NOW, &admission, &f),
		&f, FAULT_AUTH);
	assert_says(&f, "aud");
	json_object_set_new(claims, "aud", json_string("p"));
	secret_free(token);
	assert_ok(jwt_sign(header, claims, c->key, &token, &f), &f);
	assert_fault(registry_admit(c->broker, CLIENT "dev", token, strlen(token), NOW + 4200,
			     &admission, &f),
		&f, FAULT_AUTH);
	assert_fault(registry_admit(c->broker, CLIENT "dev", token, strlen(token) - 4, NOW,
			     &admission, &f),
		&f, FAULT_AUTH);
	assert_fault(registry_admit(c->broker, CLIENT "dev", "a.b.c", 5, NOW, &admission, NULL), &f,
		FAULT_AUTH);
	assert_int_equal(count(c, "SELECT count(*) FROM devices"), 0);
	assert_ok(
		registry_admit(c->broker, CLIENT "dev", token, strlen(token), NOW, &admission, &f),
		&f);
	json_decref(header);
	json_decref(claims);
	secret_free(token);
}

static void
a_file_that_fails_is_no_refusal(void **state)
{
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");
	json_t *header = header_with(&what);
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	char text[64];

	sql(c, "UPDATE registries SET jit = 'cn'");
	sql(c, "BEGIN IMMEDIATE");
	assert_fault(connect_with(c->broker, "dev", header, c->key, &admission, &f), &f, FAULT_IO);
	assert_says(&f, "locked");
	sql(c, "ROLLBACK");

	/* As full as a disk can be. */
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %ld",
		count(c, "SELECT page_count FROM pragma_page_count"));
	sql(c, "CREATE TABLE filler (a BLOB)");
	sqlite3_exec(c->broker->db, text, NULL, NULL, NULL);
	f = (struct fault)FAULT_INIT;
	for (int i = 0; i < 100 && f.code == FAULT_NONE; i++) {
		struct soft_cert next = ordinary(c, NULL);
		char name[32];
		json_t *other;

		snprintf(name, sizeof(name), "filler-%d", i);
		next.cn = name;
		other = header_with(&next);
		connect_with(c->broker, name, other, c->key, &admission, &f);
		json_decref(other);
	}
	assert_int_equal(f.code, FAULT_IO);
	assert_says(&f, "full");
	sqlite3_exec(c->broker->db, "PRAGMA max_page_count = 1000000", NULL, NULL, NULL);
	assert_int_equal(count(c, "SELECT (SELECT count(*) FROM devices)"
				  " - (SELECT count(*) FROM credentials)"),
		0);
	assert_ok(connect_with(c->broker, "dev", header, c->key, &admission, &f), &f);
	json_decref(header);
}

/* One of two brokers on one file. */
struct racer {
	struct context own;
	json_t *header;
	pthread_barrier_t *start;
	int failed;
};

#define ROUNDS 20

static void *
race(void *with)
{
	struct racer *racer = with;

	for (int i = 0; i < ROUNDS; i++) {
		struct registry_admission admission;
		struct fault f = FAULT_INIT;
		char name[32];

		snprintf(name, sizeof(name), "dev-%d", i);
		pthread_barrier_wait(racer->start);
		if (connect_with(racer->own.broker, name, json_array_get(racer->header, (size_t)i),
			    racer->own.key, &admission, &f)) {
			print_message("%s\n", f.text);
			racer->failed++;
		}
	}
	return NULL;
}

static void
two_connects_at_once_register_one_device(void **state)
{
	struct context *c = *state;
	struct racer racers[2];
	pthread_t threads[2];
	pthread_barrier_t start;
	struct fault f = FAULT_INIT;

	sql(c, "UPDATE registries SET jit = 'cn'");
	pthread_barrier_init(&start, NULL, 2);
	for (int i = 0; i < 2; i++) {
		racers[i] = (struct racer){
			.own = *c, .header = json_array(), .start = &start, .failed = 0};
		assert_ok(registry_open(c->path, &racers[i].own.broker, &f), &f);
		for (int n = 0; n < ROUNDS; n++) {
			struct soft_cert what = ordinary(c, NULL);
			char name[32];

			snprintf(name, sizeof(name), "dev-%d", n);
			what.cn = name;
			json_array_append_new(racers[i].header, header_with(&what));
		}
	}
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, race, &racers[i]);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(racers[i].failed, 0);
		registry_close(racers[i].own.broker);
		json_decref(racers[i].header);
	}
	pthread_barrier_destroy(&start);
	assert_int_equal(count(c, "SELECT count(*) FROM devices"), ROUNDS);
	assert_int_equal(count(c, "SELECT count(*) FROM credentials"), ROUNDS);
	assert_int_equal(count(c, "SELECT count(*) FROM audit WHERE event = 'registered'"), ROUNDS);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_registry_takes_no_unknown_device_unless_told),
		TEST(a_device_is_registered_by_its_certificate),
		TEST(its_key_may_be_any_that_devices_have),
		TEST(each_rule_asks_for_its_name),
		TEST(names_that_hide_something_are_refused),
		TEST(only_the_registrys_CA_vouches),
		TEST(a_certificate_is_verified_as_openssl_does),
		TEST(a_ca_vouches_within_its_constraints_only),
		TEST(the_CA_is_no_device),
		TEST(x5c_is_read_strictly),
		TEST(the_token_is_judged_as_ever),
		TEST(a_file_that_fails_is_no_refusal),
		TEST(two_connects_at_once_register_one_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
