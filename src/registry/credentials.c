#include "config.h"

#include "registry/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "pki/describe.h"
#include "pki/key.h"
#include "pki/verify.h"
#include "registry/cas.h"
#include "registry/look.h"
#include "registry/revoked.h"

/*
 * gcloud's names of types and the formats of Cloud IoT Core's REST resources. rs256 and es256, the
 * older names, stand in scripts for keys and for certificates alike: what the PEM holds decides.
 */
static const struct type {
	const char *name;
	const char *format;
	enum jwt_alg alg;
	bool certificate;
} types[] = {
	{"rsa-pem", "RSA_PEM", JWT_RS256, false},
	{"rsa-x509-pem", "RSA_X509_PEM", JWT_RS256, true},
	{"es256-pem", "ES256_PEM", JWT_ES256, false},
	{"es256-x509-pem", "ES256_X509_PEM", JWT_ES256, true},
	{"rs256", "RSA_PEM", JWT_RS256, false},
	{"rs256", "RSA_X509_PEM", JWT_RS256, true},
	{"es256", "ES256_PEM", JWT_ES256, false},
	{"es256", "ES256_X509_PEM", JWT_ES256, true},
};

static int
find_type(const struct store_credential *c, const struct type **ret, struct fault *f)
{
	bool certificate = strstr(c->pem, "-----BEGIN CERTIFICATE") != NULL;
	const struct type *found = NULL;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i].name, c->type) == 0 &&
			(!found || types[i].certificate == certificate))
			found = &types[i];
	}
	if (!found)
		return fault_set(f, FAULT_USAGE,
			"'%s' is no type of key: use es256, es256-pem, es256-x509-pem, rs256, "
			"rsa-pem or rsa-x509-pem",
			c->type);
	*ret = found;
	return 0;
}

static int
check_alg(EVP_PKEY *key, const struct type *type, struct fault *f)
{
	enum jwt_alg alg;

	if (jwt_alg_of_key(key, &alg, f))
		return -1;
	if (alg != type->alg)
		return fault_set(f, FAULT_INVALID, "a key for %s is not of type %s",
			jwt_alg_name(alg), type->name);
	return 0;
}

/* A registry with a CA accepts only certificates. */
static int
check_bare_key(struct registry *r, int64_t registry, struct fault *f)
{
	AUTO(auto_certs) STACK_OF(X509) *cas = NULL;

	if (cas_read(r, registry, &cas, f))
		return -1;
	if (sk_X509_num(cas) > 0)
		return fault_set(f, FAULT_INVALID,
			"the registry has a CA: a device's credential must be a certificate that "
			"it signed, not a bare key");
	return 0;
}

static int
check_certificate(
	struct registry *r, int64_t registry, X509 *cert, bool must, time_t now, struct fault *f)
{
	AUTO(auto_certs) STACK_OF(X509) *cas = NULL;
	EVP_PKEY *key = X509_get0_pubkey(cert);
	bool revoked;

	if (!key)
		return fault_openssl(f, FAULT_INVALID, "its key is unusable");
	if (key_check(key, f) || cert_check_time(cert, now, f) || cas_read(r, registry, &cas, f))
		return -1;
	if (must && sk_X509_num(cas) == 0)
		return fault_set(f, FAULT_INVALID, "the registry has no CA");
	if (sk_X509_num(cas) > 0 && verify_device(cert, cas, now, f))
		return -1;
	if (revoked_check(r, cert, &revoked, f))
		return -1;
	return revoked ? fault_set(f, FAULT_INVALID, "the certificate is revoked") : 0;
}

int
credentials_check_certificate(
	struct registry *r, int64_t registry, X509 *cert, bool must, time_t now, struct fault *f)
{
	char subject[64];

	if (check_certificate(r, registry, cert, must, now, f) == 0)
		return 0;
	return fault_prefix(f, "certificate '%s'", verify_subject(cert, subject, sizeof(subject)));
}

/*
 * Checks a credential.
 *
 * ret_pem  receives what is kept of it: the first certificate, or the key, and no text around it
 */
static int
check(struct registry *r, int64_t registry, const struct store_credential *c,
	const struct type *type, time_t now, char **ret_pem, struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_free) char *pem = NULL;
	AUTO(auto_x509) X509 *cert = NULL;

	if (strstr(c->pem, "PRIVATE KEY-----"))
		return fault_set(f, FAULT_INVALID,
			"it holds a private key, which belongs nowhere but to its device: hand in "
			"the certificate or the public key");
	if (c->expires && c->expires <= now)
		return fault_set(f, FAULT_INVALID, "its expiration time is in the past");
	if (!type->certificate) {
		if (key_reader_read(r->reader, c->pem, strlen(c->pem), &key, &pem, f) ||
			check_alg(key, type, f) || check_bare_key(r, registry, f))
			return -1;
		*ret_pem = TAKE(pem);
		return 0;
	}
	if (cert_read(c->pem, strlen(c->pem), &cert, f) ||
		credentials_check_certificate(r, registry, cert, false, now, f) ||
		check_alg(X509_get0_pubkey(cert), type, f))
		return -1;
	return cert_pem(cert, ret_pem, f);
}

static int
check_room(struct registry *r, int64_t device, const char *pem, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT count(*), total(pem = ?2) FROM credentials WHERE device = ?1", &q,
		    f, "it", device, pem) ||
		db_step(r, q, &row, f))
		return -1;
	if (sqlite3_column_int(q, 1))
		return fault_set(f, FAULT_EXISTS, "the device has it already");
	if (sqlite3_column_int(q, 0) >= RULES_CREDENTIALS_MAX)
		return fault_set(f, FAULT_USAGE, "a device has at most %d credentials: delete one",
			RULES_CREDENTIALS_MAX);
	return 0;
}

int
credentials_add(struct registry *r, int64_t registry, int64_t device,
	const struct store_credential *c, time_t now, struct fault *f)
{
	AUTO(auto_free) char *pem = NULL;
	const struct type *type;

	if (find_type(c, &type, f))
		return -1;
	if (check(r, registry, c, type, now, &pem, f) || check_room(r, device, pem, f))
		return fault_prefix(f, "'%s' is not taken", c->name);
	return db_run(r,
		"INSERT INTO credentials (id, device, format, pem, expires)"
		" VALUES (" DB_NEW_ID("credentials") ", ?, ?, ?, ?)",
		f, "itti", device, type->format, pem, (int64_t)c->expires);
}
