#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <time.h>

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/cert.h"
#include "pki/describe.h"
#include "pki/key.h"
#include "pki/name.h"
#include "pki/verify.h"
#include "soft-key.h"

#define DAY 86400

static EVP_PKEY *rsa, *p256, *p384;
static time_t now;

static int
make_keys(void **state)
{
	(void)state;
	rsa = soft_key("2048");
	p256 = soft_key("P-256");
	p384 = soft_key("P-384");
	now = time(NULL);
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(p256);
	EVP_PKEY_free(p384);
	return 0;
}

static void
names_become_what_they_say(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{"/CN=gw1", "CN = gw1"},
		{"/C=DE/O=Acme Corp/CN=gw1", "C = DE, O = Acme Corp, CN = gw1"},
		{"/CN=a\\/b", "CN = a/b"},
		{"/CN=a\\\\b", "CN = a\\\\b"},
		{"/CN=G\xc3\xa4rtner", "CN = G\xc3\xa4rtner"},
		{"/serialNumber=12345/CN=x", "serialNumber = 12345, CN = x"},
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		AUTO(auto_x509_name) X509_NAME *name = NULL;
		AUTO(auto_free) char *text = NULL;

		assert_ok(name_parse(rows[i].text, &name, &f), &f);
		assert_ok(name_text(name, &text, &f), &f);
		assert_string_equal(text, rows[i].printed);
	}
}

static void
names_that_cannot_be_encoded_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"CN=gw1",
		"/",
		"/CN",
		"/CN=",
		"/=x",
		"/CN=a/",
		"/NOSUCH=x",
		"/CN=a\nb",
		"/CN=\xff\xfe",
		"/C=Germany",
		"/CN=0123456789012345678901234567890123456789012345678901234567890123456789",
		"/O=1/O=2/O=3/O=4/O=5/O=6/O=7/O=8/O=9/O=10/O=11/O=12/O=13/O=14/O=15/O=16/O=17",
	};
	struct fault f = FAULT_INIT;
	X509_NAME *name = NULL;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (name_parse(bad[i], &name, &f) == 0)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(f.code, FAULT_USAGE);
		assert_null(name);
	}
}

static void
alternatives_are_checked_one_by_one(void **state)
{
	static const char *const good[] = {
		"dns:gw1.example.com",
		"dns:localhost",
		"dns:*.example.com",
		"dns:xn--grtner-bua.example",
		"ip:192.0.2.1",
		"ip:2001:db8::1",
		"uri:urn:dev:mac:0024beffff804ff1",
		"uri:https://example.com/x?y=z",
		"email:ops@example.com",
	};
	static const char *const bad[] = {
		"",
		"gw1.example.com",
		"dns:",
		"dns:-a.example",
		"dns:a..b",
		"dns:a_b",
		"dns:a b",
		"dns:a*.example.com",
		"dns:g\xc3\xa4rtner.example",
		"dns:a.example.",
		"ip:",
		"ip:1.2.3",
		"ip:1.2.3.4/24",
		"ip:2001:db8::1%eth0",
		"uri:",
		"uri:example",
		"uri:1x:y",
		"uri:a:b c",
		"email:",
		"email:ops",
		"email:@example.com",
		"email:a@b@c",
		"email:a b@example.com",
		"rid:1.2.3",
		"DNS:a.example",
	};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		AUTO(auto_general_names) GENERAL_NAMES *names = NULL;
		char *item = TEXT(good[i]);

		assert_ok(name_parse_alternatives(&item, 1, &names, &f), &f);
		assert_int_equal(sk_GENERAL_NAME_num(names), 1);
	}
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		GENERAL_NAMES *names = NULL;
		char *items[] = {TEXT("dns:good.example"), TEXT(bad[i])};

		if (name_parse_alternatives(items, 2, &names, &f) == 0)
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(f.code, FAULT_USAGE);
		assert_null(names);
	}
}

static void
public_key_survives_pem(void **state)
{
	EVP_PKEY *keys[] = {rsa, p256, p384};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		AUTO(auto_free) char *pem = NULL;
		AUTO(auto_pkey) EVP_PKEY *back = NULL;

		assert_ok(key_public_pem(keys[i], &pem, &f), &f);
		assert_non_null(strstr(pem, "-----BEGIN PUBLIC KEY-----"));
		assert_ok(key_read_public(pem, strlen(pem), &back, &f), &f);
		assert_int_equal(EVP_PKEY_eq(keys[i], back), 1);
	}
}

static void
what_is_no_public_key_is_refused(void **state)
{
	AUTO(auto_pkey) EVP_PKEY *weak = soft_key("1024");
	AUTO(auto_pkey) EVP_PKEY *p521 = soft_key("P-521");
	AUTO(auto_pkey) EVP_PKEY *explicit = soft_key("P-256");
	EVP_PKEY *bad[] = {weak, p521, explicit};
	AUTO(auto_free) char *pem = NULL, *more = NULL;
	struct fault f = FAULT_INIT;
	EVP_PKEY *key = NULL;

	(void)state;
	assert_int_equal(
		EVP_PKEY_set_utf8_string_param(explicit, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
		1);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		AUTO(auto_free) char *text = NULL;

		assert_ok(key_public_pem(bad[i], &text, &f), &f);
		assert_fault(key_read_public(text, strlen(text), &key, &f), &f, FAULT_INVALID);
	}
	assert_ok(key_public_pem(p256, &pem, &f), &f);
	assert_true(asprintf(&more, "%s%s", pem, pem) > 0);
	assert_fault(key_read_public(more, strlen(more), &key, &f), &f, FAULT_INVALID);
	for (size_t len = 0; len + 1 < strlen(pem); len++)
		assert_fault(key_read_public(pem, len, &key, &f), &f, FAULT_INVALID);
	assert_null(key);
}

/* RFC 7638 section 3.1: the thumbprint of a key given as a JWK. */
static void
thumbprint_is_the_rfcs(void **state)
{
	static const char pem[] =
		"-----BEGIN PUBLIC KEY-----\n"
		"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0vx7agoebGcQSuuPiLJX\n"
		"ZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS\n"
		"oc/BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ/2W+5JsGY4Hc5n9yBXArwl93lqt\n"
		"7/RN5w6Cf0h4QyQ5v+65YGjQR0/FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0\n"
		"zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt+bFTWhAI4vMQFh6WeZu0f\n"
		"M4lFd2NcRwr3XPksINHaQ+G/xBniIqbw0Ls1jF44+csFCur+kEgU8awapJzKnqDK\n"
		"gwIDAQAB\n"
		"-----END PUBLIC KEY-----\n";
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	struct fault f = FAULT_INIT;
	json_t *jwk;

	(void)state;
	assert_ok(key_read_public(pem, strlen(pem), &key, &f), &f);
	assert_ok(key_public_jwk(key, &jwk, &f), &f);
	assert_string_equal(json_string_value(json_object_get(jwk, "kid")),
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
	assert_string_equal(json_string_value(json_object_get(jwk, "e")), "AQAB");
	assert_string_equal(json_string_value(json_object_get(jwk, "alg")), "RS256");
	json_decref(jwk);
}

static X509 *
issue(EVP_PKEY *subject_key, X509 *issuer, EVP_PKEY *issuer_key, const char *constraints,
	const char *usage, const EVP_MD *md, long from_s, long to_s)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	struct fault f = FAULT_INIT;
	X509 *cert = X509_new();
	X509V3_CTX ctx;
	static long serial;
	const char *values[] = {constraints, usage, "hash", issuer ? "keyid" : NULL};
	int nids[] = {NID_basic_constraints, NID_key_usage, NID_subject_key_identifier,
		NID_authority_key_identifier};

	assert_ok(name_parse(issuer ? "/CN=device" : "/CN=ca", &name, &f), &f);
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name);
	X509_time_adj_ex(X509_getm_notBefore(cert), 0, from_s, &now);
	X509_time_adj_ex(X509_getm_notAfter(cert), 0, to_s, &now);
	X509_set_pubkey(cert, subject_key);
	X509V3_set_ctx(&ctx, issuer ? issuer : cert, cert, NULL, NULL, 0);
	for (size_t i = 0; i < 4; i++) {
		X509_EXTENSION *ext =
			values[i] ? X509V3_EXT_conf_nid(NULL, &ctx, nids[i], TEXT(values[i]))
				  : NULL;

		if (ext)
			X509_add_ext(cert, ext, -1);
		X509_EXTENSION_free(ext);
	}
	assert_true(X509_sign(cert, issuer_key, md) > 0);
	return cert;
}

#define CA "critical,CA:TRUE", "critical,keyCertSign,cRLSign"
#define EE "critical,CA:FALSE", "critical,digitalSignature"

/* Verifies with one or two CAs; the second may be NULL. */
static int
verify(X509 *cert, X509 *ca, X509 *second, time_t at, struct fault *f)
{
	STACK_OF(X509) *cas = sk_X509_new_null();
	int rc;

	assert_true(sk_X509_push(cas, ca) && (!second || sk_X509_push(cas, second)));
	rc = verify_device(cert, cas, at, f);
	sk_X509_free(cas);
	assert_int_equal(ERR_peek_error(), 0);
	return rc;
}

static void
only_what_a_ca_itself_issued_is_a_devices(void **state)
{
	AUTO(auto_pkey) EVP_PKEY *stranger_key = soft_key("P-256");
	AUTO(auto_x509) X509 *ca = issue(p384, NULL, p384, CA, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509)
	X509 *stranger = issue(stranger_key, NULL, stranger_key, CA, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *good = issue(p256, ca, p384, EE, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *forged = issue(p256, ca, stranger_key, EE, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *sub = issue(p256, ca, p384, CA, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *expired = issue(p256, ca, p384, EE, EVP_sha256(), -2 * DAY, -DAY);
	AUTO(auto_x509) X509 *future = issue(p256, ca, p384, EE, EVP_sha256(), DAY, 2 * DAY);
	AUTO(auto_x509) X509 *weak = issue(p256, ca, p384, EE, EVP_sha1(), -DAY, DAY);
	X509 *bad[] = {forged, sub, expired, future, weak, ca, stranger};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(verify(good, ca, NULL, now, &f), &f);
	assert_ok(verify(good, stranger, ca, now, &f), &f);
	assert_ok(verify(good, ca, stranger, now, &f), &f);
	assert_fault(verify(good, stranger, NULL, now, &f), &f, FAULT_INVALID);
	assert_fault(verify(good, good, NULL, now, &f), &f, FAULT_INVALID);
	assert_fault(verify(good, ca, NULL, now + 2 * DAY, &f), &f, FAULT_INVALID);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (verify(bad[i], ca, NULL, now, &f) == 0)
			fail_msg("accepted certificate %zu", i);
		assert_int_equal(f.code, FAULT_INVALID);
	}
}

/* As a device's certificate that is called as its CA: the issuer is the subject. */
static X509 *
issue_same_name(EVP_PKEY *subject_key, EVP_PKEY *issuer_key, int version, const EVP_MD *md,
	long from_s, long to_s)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	struct fault f = FAULT_INIT;
	X509 *cert = X509_new();

	assert_ok(name_parse("/CN=ca", &name, &f), &f);
	X509_set_version(cert, version);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 4711);
	X509_set_subject_name(cert, name);
	X509_set_issuer_name(cert, name);
	X509_time_adj_ex(X509_getm_notBefore(cert), 0, from_s, &now);
	X509_time_adj_ex(X509_getm_notAfter(cert), 0, to_s, &now);
	X509_set_pubkey(cert, subject_key);
	assert_true(X509_sign(cert, issuer_key, md) > 0);
	return cert;
}

/* OpenSSL takes it for self-signed by its names; only its own key's signature makes it that. */
static void
device_named_as_its_ca_is_not_self_signed(void **state)
{
	static const int versions[] = {X509_VERSION_1, X509_VERSION_3};
	AUTO(auto_pkey) EVP_PKEY *stranger = soft_key("P-256");
	AUTO(auto_pkey) EVP_PKEY *small = soft_key("1024");
	AUTO(auto_x509) X509 *ca = issue(p384, NULL, p384, CA, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *old = issue(p384, NULL, p384, CA, EVP_sha256(), -3 * DAY, -2 * DAY);
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t v = 0; v < N_ELEMENTS(versions); v++) {
		const struct {
			EVP_PKEY *key, *signer;
			const EVP_MD *md;
			long from_s, to_s;
			bool good;
			const char *why;
		} rows[] = {
			{p256, p384, EVP_sha256(), -DAY, DAY, true, NULL},
			{p256, p256, EVP_sha256(), -DAY, DAY, false, "not issued by any"},
			{p256, stranger, EVP_sha256(), -DAY, DAY, false, "not issued by any"},
			{p256, p384, EVP_sha1(), -DAY, DAY, false, "digest"},
			{p256, p384, EVP_sha256(), -2 * DAY, -DAY, false, "expired"},
			{p256, p384, EVP_sha256(), DAY, 2 * DAY, false, "not valid before"},
			{small, p384, EVP_sha256(), -DAY, DAY, false, "too weak"},
		};

		for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
			AUTO(auto_x509)
			X509 *cert = issue_same_name(rows[i].key, rows[i].signer, versions[v],
				rows[i].md, rows[i].from_s, rows[i].to_s);

			if (rows[i].good) {
				assert_ok(verify(cert, ca, NULL, now, &f), &f);
				assert_fault(verify(cert, old, NULL, now, &f), &f, FAULT_INVALID);
				continue;
			}
			assert_fault(verify(cert, ca, NULL, now, &f), &f, FAULT_INVALID);
			if (!strstr(f.text, rows[i].why))
				fail_msg("row %zu: %s", i, f.text);
		}
	}
}

static void
a_ca_must_be_one(void **state)
{
	AUTO(auto_x509) X509 *good = issue(p256, NULL, p256, CA, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *device = issue(p256, NULL, p256, EE, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509)
	X509 *no_usage = issue(p256, NULL, p256, "critical,CA:TRUE", "critical,digitalSignature",
		EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *bare = issue(p256, NULL, p256, NULL, NULL, EVP_sha256(), -DAY, DAY);
	AUTO(auto_x509) X509 *expired = issue(p256, NULL, p256, CA, EVP_sha256(), -2 * DAY, -DAY);
	AUTO(auto_pkey) EVP_PKEY *small = soft_key("1024");
	AUTO(auto_x509) X509 *weak = issue(small, NULL, small, CA, EVP_sha256(), -DAY, DAY);
	X509 *bad[] = {device, no_usage, bare, expired, weak};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(verify_ca(good, now, &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		if (verify_ca(bad[i], now, &f) == 0)
			fail_msg("accepted CA %zu", i);
		assert_int_equal(f.code, FAULT_INVALID);
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void
a_hostile_subject_is_shown_as_printable_ascii(void **state)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	char shown[64], cut[16];

	(void)state;
	assert_ok(name_parse("/CN=a\xe2\x80\xae/O=a name longer than fits", &name, &f), &f);
	assert_ok(cert_selfsign(p256, name, NULL, 30, now, &cert, &f), &f);
	assert_string_equal(verify_subject(cert, shown, sizeof(shown)),
		"CN = a\\E2\\80\\AE, O = a name longer than fits");
	assert_string_equal(verify_subject(cert, cut, sizeof(cut)), "CN = a\\E2\\80...");
}

static void
request_carries_names_and_named_curve(void **state)
{
	EVP_PKEY *keys[] = {rsa, p256, p384};
	char *items[] = {TEXT("dns:gw1.example.com"), TEXT("ip:192.0.2.1")};
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_general_names) GENERAL_NAMES *san = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(name_parse("/CN=gw1", &name, &f), &f);
	assert_ok(name_parse_alternatives(items, 2, &san, &f), &f);
	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		AUTO(auto_csr) X509_REQ *csr = NULL;
		AUTO(auto_pkey) EVP_PKEY *key = NULL;
		STACK_OF(X509_EXTENSION) * extensions;

		assert_ok(cert_request(keys[i], name, san, &csr, &f), &f);
		key = X509_REQ_get_pubkey(csr);
		assert_int_equal(X509_REQ_verify(csr, key), 1);
		assert_ok(key_check(key, &f), &f);
		extensions = X509_REQ_get_extensions(csr);
		assert_int_equal(sk_X509_EXTENSION_num(extensions), 1);
		sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
	}
}

static void
selfsigned_is_an_end_entity(void **state)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_x509) X509 *again = NULL;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(name_parse("/CN=gw1", &name, &f), &f);
	assert_ok(cert_selfsign(p256, name, NULL, 30, now, &cert, &f), &f);
	assert_ok(cert_selfsign(p256, name, NULL, 30, now, &again, &f), &f);
	assert_int_equal(X509_verify(cert, p256), 1);
	assert_int_equal(X509_check_ca(cert), 0);
	assert_int_equal(X509_get_key_usage(cert), KU_DIGITAL_SIGNATURE);
	assert_int_not_equal(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(cert), X509_get0_serialNumber(again)), 0);
	assert_ok(cert_check_time(cert, now + 29 * DAY, &f), &f);
	assert_fault(cert_check_time(cert, now + 31 * DAY, &f), &f, FAULT_INVALID);
	assert_fault(cert_check_time(cert, now - DAY, &f), &f, FAULT_INVALID);
	assert_ok(cert_check_key(cert, p256, &f), &f);
	assert_fault(cert_check_key(cert, p384, &f), &f, FAULT_INVALID);
	assert_fault(cert_check_key(cert, rsa, &f), &f, FAULT_INVALID);
}

static void
certificate_is_read_in_pem_and_der(void **state)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_free) char *pem = NULL;
	AUTO(auto_openssl) unsigned char *der = NULL;
	struct fault f = FAULT_INIT;
	int len;

	(void)state;
	assert_ok(name_parse("/CN=gw1", &name, &f), &f);
	assert_ok(cert_selfsign(p256, name, NULL, 30, now, &cert, &f), &f);
	assert_ok(cert_pem(cert, &pem, &f), &f);
	len = i2d_X509(cert, &der);
	for (int i = 0; i < 2; i++) {
		AUTO(auto_x509) X509 *back = NULL;

		assert_ok(
			cert_read(i ? pem : (char *)der, i ? strlen(pem) : (size_t)len, &back, &f),
			&f);
		assert_int_equal(X509_cmp(cert, back), 0);
	}
	for (int n = 0; n < len; n++) {
		X509 *back = NULL;

		assert_fault(cert_read((char *)der, (size_t)n, &back, &f), &f, FAULT_INVALID);
		assert_null(back);
	}
}

static void
what_is_no_certificate_is_refused(void **state)
{
	AUTO(auto_free) char *key = NULL;
	static char big[CERT_MAX + 1];
	struct fault f = FAULT_INIT;
	X509 *cert = NULL;

	(void)state;
	assert_ok(key_public_pem(p256, &key, &f), &f);
	assert_fault(cert_read("", 0, &cert, &f), &f, FAULT_INVALID);
	assert_fault(cert_read("hello", 5, &cert, &f), &f, FAULT_INVALID);
	assert_fault(cert_read(key, strlen(key), &cert, &f), &f, FAULT_INVALID);
	assert_fault(cert_read(big, sizeof(big), &cert, &f), &f, FAULT_INVALID);
	assert_null(cert);
}

static void
description_tells_who_and_how_long(void **state)
{
	AUTO(auto_x509_name) X509_NAME *name = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	json_t *about;

	(void)state;
	assert_ok(name_parse("/CN=gw1", &name, &f), &f);
	assert_ok(cert_selfsign(p256, name, NULL, 30, now, &cert, &f), &f);
	assert_ok(cert_describe(cert, now + 20 * DAY, &about, &f), &f);
	assert_string_equal(json_string_value(json_object_get(about, "subject")), "CN = gw1");
	assert_string_equal(json_string_value(json_object_get(about, "key")), "EC P-256");
	assert_int_equal(json_integer_value(json_object_get(about, "daysLeft")), 10);
	assert_int_equal(strlen(json_string_value(json_object_get(about, "fingerprint"))), 95);
	json_decref(about);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_what_they_say),
		cmocka_unit_test(names_that_cannot_be_encoded_are_refused),
		cmocka_unit_test(alternatives_are_checked_one_by_one),
		cmocka_unit_test(public_key_survives_pem),
		cmocka_unit_test(what_is_no_public_key_is_refused),
		cmocka_unit_test(thumbprint_is_the_rfcs),
		cmocka_unit_test(only_what_a_ca_itself_issued_is_a_devices),
		cmocka_unit_test(device_named_as_its_ca_is_not_self_signed),
		cmocka_unit_test(a_ca_must_be_one),
		cmocka_unit_test(a_hostile_subject_is_shown_as_printable_ascii),
		cmocka_unit_test(request_carries_names_and_named_curve),
		cmocka_unit_test(selfsigned_is_an_end_entity),
		cmocka_unit_test(certificate_is_read_in_pem_and_der),
		cmocka_unit_test(what_is_no_certificate_is_refused),
		cmocka_unit_test(description_tells_who_and_how_long),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
