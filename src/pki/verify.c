#include "config.h"

#include "pki/verify.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "pki/key.h"

/* OpenSSL's security level 2, 112 bits: RSA of 2048 bits and SHA-224 are the weakest allowed. */
#define SECURITY_LEVEL 2
#define SECURITY_BITS  112

AUTO_DEFINE(store, X509_STORE, X509_STORE_free);
AUTO_DEFINE(constraints, NAME_CONSTRAINTS, NAME_CONSTRAINTS_free);
AUTO_DEFINE(store_ctx, X509_STORE_CTX, X509_STORE_CTX_free);

/* OpenSSL's reasons that a person can act on, and how. Others are shown in OpenSSL's own words. */
static const struct reason {
	int error;
	const char *why;
	const char *remedy;
} reasons[] = {
	{X509_V_ERR_INVALID_PURPOSE,
		"its key usage or extended key usage does not allow a TLS client to use it",
		"issue it with keyUsage digitalSignature and extendedKeyUsage clientAuth"},
	{X509_V_ERR_CERT_SIGNATURE_FAILURE, "its signature is not by the CA that it names",
		"have the registry's CA issue it"},
	{X509_V_ERR_PERMITTED_VIOLATION, "the CA's name constraints do not permit one of its names",
		"issue it with other names"},
	{X509_V_ERR_EXCLUDED_VIOLATION, "the CA's name constraints exclude one of its names",
		"issue it with other names"},
	{X509_V_ERR_UNSUPPORTED_NAME_SYNTAX,
		"the CA's name constraints cannot be compared with one of its names",
		"issue it with other names"},
	{X509_V_ERR_CA_MD_TOO_WEAK, "it is signed with a digest that is too weak",
		"issue it with SHA-256"},
	{X509_V_ERR_EE_KEY_TOO_SMALL, "its key is too weak", "use RSA of 2048 bits or P-256"},
	{X509_V_ERR_CA_KEY_TOO_SMALL, "its key is too weak", "use RSA of 2048 bits or P-256"},
};

const char *
verify_subject(const X509 *cert, char *buffer, size_t size)
{
	AUTO(auto_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *name;

	/* OpenSSL escapes what is not printable ASCII: a stranger may have chosen it. */
	if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_ONELINE) >= 0 &&
		BIO_write(bio, "", 1) == 1 && BIO_get_mem_data(bio, &name) > 0)
		text_show(name, buffer, size);
	else
		snprintf(buffer, size, "?");
	return buffer;
}

/* The first critical extension that OpenSSL does not know. */
static const char *
unknown_extension(const X509 *cert, char *buffer, size_t size)
{
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *extension = X509_get_ext(cert, i);

		if (!X509_EXTENSION_get_critical(extension) || X509_supported_extension(extension))
			continue;
		OBJ_obj2txt(buffer, (int)size, X509_EXTENSION_get_object(extension), 1);
		return buffer;
	}
	return "?";
}

/* Fills in why OpenSSL refused a certificate. */
static int
explain(X509 *cert, int error, time_t now, struct fault *f)
{
	char oid[80];

	switch (error) {
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return cert_check_time(cert, now, f);
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
		return fault_set(f, FAULT_INVALID,
			"its critical extension %s is unknown; issue it without that extension",
			unknown_extension(cert, oid, sizeof(oid)));
	case X509_V_ERR_OUT_OF_MEM:
		return fault_nomem(f);
	default:
		break;
	}
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (reasons[i].error == error)
			return fault_set(
				f, FAULT_INVALID, "%s; %s", reasons[i].why, reasons[i].remedy);
	}
	return fault_set(f, FAULT_INVALID, "%s; issue another certificate",
		X509_verify_cert_error_string(error));
}

static int
name_ca(const X509 *ca, struct fault *f)
{
	char subject[64];

	return fault_prefix(f, "CA '%s'", verify_subject(ca, subject, sizeof(subject)));
}

/*
 * Has OpenSSL verify a certificate as 'openssl verify -partial_chain -auth_level 2' does.
 *
 * anchor   the one trusted certificate, which need not be self-signed
 * purpose  X509_PURPOSE_..., or 0 for any
 *
 * Returns 0; else FAULT_NOTFOUND when the anchor did not issue it, FAULT_INVALID with the reason,
 * FAULT_NOMEM.
 */
static int
verify(X509 *cert, X509 *anchor, int purpose, time_t now, struct fault *f)
{
	AUTO(auto_store) X509_STORE *store = X509_STORE_new();
	AUTO(auto_store_ctx) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	X509 *wrong;
	int error;

	if (!store || !ctx || !X509_STORE_add_cert(store, anchor))
		return fault_nomem(f);
	param = X509_STORE_get0_param(store);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	X509_VERIFY_PARAM_set_time(param, now);
	if (purpose && !X509_VERIFY_PARAM_set_purpose(param, purpose))
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up the verification");
	if (!X509_STORE_CTX_init(ctx, store, cert, NULL))
		return fault_nomem(f);
	if (X509_verify_cert(ctx) == 1)
		return 0;
	error = X509_STORE_CTX_get_error(ctx);
	wrong = X509_STORE_CTX_get_current_cert(ctx);
	ERR_clear_error();
	if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
		error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
		return fault_set(f, FAULT_NOTFOUND, "another CA issued it");
	explain(wrong ? wrong : cert, error, now, f);
	return X509_STORE_CTX_get_error_depth(ctx) > 0 ? name_ca(anchor, f) : -1;
}

/* What a registry asks of a CA beyond what OpenSSL does. */
static int
check_ca_rules(X509 *ca, struct fault *f)
{
	EVP_PKEY *key = X509_get0_pubkey(ca);

	if (X509_get_version(ca) != X509_VERSION_3)
		return fault_set(f, FAULT_INVALID,
			"it is not an X.509 version 3 certificate; issue it with basicConstraints "
			"CA:TRUE");
	if (!(X509_get_extension_flags(ca) & EXFLAG_CA))
		return fault_set(f, FAULT_INVALID,
			"it is not a CA certificate; issue it with basicConstraints CA:TRUE");
	/* Without the extension every usage is allowed, and this returns all bits. */
	if (!(X509_get_key_usage(ca) & KU_KEY_CERT_SIGN))
		return fault_set(f, FAULT_INVALID,
			"its key usage does not allow signing certificates; issue it with keyUsage "
			"keyCertSign");
	if (!key)
		return fault_openssl(f, FAULT_INVALID, "its key cannot be read");
	return key_check(key, f);
}

int
verify_ca(X509 *ca, time_t now, struct fault *f)
{
	if (check_ca_rules(ca, f) || verify(ca, ca, 0, now, f))
		return name_ca(ca, f);
	if (X509_check_purpose(ca, X509_PURPOSE_SSL_CLIENT, 1) == 1)
		return 0;
	ERR_clear_error();
	fault_set(f, FAULT_INVALID,
		"it may not issue certificates of TLS clients: an extension is damaged, or its "
		"extended key usage has no clientAuth; use another CA");
	return name_ca(ca, f);
}

/*
 * Whether a certificate only looks self-signed, because its issuer has its subject's name: OpenSSL
 * compares names and key identifiers, of which a version 1 certificate has none.
 */
static bool
is_self_issued_only(X509 *cert)
{
	bool only = X509_self_signed(cert, 0) == 1 && X509_self_signed(cert, 1) != 1;

	ERR_clear_error();
	return only;
}

static int
check_digest(X509 *cert, struct fault *f)
{
	int bits;

	if (X509_get_signature_info(cert, NULL, NULL, &bits, NULL) && bits >= SECURITY_BITS)
		return 0;
	ERR_clear_error();
	return fault_set(f, FAULT_INVALID,
		"it is signed with a digest that is too weak; issue it with SHA-256");
}

/* The CA's name constraints, which OpenSSL checks only in a chain that it builds. */
static int
check_constraints(X509 *cert, X509 *ca, time_t now, struct fault *f)
{
	AUTO(auto_constraints) NAME_CONSTRAINTS *constraints = NULL;
	int critical, error;

	constraints = X509_get_ext_d2i(ca, NID_name_constraints, &critical, NULL);
	ERR_clear_error();
	/* -1: the CA has none; a CA whose constraints cannot be read has EXFLAG_INVALID. */
	if (!constraints)
		return critical == -1 ? 0 : explain(ca, X509_V_ERR_INVALID_EXTENSION, now, f);
	error = NAME_CONSTRAINTS_check(cert, constraints);
	if (error == X509_V_OK)
		error = NAME_CONSTRAINTS_check_CN(cert, constraints);
	return error == X509_V_OK ? 0 : explain(cert, error, now, f);
}

/*
 * Verifies a certificate that has its CA's name, which OpenSSL takes for self-signed and therefore
 * does not compare with the CA. OpenSSL checks the certificate alone here, as its own anchor; what
 * concerns the CA is checked afterwards.
 *
 * Returns as verify().
 */
static int
verify_self_issued(X509 *cert, X509 *ca, time_t now, struct fault *f)
{
	bool issued = X509_check_issued(ca, cert) == X509_V_OK &&
		      X509_verify(cert, X509_get0_pubkey(ca)) == 1;

	ERR_clear_error();
	if (!issued)
		return fault_set(f, FAULT_NOTFOUND, "another CA issued it");
	if (verify(cert, cert, X509_PURPOSE_SSL_CLIENT, now, f) || check_digest(cert, f) ||
		check_constraints(cert, ca, now, f))
		return -1;
	if (verify(ca, ca, 0, now, f))
		return name_ca(ca, f);
	return 0;
}

/* What a registry asks of a device's certificate beyond what OpenSSL does. */
static int
check_device_rules(X509 *cert, struct fault *f)
{
	/* OpenSSL takes any version 1 certificate that looks self-signed for a CA's. */
	if (X509_check_ca(cert) &&
		!(X509_get_version(cert) == X509_VERSION_1 && is_self_issued_only(cert)))
		return fault_set(f, FAULT_INVALID,
			"it is a CA certificate; issue the device's with basicConstraints "
			"CA:FALSE");
	if (!(X509_get_key_usage(cert) & KU_DIGITAL_SIGNATURE))
		return fault_set(f, FAULT_INVALID,
			"its key usage does not allow signing tokens; issue it with keyUsage "
			"digitalSignature");
	return 0;
}

static int
verify_by(X509 *cert, X509 *ca, time_t now, struct fault *f)
{
	if (is_self_issued_only(cert) ? verify_self_issued(cert, ca, now, f)
				      : verify(cert, ca, X509_PURPOSE_SSL_CLIENT, now, f))
		return -1;
	if (check_ca_rules(ca, f))
		return name_ca(ca, f);
	return check_device_rules(cert, f);
}

int
verify_device(X509 *cert, const STACK_OF(X509) * cas, time_t now, struct fault *f)
{
	struct fault why = FAULT_INIT, first = FAULT_INIT;

	/* Each CA alone: of several with one name OpenSSL would try only one. */
	for (int i = 0; i < sk_X509_num(cas); i++) {
		X509 *ca = sk_X509_value(cas, i);

		if (X509_cmp(cert, ca) == 0)
			return fault_set(f, FAULT_INVALID,
				"it is the CA's own; have the CA issue one for the device");
		if (verify_by(cert, ca, now, &why) == 0)
			return 0;
		if (why.code != FAULT_NOTFOUND && first.code == FAULT_NONE)
			first = why;
	}
	if (first.code == FAULT_NONE)
		return fault_set(f, FAULT_INVALID,
			"it was not issued by any of the registry's %d CAs; have one of them issue "
			"it, or add the CA that did to the registry",
			sk_X509_num(cas));
	if (f)
		*f = first;
	return -1;
}
