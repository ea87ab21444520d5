/* What CAs send back, in the forms in which they send it. */
#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>

#include "base/auto.h"
#include "pki/bundle.h"
#include "soft-cert.h"
#include "soft-key.h"

AUTO_DEFINE(pkcs7, PKCS7, PKCS7_free);

static EVP_PKEY *key;
static X509 *leaf, *sub, *root;
static char *crl_pem;

static int
make(void **state)
{
	static const long serials[] = {7};
	time_t now = time(NULL);

	(void)state;
	key = soft_key("P-256");
	root = soft_cert(&(struct soft_cert){
		.cn = "root", .key = key, .is_ca = true, .serial = 1, .from = now, .days = 9});
	sub = soft_cert(&(struct soft_cert){.cn = "sub",
		.key = key,
		.ca = root,
		.ca_key = key,
		.is_ca = true,
		.serial = 2,
		.from = now,
		.days = 9});
	leaf = soft_cert(&(struct soft_cert){.cn = "leaf",
		.key = key,
		.ca = sub,
		.ca_key = key,
		.serial = 3,
		.from = now,
		.days = 9});
	crl_pem = soft_crl(root, key, serials, 1, now, now + SOFT_DAY, false);
	return 0;
}

static int
clear(void **state)
{
	(void)state;
	free(crl_pem);
	X509_free(leaf);
	X509_free(sub);
	X509_free(root);
	EVP_PKEY_free(key);
	return 0;
}

/* A form's bytes. */
struct form {
	char data[32768];
	size_t len;
};

static void
put(struct form *form, const void *data, size_t len)
{
	assert_true(form->len + len < sizeof(form->data));
	memcpy(form->data + form->len, data, len);
	form->len += len;
}

static void
put_text(struct form *form, const char *text)
{
	put(form, text, strlen(text));
}

static void
put_bio(struct form *form, BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);

	put(form, data, (size_t)len);
	BIO_free(bio);
}

static void
put_pem(struct form *form, X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
	put_bio(form, bio);
}

static void
put_der(struct form *form, X509 *cert)
{
	AUTO(auto_openssl) unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);

	assert_true(len > 0);
	put(form, der, (size_t)len);
}

static PKCS7 *
pkcs7(bool with_crl)
{
	PKCS7 *p7 = PKCS7_new();
	BIO *bio = BIO_new_mem_buf(crl_pem, -1);
	AUTO(auto_crl) X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_true(PKCS7_set_type(p7, NID_pkcs7_signed) && PKCS7_content_new(p7, NID_pkcs7_data) &&
		    PKCS7_add_certificate(p7, root) && PKCS7_add_certificate(p7, leaf) &&
		    PKCS7_add_certificate(p7, sub) && (!with_crl || PKCS7_add_crl(p7, crl)));
	return p7;
}

/* The order of what is read is told by the first letters of the common names. */
static void
expect(const struct form *form, const char *order)
{
	AUTO(auto_certs) STACK_OF(X509) *certs = NULL;
	struct fault f = FAULT_INIT;
	char got[16] = "";

	assert_ok(bundle_read(form->data, form->len, &certs, &f), &f);
	for (int i = 0; i < sk_X509_num(certs); i++) {
		char name[8] = "";

		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(certs, i)),
			NID_commonName, name, sizeof(name));
		got[i] = name[0];
	}
	assert_string_equal(got, order);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
refused(const struct form *form, const char *why)
{
	STACK_OF(X509) *certs = NULL;
	struct fault f = FAULT_INIT;

	assert_fault(bundle_read(form->data, form->len, &certs, &f), &f, FAULT_INVALID);
	if (!strstr(f.text, why))
		fail_msg("no '%s' in: %s", why, f.text);
	assert_null(certs);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
pem_in_any_order_and_dress(void **state)
{
	struct form plain = {.len = 0}, dressed = {.len = 0}, crlf = {.len = 0};

	(void)state;
	put_pem(&plain, root);
	put_pem(&plain, sub);
	put_pem(&plain, leaf);
	expect(&plain, "rsl");
	put_text(&dressed, "\xef\xbb\xbfSubject: CN=leaf\nhello\n\n");
	put_text(&dressed, crl_pem);
	put_pem(&dressed, leaf);
	put_text(&dressed, "-----BEGIN UNKNOWN-----\nAAAA\n-----END UNKNOWN-----\ntext\n");
	put_pem(&dressed, sub);
	put_text(&dressed, "\n\n \x1a");
	expect(&dressed, "ls");
	for (size_t i = 0; i < dressed.len; i++) {
		if (dressed.data[i] == '\n')
			put(&crlf, "\r", 1);
		put(&crlf, dressed.data + i, 1);
	}
	expect(&crlf, "ls");
}

static void
trusted_and_misnamed_blocks(void **state)
{
	AUTO(auto_x509) X509 *trusted = X509_dup(leaf);
	AUTO(auto_openssl) unsigned char *der = NULL;
	struct form pem = {.len = 0}, aux = {.len = 0}, misnamed = {.len = 0};
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS7 *p7 = pkcs7(false);
	int len;

	(void)state;
	assert_int_equal(X509_alias_set1(trusted, (const unsigned char *)"a", 1), 1);
	assert_int_equal(PEM_write_bio_X509_AUX(bio, trusted), 1);
	put_bio(&pem, bio);
	assert_non_null(strstr(pem.data, "TRUSTED"));
	expect(&pem, "l");
	len = i2d_X509_AUX(trusted, &der);
	assert_true(len > 0);
	put(&aux, der, (size_t)len);
	expect(&aux, "l");
	put_text(&aux, "junk");
	refused(&aux, "after the certificate");
	/* Some CAs call a PKCS#7 a certificate. */
	bio = BIO_new(BIO_s_mem());
	assert_true(PEM_ASN1_write_bio((i2d_of_void *)i2d_PKCS7, "CERTIFICATE", bio, p7, NULL, NULL,
			    0, NULL, NULL) == 1);
	put_bio(&misnamed, bio);
	expect(&misnamed, "rls");
	PKCS7_free(p7);
}

static void
der_with_white_space_and_neighbours(void **state)
{
	struct form one = {.len = 0}, two = {.len = 0};

	(void)state;
	put_der(&one, leaf);
	expect(&one, "l");
	put_text(&one, "\r\n \t\n");
	put(&one, "", 1);
	expect(&one, "l");
	put_text(&one, "x");
	refused(&one, "after the certificate");
	put_der(&two, leaf);
	put_text(&two, "\n");
	put_der(&two, root);
	expect(&two, "lr");
}

static void
pkcs7_with_and_without_lists(void **state)
{
	(void)state;
	for (int with_crl = 0; with_crl < 2; with_crl++) {
		AUTO(auto_openssl) unsigned char *der = NULL;
		AUTO(auto_pkcs7) PKCS7 *p7 = pkcs7(with_crl);
		struct form pem = {.len = 0}, binary = {.len = 0}, base64 = {.len = 0};
		BIO *bio = BIO_new(BIO_s_mem());
		unsigned char text[32768];
		int len = i2d_PKCS7(p7, &der), n;

		assert_true(len > 0 && PEM_write_bio_PKCS7(bio, p7));
		put_bio(&pem, bio);
		expect(&pem, "rls");
		put(&binary, der, (size_t)len);
		put_text(&binary, "\n");
		expect(&binary, "rls");
		n = EVP_EncodeBlock(text, der, len);
		/* As EST has it, in lines; and one line of it all. */
		for (int i = 0; i < n; i++) {
			put(&base64, text + i, 1);
			if (i % 64 == 63)
				put_text(&base64, "\r\n");
		}
		expect(&base64, "rls");
		base64.len = 0;
		put(&base64, text, (size_t)n);
		expect(&base64, "rls");
		base64.len = (size_t)n - 1;
		refused(&base64, "not a certificate");
	}
}

static void
what_is_none_is_refused_by_its_name(void **state)
{
	static const unsigned char no_certs[] = {0x30, 0x80, 0, 0};
	struct form forms[8] = {{.len = 0}};
	AUTO(auto_pkcs7) PKCS7 *empty = PKCS7_new();
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	refused(&forms[0], "not a certificate");
	put_text(&forms[1], "<html>404</html>");
	refused(&forms[1], "not a certificate");
	put_text(&forms[2], crl_pem);
	refused(&forms[2], "X509 CRL");
	put(&forms[3], "\xff\xfe-\0-\0", 6);
	refused(&forms[3], "UTF-16");
	put(&forms[4], no_certs, sizeof(no_certs));
	refused(&forms[4], "neither a certificate");
	put_text(&forms[5], "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	refused(&forms[5], "PEM block 1, CERTIFICATE");
	assert_true(PKCS7_set_type(empty, NID_pkcs7_signed) &&
		    PKCS7_content_new(empty, NID_pkcs7_data) && PEM_write_bio_PKCS7(bio, empty));
	put_bio(&forms[6], bio);
	refused(&forms[6], "no certificate");
	put_pem(&forms[7], leaf);
	forms[7].len -= 40;
	refused(&forms[7], "PEM block 1");
}

static void
size_and_number_are_bounded(void **state)
{
	AUTO(auto_free) char *big = calloc(1, BUNDLE_MAX + 1);
	struct form one = {.len = 0};
	STACK_OF(X509) *certs = NULL;
	struct fault f = FAULT_INIT;
	size_t len = 0;

	(void)state;
	assert_non_null(big);
	assert_fault(bundle_read(big, BUNDLE_MAX + 1, &certs, &f), &f, FAULT_INVALID);
	put_der(&one, leaf);
	for (int i = 0; i < BUNDLE_CERTS_MAX; i++, len += one.len)
		memcpy(big + len, one.data, one.len);
	assert_ok(bundle_read(big, len, &certs, &f), &f);
	assert_int_equal(sk_X509_num(certs), BUNDLE_CERTS_MAX);
	sk_X509_pop_free(certs, X509_free);
	certs = NULL;
	memcpy(big + len, one.data, one.len);
	assert_fault(bundle_read(big, len + one.len, &certs, &f), &f, FAULT_INVALID);
	assert_non_null(strstr(f.text, "more than 1024"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pem_in_any_order_and_dress),
		cmocka_unit_test(trusted_and_misnamed_blocks),
		cmocka_unit_test(der_with_white_space_and_neighbours),
		cmocka_unit_test(pkcs7_with_and_without_lists),
		cmocka_unit_test(what_is_none_is_refused_by_its_name),
		cmocka_unit_test(size_and_number_are_bounded),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
