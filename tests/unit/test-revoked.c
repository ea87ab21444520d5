/* Revocation lists in files, while devices connect and are connected. */
#include "config.h"

#include "unit.h"

#include <sys/stat.h>

#include "base/file.h"
#include "pki/key.h"
#include "soft-registry.h"

static char *
path_of(struct context *c, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", c->dir, name);
	return path;
}

static void
write_text(struct context *c, const char *name, const char *text)
{
	struct fault f = FAULT_INIT;

	assert_ok(file_write(path_of(c, name), 0600, text, strlen(text), &f), &f);
}

/* A list of one number, 0 for an empty one, by a CA; in a file. */
static void
write_list(struct context *c, X509 *ca, EVP_PKEY *ca_key, long serial, time_t next)
{
	char *text = soft_crl(ca, ca_key, &serial, serial ? 1 : 0, NOW - 100, next, false);

	write_text(c, "list.crl", text);
	free(text);
}

static void
write_ours(struct context *c, long serial)
{
	write_list(c, c->ca, c->ca_key, serial, NOW + 1000);
}

static void
add_device(struct context *c, const char *name, const char *type, const char *pem)
{
	static const struct store_device device = {.gateway = false};
	const struct store_credential credential = {"file", type, pem, 0};
	struct rules_client at = {.project = "p", .region = "r", .registry = "reg"};
	struct fault f = FAULT_INIT;

	snprintf(at.device, sizeof(at.device), "%s", name);
	assert_ok(store_device_create(c->broker, &at, &device, &credential, 1, NOW, &f), &f);
}

static void
add_certified(struct context *c, const char *name, const struct soft_cert *what)
{
	AUTO(auto_x509) X509 *cert = soft_cert(what);
	AUTO(auto_free) char *pem = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(cert_pem(cert, &pem, &f), &f);
	add_device(c, name, "es256-x509-pem", pem);
}

/* A device with the certificate of number 7. */
static void
add_seven(struct context *c)
{
	const struct soft_cert what = ordinary(c, "dev");

	add_certified(c, "dev", &what);
}

static void
set_file(struct context *c)
{
	struct fault f = FAULT_INIT;

	assert_ok(registry_set_crl_file(c->broker, path_of(c, "list.crl"), &f), &f);
}

/* Reads the files again; nothing may be wrong. */
static bool
reread(struct context *c)
{
	struct fault f = FAULT_INIT;
	bool changed;

	assert_ok(registry_reread_crls(c->broker, NOW, &changed, &f), &f);
	return changed;
}

/* Reads the files again; this must be told, once. */
static bool
reread_tells(struct context *c, time_t now, enum fault_code code, const char *what)
{
	struct fault f = FAULT_INIT;
	bool changed, again;

	assert_fault(registry_reread_crls(c->broker, now, &changed, &f), &f, code);
	assert_says(&f, what);
	assert_ok(registry_reread_crls(c->broker, now, &again, &f), &f);
	assert_false(again);
	return changed;
}

static struct registry_admission
assert_in(struct context *c, const char *device)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_ok(connect_with(c->broker, device, NULL, c->key, &admission, &f), &f);
	return admission;
}

static void
assert_out(struct context *c, const char *device)
{
	struct registry_admission admission;
	struct fault f = FAULT_INIT;

	assert_fault(connect_with(c->broker, device, NULL, c->key, &admission, &f), &f, FAULT_AUTH);
	assert_string_equal(f.text, "its certificate is revoked");
}

static void
assert_stays(struct context *c, struct registry_admission admission, bool stays)
{
	struct fault f = FAULT_INIT;

	if (stays) {
		assert_ok(registry_may_stay(c->broker, &admission, &f), &f);
		return;
	}
	assert_fault(registry_may_stay(c->broker, &admission, &f), &f, FAULT_AUTH);
	assert_string_equal(f.text, "its certificate is revoked");
}

static void
a_revoked_device_goes_and_does_not_come_back(void **state)
{
	struct context *c = *state;
	struct soft_cert eight = ordinary(c, "eight");
	struct registry_admission seven, other;

	add_seven(c);
	eight.serial = 8;
	add_certified(c, "eight", &eight);
	write_ours(c, 0);
	set_file(c);
	assert_true(reread(c));
	assert_false(reread(c));
	seven = assert_in(c, "dev");
	other = assert_in(c, "eight");
	assert_stays(c, seven, true);

	write_ours(c, 7);
	assert_stays(c, seven, true);
	assert_true(reread(c));
	assert_false(reread(c));
	assert_out(c, "dev");
	assert_stays(c, seven, false);
	assert_in(c, "eight");
	assert_stays(c, other, true);

	/* Whether the certificate is still kept parsed makes no difference. */
	for (size_t i = 0; i < KEYS_MAX; i++) {
		EVP_PKEY_free(c->broker->keys[i].key);
		c->broker->keys[i].key = NULL;
		crl_id_clear(&c->broker->keys[i].id);
	}
	assert_stays(c, seven, false);
	assert_stays(c, other, true);

	write_ours(c, 0);
	assert_true(reread(c));
	assert_stays(c, seven, true);
	assert_in(c, "dev");
}

static void
another_certificate_for_the_key_still_counts(void **state)
{
	struct context *c = *state;
	struct soft_cert next = ordinary(c, "dev");
	AUTO(auto_free) char *pem = NULL;
	struct rules_client at = {
		.project = "p", .region = "r", .registry = "reg", .device = "dev"};
	struct fault f = FAULT_INIT;

	add_seven(c);
	next.serial = 8;
	AUTO(auto_x509) X509 *cert = soft_cert(&next);

	assert_ok(cert_pem(cert, &pem, &f), &f);
	const struct store_credential credential = {"file", "es256-x509-pem", pem, 0};

	assert_ok(store_credential_create(c->broker, &at, &credential, NOW, &f), &f);
	write_ours(c, 7);
	set_file(c);
	assert_in(c, "dev");
	write_ours(c, 8);
	reread(c);
	assert_in(c, "dev");
}

static void
a_revoked_certificate_is_not_taken(void **state)
{
	static const struct store_device device = {.gateway = false};
	struct context *c = *state;
	const struct soft_cert what = ordinary(c, "dev");
	const struct rules_client at = {
		.project = "p", .region = "r", .registry = "reg", .device = "dev"};
	AUTO(auto_x509) X509 *cert = soft_cert(&what);
	AUTO(auto_free) char *pem = NULL;
	AUTO(auto_openssl) unsigned char *der = NULL;
	struct registry_admission admission;
	struct fault f = FAULT_INIT;
	char text[4000];
	json_t *header;
	int len;

	write_ours(c, 7);
	set_file(c);
	assert_ok(cert_pem(cert, &pem, &f), &f);
	const struct store_credential credential = {"file", "es256-x509-pem", pem, 0};

	assert_fault(store_device_create(c->broker, &at, &device, &credential, 1, NOW, &f), &f,
		FAULT_INVALID);
	assert_says(&f, "revoked");
	sql(c, "UPDATE registries SET jit = 'cn'");
	len = i2d_X509(cert, &der);
	EVP_EncodeBlock((unsigned char *)text, der, len);
	header = json_pack("{s:[s]}", "x5c", text);
	assert_fault(
		connect_with(c->broker, "dev", header, c->key, &admission, &f), &f, FAULT_AUTH);
	assert_says(&f, "revoked");
	assert_int_equal(count(c, "SELECT count(*) FROM devices"), 0);
	write_ours(c, 8);
	reread(c);
	assert_ok(connect_with(c->broker, "dev", header, c->key, &admission, &f), &f);
	json_decref(header);
}

static void
only_certificates_of_the_lists_CA_are_looked_up(void **state)
{
	struct context *c = *state;
	struct soft_cert what = ordinary(c, "CA");
	AUTO(auto_free) char *bare = NULL;
	struct fault f = FAULT_INIT;

	sql(c, "CREATE TABLE kept AS SELECT * FROM registry_cas; DELETE FROM registry_cas");
	assert_ok(key_public_pem(c->key, &bare, &f), &f);
	add_device(c, "bare", "es256-pem", bare);
	/* Self-signed, and by another CA, both with the name and the number on the list. */
	what.ca = NULL;
	what.ca_key = NULL;
	add_certified(c, "self", &what);
	what.ca = c->false_ca;
	what.ca_key = c->false_key;
	add_certified(c, "false", &what);
	sql(c, "INSERT INTO registry_cas SELECT * FROM kept");
	add_seven(c);
	write_ours(c, 7);
	set_file(c);
	assert_stays(c, assert_in(c, "bare"), true);
	assert_stays(c, assert_in(c, "self"), true);
	assert_stays(c, assert_in(c, "false"), true);
	assert_out(c, "dev");
}

static void
a_list_by_another_CA_of_the_same_name_does_not_count(void **state)
{
	struct context *c = *state;

	add_seven(c);
	write_list(c, c->false_ca, c->false_key, 7, NOW + 1000);
	set_file(c);
	assert_true(reread_tells(c, NOW, FAULT_INVALID, "no registry's CA signed"));
	assert_in(c, "dev");
	write_ours(c, 7);
	assert_true(reread(c));
	assert_out(c, "dev");
	/* Nor does it take the place of one that does. */
	write_list(c, c->false_ca, c->false_key, 8, NOW + 1000);
	assert_false(reread_tells(c, NOW, FAULT_INVALID, "the ones before still count"));
	assert_out(c, "dev");
}

static void
a_list_that_is_late_still_counts(void **state)
{
	struct context *c = *state;

	add_seven(c);
	write_list(c, c->ca, c->ca_key, 7, NOW + 10);
	set_file(c);
	assert_true(reread(c));
	assert_out(c, "dev");
	assert_false(reread_tells(c, NOW + 11, FAULT_PRECONDITION, "should have been replaced by"));
	assert_out(c, "dev");
	write_list(c, c->ca, c->ca_key, 0, NOW - 10);
	assert_true(reread_tells(c, NOW + 12, FAULT_PRECONDITION, "should have been replaced by"));
	assert_in(c, "dev");
}

static void
what_cannot_be_read_keeps_the_list_before(void **state)
{
	struct context *c = *state;
	char *text;

	add_seven(c);
	write_ours(c, 7);
	set_file(c);
	reread(c);
	assert_out(c, "dev");
	write_text(c, "list.crl", "half a li");
	assert_false(reread_tells(c, NOW, FAULT_INVALID, "read before still count"));
	assert_out(c, "dev");
	text = soft_crl(c->ca, c->ca_key, NULL, 0, NOW, NOW + 9, false);
	text[strlen(text) / 2] = '\0';
	write_text(c, "list.crl", text);
	free(text);
	assert_false(reread_tells(c, NOW, FAULT_INVALID, "read before still count"));
	assert_out(c, "dev");
	assert_int_equal(remove(path_of(c, "list.crl")), 0);
	assert_false(reread_tells(c, NOW, FAULT_NOTFOUND, "read before still count"));
	assert_out(c, "dev");
	assert_int_equal(mkfifo(path_of(c, "list.crl"), 0600), 0);
	assert_false(reread_tells(c, NOW, FAULT_INVALID, "is not a regular file"));
	assert_out(c, "dev");
	assert_int_equal(remove(path_of(c, "list.crl")), 0);
	write_ours(c, 8);
	assert_true(reread(c));
	assert_in(c, "dev");
}

static void
a_CA_that_comes_and_goes_counts_from_then_on(void **state)
{
	struct context *c = *state;
	struct registry_admission admission;
	char *text, *signer, *both;
	struct fault f = FAULT_INIT;
	long seven = 7;

	add_seven(c);
	sql(c, "CREATE TABLE kept AS SELECT * FROM registry_cas; DELETE FROM registry_cas");
	write_ours(c, 7);
	set_file(c);
	reread_tells(c, NOW, FAULT_INVALID, "no registry's CA signed");
	admission = assert_in(c, "dev");
	sql(c, "INSERT INTO registry_cas (registry, pem) SELECT registry, pem FROM kept");
	assert_out(c, "dev");
	assert_stays(c, admission, false);
	assert_true(reread(c));
	assert_false(reread(c));
	sql(c, "DELETE FROM registry_cas");
	assert_true(reread_tells(c, NOW, FAULT_INVALID, "no registry's CA signed"));
	assert_in(c, "dev");

	/* With the CA's certificate beside it the list needs no registry. */
	text = soft_crl(c->ca, c->ca_key, &seven, 1, NOW, NOW + 9, false);
	assert_ok(cert_pem(c->ca, &signer, &f), &f);
	assert_true(asprintf(&both, "%s%s", signer, text) > 0);
	write_text(c, "list.crl", both);
	free(text);
	free(signer);
	free(both);
	assert_true(reread(c));
	assert_out(c, "dev");
	assert_stays(c, admission, false);
}

static void
files_that_cannot_be_used_stop_the_start(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	int n;

	assert_fault(registry_set_crl_file(c->broker, path_of(c, "nowhere"), &f), &f, FAULT_CONFIG);
	assert_says(&f, "nowhere");
	assert_fault(registry_set_crl_file(c->broker, c->dir, &f), &f, FAULT_CONFIG);
	assert_fault(registry_set_crl_file(c->broker, "", &f), &f, FAULT_CONFIG);
	write_text(c, "empty", "");
	assert_fault(registry_set_crl_file(c->broker, path_of(c, "empty"), &f), &f, FAULT_CONFIG);
	write_ours(c, 7);
	for (n = 0; n < 1000; n++) {
		if (registry_set_crl_file(c->broker, path_of(c, "list.crl"), &f))
			break;
	}
	assert_in_range(n, 16, 999);
	assert_int_equal(f.code, FAULT_CONFIG);
}

static void
the_lists_of_several_files_add_up(void **state)
{
	struct context *c = *state;
	struct soft_cert eight = ordinary(c, "eight"), nine = ordinary(c, "nine");
	struct fault f = FAULT_INIT;

	add_seven(c);
	eight.serial = 8;
	add_certified(c, "eight", &eight);
	nine.serial = 9;
	add_certified(c, "nine", &nine);
	write_ours(c, 7);
	set_file(c);
	write_ours(c, 8);
	char *other = strdup(path_of(c, "other.crl"));

	assert_int_equal(rename(path_of(c, "list.crl"), other), 0);
	write_ours(c, 7);
	assert_ok(registry_set_crl_file(c->broker, other, &f), &f);
	free(other);
	assert_true(reread(c));
	assert_out(c, "dev");
	assert_out(c, "eight");
	assert_in(c, "nine");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_revoked_device_goes_and_does_not_come_back),
		TEST(another_certificate_for_the_key_still_counts),
		TEST(a_revoked_certificate_is_not_taken),
		TEST(only_certificates_of_the_lists_CA_are_looked_up),
		TEST(a_list_by_another_CA_of_the_same_name_does_not_count),
		TEST(a_list_that_is_late_still_counts),
		TEST(what_cannot_be_read_keeps_the_list_before),
		TEST(a_CA_that_comes_and_goes_counts_from_then_on),
		TEST(files_that_cannot_be_used_stop_the_start),
		TEST(the_lists_of_several_files_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
