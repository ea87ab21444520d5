/* Revocation lists, beside what OpenSSL's own verification says of the same certificates. */
#include "config.h"

#include "unit.h"

#include <stdio.h>

#include <openssl/x509_vfy.h>

#include "pki/cert.h"
#include "pki/crl.h"
#include "soft-cert.h"
#include "soft-key.h"

#define NOW 1800000000

/* Two CAs of one name: `false_ca` is not ours. */
static EVP_PKEY *ca_key, *false_key, *device_key;
static X509 *ca, *false_ca;

static X509 *
issue(X509 *by, EVP_PKEY *by_key, const char *cn, long serial)
{
	const struct soft_cert what = {.cn = cn,
		.key = device_key,
		.ca = by,
		.ca_key = by_key,
		.serial = serial,
		.from = NOW - SOFT_DAY,
		.days = 100};

	return soft_cert(&what);
}

static int
set_up(void **state)
{
	struct soft_cert what = {
		.cn = "CA", .is_ca = true, .serial = 1, .from = NOW - SOFT_DAY, .days = 1000};

	(void)state;
	what.key = ca_key = soft_key("P-256");
	ca = soft_cert(&what);
	what.key = false_key = soft_key("P-256");
	false_ca = soft_cert(&what);
	device_key = soft_key("P-256");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	EVP_PKEY_free(ca_key);
	EVP_PKEY_free(false_key);
	EVP_PKEY_free(device_key);
	X509_free(ca);
	X509_free(false_ca);
	return 0;
}

static struct crls *
read_text(const char *text)
{
	struct fault f = FAULT_INIT;
	struct crls *crls;

	assert_ok(crls_read(text, strlen(text), &crls, &f), &f);
	return crls;
}

static bool
may_hold(const struct crls *crls, X509 *cert)
{
	struct fault f = FAULT_INIT;
	struct crl_id id;
	bool may;

	assert_ok(crl_id_of(cert, &id, &f), &f);
	may = crls_may_hold(crls, &id);
	crl_id_clear(&id);
	return may;
}

/* What OpenSSL's verification says; the text is one list. */
static bool
openssl_holds(const char *text, X509 *cert)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool held;

	X509_STORE_add_cert(store, ca);
	X509_STORE_add_crl(store, crl);
	X509_VERIFY_PARAM_set_time(X509_STORE_get0_param(store), NOW);
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	X509_STORE_CTX_init(ctx, store, cert, NULL);
	X509_verify_cert(ctx);
	held = X509_STORE_CTX_get_error(ctx) == X509_V_ERR_CERT_REVOKED;
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	X509_CRL_free(crl);
	BIO_free(bio);
	return held;
}

static void
a_list_holds_what_openssl_says_it_holds(void **state)
{
	static const long revoked[] = {7, 3000000, 5, 900};
	AUTO(auto_free) char *text = soft_crl(ca, ca_key, revoked, 4, NOW - 10, NOW + 10, false);
	AUTO(auto_crls) struct crls *crls = read_text(text);

	(void)state;
	crls_trust(crls, ca);
	assert_int_equal(crls_trusted(crls), 1);
	assert_int_equal(crls_next_update(crls), NOW + 10);
	for (long serial = 1; serial < 12; serial++) {
		AUTO(auto_x509) X509 *cert = issue(ca, ca_key, "dev", serial);
		bool held = serial == 5 || serial == 7;

		assert_int_equal(crls_hold(crls, cert), held);
		assert_int_equal(may_hold(crls, cert), held);
		assert_int_equal(openssl_holds(text, cert), held);
	}
}

static void
a_list_counts_only_when_its_CA_signed_it(void **state)
{
	static const long revoked[] = {7};
	AUTO(auto_free)
	char *forged = soft_crl(false_ca, false_key, revoked, 1, NOW, NOW + 10, false);
	AUTO(auto_crls) struct crls *crls = read_text(forged);
	AUTO(auto_x509) X509 *cert = issue(ca, ca_key, "dev", 7);

	(void)state;
	assert_false(crls_hold(crls, cert));
	crls_trust(crls, ca);
	assert_int_equal(crls_trusted(crls), 0);
	assert_false(crls_hold(crls, cert) || may_hold(crls, cert));
	assert_int_equal(crls_next_update(crls), 0);
	/* Believed by its own CA, it still says nothing of what another of that name issued. */
	crls_trust(crls, false_ca);
	assert_int_equal(crls_trusted(crls), 1);
	assert_true(may_hold(crls, cert));
	assert_false(crls_hold(crls, cert));
	crls_distrust(crls);
	assert_int_equal(crls_trusted(crls), 0);
	assert_false(may_hold(crls, cert));
}

static void
what_no_CA_issued_is_in_no_list(void **state)
{
	static const long revoked[] = {7};
	AUTO(auto_free) char *text = soft_crl(ca, ca_key, revoked, 1, NOW, 0, false);
	AUTO(auto_crls) struct crls *crls = read_text(text);
	AUTO(auto_x509) X509 *stranger = issue(NULL, NULL, "dev", 7);
	AUTO(auto_x509) X509 *same_name = issue(NULL, NULL, "CA", 7);

	(void)state;
	crls_trust(crls, ca);
	assert_int_equal(crls_next_update(crls), 0);
	assert_false(crls_hold(crls, stranger) || may_hold(crls, stranger));
	assert_false(crls_hold(crls, same_name));
}

static void
a_file_holds_lists_of_several_CAs_and_the_CAs(void **state)
{
	static const long first[] = {7}, second[] = {8};
	AUTO(auto_free) char *ours = soft_crl(ca, ca_key, first, 1, NOW, NOW + 20, false);
	AUTO(auto_free)
	char *theirs = soft_crl(false_ca, false_key, second, 1, NOW, NOW + 10, false);
	AUTO(auto_free) char *signer = NULL;
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_x509) X509 *seven = issue(ca, ca_key, "dev", 7);
	AUTO(auto_x509) X509 *eight = issue(false_ca, false_key, "dev", 8);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(cert_pem(false_ca, &signer, &f), &f);
	assert_true(asprintf(&text, "a comment\n%s\n%s%s", ours, signer, theirs) > 0);
	AUTO(auto_crls) struct crls *crls = read_text(text);

	assert_int_equal(crls_trusted(crls), 1);
	assert_true(crls_hold(crls, eight));
	assert_false(crls_hold(crls, seven));
	crls_trust(crls, ca);
	assert_int_equal(crls_trusted(crls), 2);
	assert_int_equal(crls_next_update(crls), NOW + 10);
	assert_true(crls_hold(crls, eight) && crls_hold(crls, seven));
	crls_distrust(crls);
	assert_true(crls_hold(crls, eight));
	assert_false(crls_hold(crls, seven));
}

static void
what_is_no_list_is_refused(void **state)
{
	static const long revoked[] = {7};
	AUTO(auto_free) char *good = soft_crl(ca, ca_key, revoked, 1, NOW, NOW + 10, false);
	AUTO(auto_free) char *delta = soft_crl(ca, ca_key, revoked, 1, NOW, NOW + 10, true);
	AUTO(auto_free) char *twice = NULL;
	AUTO(auto_free) char *cert = NULL;
	AUTO(auto_free) char *spoiled = strdup(good);
	struct fault f = FAULT_INIT;
	struct crls *crls = NULL;

	(void)state;
	assert_ok(cert_pem(ca, &cert, &f), &f);
	assert_true(asprintf(&twice, "%s%s", good, good) > 0);
	memcpy(strstr(spoiled, "\n") + 1, "AAAA", 4);
	const struct {
		const char *text;
		size_t len;
	} rows[] = {
		{"", 0},
		{"no list\n", 8},
		{good, strlen(good) - 30},
		{good, strlen(good) / 2},
		{twice, strlen(twice) - 30},
		{cert, strlen(cert)},
		{delta, strlen(delta)},
		{spoiled, strlen(spoiled)},
		{good, CRL_MAX + 1},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (crls_read(rows[i].text, rows[i].len, &crls, &f) == 0)
			fail_msg("row %zu is taken", i);
		assert_int_equal(f.code, FAULT_INVALID);
		assert_null(crls);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_holds_what_openssl_says_it_holds),
		cmocka_unit_test(a_list_counts_only_when_its_CA_signed_it),
		cmocka_unit_test(what_no_CA_issued_is_in_no_list),
		cmocka_unit_test(a_file_holds_lists_of_several_CAs_and_the_CAs),
		cmocka_unit_test(what_is_no_list_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
