/*
 * Which certificate belongs to which key, where labels and ids do not say it: as cards and other
 * programs write them, beside the certificates of others, without a public half, read-only.
 */
#include "config.h"

#include "mock-token.h"

static int
import(const char *uri, X509 *const *certs, size_t n, struct fault *f)
{
	AUTO(auto_token) struct token *token = opened(uri);
	STACK_OF(X509) *offered = sk_X509_new_null();
	AUTO(auto_free) char *printed = NULL;
	int status;

	for (size_t i = 0; i < n; i++)
		expect(sk_X509_push(offered, certs[i]) > 0);
	status = token_certificate_import(token, offered, &printed, f);
	sk_X509_free(offered);
	expect(ERR_peek_error() == 0);
	if (status == 0) {
		AUTO(auto_token) struct token *again = NULL;
		AUTO(auto_x509) X509 *there = NULL;

		token_close(TAKE(token));
		again = opened(printed);
		expect_ok(token_certificate(again, &there, f), f);
	}
	return status;
}

static size_t
certificates(void)
{
	static struct seen seen;

	list("pkcs11:token=mock", true, &seen);
	return seen.n[TOKEN_ITEM_CERTIFICATE];
}

/* As a PIV card has them: one id and a label each; other keys' certificates lie beside them. */
static void
card(void)
{
	static const struct bytes public_label = {"PIV AUTH pubkey", 15};
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL, *third = NULL;
	AUTO(auto_x509) X509 *own = NULL, *older = NULL, *elsewhere = NULL, *foreign = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	static const char private_uri[] = "pkcs11:token=mock;object=PIV%20AUTH%20key";

	begin_writing();
	key = write_pair(B("PIV AUTH key"), B("\x01"), &public_label, false);
	other = write_pair(B("other"), B("\x02"), NULL, false);
	third = write_pair(B("third"), B("\x03"), NULL, false);
	own = certify(key, "own", 30, false);
	older = certify(key, "older", 3, false);
	elsewhere = certify(other, "elsewhere", 30, false);
	foreign = certify(ca_key, "foreign", 30, false);
	/* A CA's certificate with the key's id, one with its label, and the key's two. */
	write_certificate(B("ca"), B("\x01"), ca, false);
	write_certificate(B("PIV AUTH key"), B(""), ca, false);
	write_certificate(B("Certificate for PIV Authentication"), B("\x01"), older, false);
	write_certificate(B("Certificate for PIV Authentication"), B("\x01"), own, false);
	/* Neither id nor label is its key's. */
	write_certificate(B("somewhere"), B("\x99"), elsewhere, false);
	/* Only the names are the key's. */
	write_certificate(B("third"), B("\x03"), foreign, false);
	end_writing();
	certificate_is(private_uri, own);
	certificate_is("pkcs11:token=mock;object=PIV%20AUTH%20pubkey;type=public", own);
	certificate_is("pkcs11:token=mock;id=%01", own);
	certificate_is("pkcs11:token=mock;object=other", elsewhere);
	certificate_is("pkcs11:token=mock;object=third;type=cert", foreign);
	no_certificate(
		"pkcs11:token=mock;object=third", FAULT_INVALID, "'CN = foreign' is for another");
	no_certificate(
		"pkcs11:token=mock;object=x", FAULT_NOTFOUND, "no certificate with object=x");
	/* A public key and a certificate name their private key. */
	key_is("pkcs11:token=mock;object=PIV%20AUTH%20pubkey;type=public", key);
	key_is("pkcs11:token=mock;object=somewhere;type=cert", other);
}

static void
card_written(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	AUTO(auto_x509) X509 *old = NULL, *foreign = NULL, *renewed = NULL, *newest = NULL;
	static const char uri[] = "pkcs11:token=mock;object=k";
	struct fault f = FAULT_INIT;
	struct token *token;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, false);
	old = certify(key, "old", 3, false);
	renewed = certify(key, "renewed", 30, false);
	newest = certify(key, "newest", 60, false);
	foreign = certify(ca_key, "foreign", 30, false);
	write_certificate(B("k"), B("\x01"), ca, false);
	write_certificate(B("a label of its own"), B("\x99"), old, false);
	end_writing();
	X509 *const chain[] = {ca, foreign, renewed, newest, ca};
	X509 *const others[] = {ca, foreign};

	certificate_is(uri, old);
	expect_fault(
		import(uri, &foreign, 1, &f), &f, FAULT_INVALID, "'CN = foreign' is for another");
	expect_fault(import(uri, &foreign, 1, &f), &f, FAULT_INVALID, "id=%01;object=k");
	expect_fault(
		import(uri, others, 2, &f), &f, FAULT_INVALID, "'CN = some ca', 'CN = foreign'");
	expect(certificates() == 2);
	certificate_is(uri, old);
	/* The key's newest of the chain replaces the key's old one and nothing else. */
	expect_ok(import(uri, chain, N_ELEMENTS(chain), &f), &f);
	expect(certificates() == 2);
	certificate_is(uri, newest);
	expect_ok(import(uri, chain, N_ELEMENTS(chain), &f), &f);
	expect(certificates() == 2);
	token = opened(uri);
	expect_ok(token_certificate_delete(token, &f), &f);
	expect_fault(token_certificate_delete(token, &f), &f, FAULT_INVALID, "CN = some ca");
	token_close(token);
	expect(certificates() == 1);
	token = opened("pkcs11:token=mock;object=k;type=cert");
	expect_ok(token_certificate_delete(token, &f), &f);
	token_close(token);
	expect(certificates() == 0);
}

/* A certificate that is seen only after a login. */
static void
shown_after_login(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *cert = NULL;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, true);
	cert = certify(key, "hidden", 3, false);
	write_certificate(B("c"), B("\x01"), cert, true);
	end_writing();
	certificate_is("pkcs11:token=mock;object=k", cert);
	certificate_is("pkcs11:token=mock;object=c;type=cert", cert);
	key_is("pkcs11:token=mock;object=k", key);
	source.pin_source = "env:TEST_NO_PIN";
	no_certificate("pkcs11:token=mock;object=k", FAULT_NOTFOUND, "without a login");
}

static void
certificate_is_found_by_id_then_by_key(void **state)
{
	(void)state;
	RUN(card, PLAIN);
	RUN(card_written, PLAIN);
	RUN(shown_after_login, PLAIN);
}

/* A private EC key does not show its public half: a signature tells whose is whose. */
static void
lone(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL;
	AUTO(auto_x509) X509 *own = NULL, *others = NULL;
	AUTO(auto_x509) X509 *ca = certify(ca_key, "some ca", 900, true);
	static const char uri[] = "pkcs11:token=mock;object=lonely";
	struct fault f = FAULT_INIT;

	begin_writing();
	key = write_pair(B("lonely"), B("\x77"), NULL, true);
	other = write_pair(B("other"), B("\x78"), NULL, false);
	own = certify(key, "own", 30, false);
	others = certify(other, "others", 30, false);
	end_writing();
	X509 *const foreign[] = {ca, others};
	X509 *const chain[] = {ca, others, own};
	{
		AUTO(auto_token) struct token *token = opened(uri);
		EVP_PKEY *none = NULL;

		expect_fault(token_private_key(token, &none, &f), &f, FAULT_NOTFOUND, "none of 1");
	}
	expect_fault(
		import(uri, foreign, 2, &f), &f, FAULT_INVALID, "'CN = some ca', 'CN = others'");
	expect(certificates() == 0);
	expect_ok(import(uri, chain, 3, &f), &f);
	expect(certificates() == 1);
	certificate_is(uri, own);
	key_is(uri, key);
}

/* Its certificate has another id; another key's public half has this id. */
static void
misnamed(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *other = NULL, *third = NULL;
	AUTO(auto_x509) X509 *own = NULL, *ca = certify(ca_key, "some ca", 900, true);

	begin_writing();
	key = write_pair(B("lonely"), B("\x77"), NULL, true);
	own = certify(key, "own", 30, false);
	write_certificate(B("x"), B("\x55"), own, false);
	write_certificate(B("y"), B("\x56"), ca, false);
	other = write_pair(B("a"), B("\x01"), NULL, false);
	third = write_pair(B("b"), B("\x01"), NULL, false);
	end_writing();
	key_is("pkcs11:token=mock;object=lonely", key);
	certificate_is("pkcs11:token=mock;object=lonely", own);
	/* Two pairs of one id: each signs for its own. */
	key_is("pkcs11:token=mock;object=a", other);
	key_is("pkcs11:token=mock;object=b", third);
	key_is("pkcs11:token=mock;object=b;type=public", third);
	key_is("pkcs11:token=mock;object=x;type=cert", key);
}

static void
signature_tells_whose_public_key_it_is(void **state)
{
	(void)state;
	RUN(lone, PLAIN);
	RUN(misnamed, PLAIN);
}

static void
read_only(void)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL, *lent = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	struct token *token;
	char *uri = NULL;

	begin_writing();
	key = write_pair(B("k"), B("\x01"), NULL, false);
	cert = certify(key, "c", 3, false);
	write_certificate(B("k"), B("\x01"), cert, false);
	end_writing();
	token = opened("pkcs11:token=mock;object=k");
	expect_ok(token_private_key(token, &lent, &f), &f);
	expect(signs_for(lent, key));
	expect_fault(
		token_keygen(token, "ec:p256", &uri, &f), &f, FAULT_REFUSED, "write-protected");
	expect_fault(token_certificate_delete(token, &f), &f, FAULT_REFUSED, "write-protected");
	EVP_PKEY_free(TAKE(lent));
	token_close(token);
	if (!getenv("MOCK_PKCS11_FAULTS"))
		expect_fault(import("pkcs11:token=mock;object=k", &cert, 1, &f), &f, FAULT_REFUSED,
			"write-protected");
	certificate_is("pkcs11:token=mock;object=k", cert);
}

static void
token_that_cannot_be_written_to_is_read(void **state)
{
	(void)state;
	RUN(read_only, {"MOCK_PKCS11_FLAGS", "WRITE_PROTECTED"});
	/* It says so only when a session for writing is asked for; the first is the test's own. */
	RUN(read_only, {"MOCK_PKCS11_FAULTS", "C_OpenSession=TOKEN_WRITE_PROTECTED@2"});
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificate_is_found_by_id_then_by_key),
		cmocka_unit_test(signature_tells_whose_public_key_it_is),
		cmocka_unit_test(token_that_cannot_be_written_to_is_read),
	};

	return RUN_MOCK_TESTS(tests);
}
