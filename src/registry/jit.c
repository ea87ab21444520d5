#include "config.h"

#include "registry/jit.h"

#include <string.h>

#include <openssl/err.h>

#include "jwt/jwt.h"
#include "jwt/x5c.h"
#include "pki/cert.h"
#include "pki/identity.h"
#include "registry/admit.h"
#include "registry/audit.h"
#include "registry/changes.h"
#include "registry/credentials.h"
#include "registry/devices.h"

/*
 * registry  its row
 * where     which name of the certificate is the device's
 */
struct rule {
	int64_t registry;
	enum identity where;
};

static int
unknown(struct fault *f)
{
	return fault_set(f, FAULT_AUTH, "no such device");
}

/* The registry's rule; FAULT_AUTH when it registers nobody, or takes no connections. */
static int
read_rule(struct registry *r, const struct rules_client *at, struct rule *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct rule rule;
	const char *where;
	bool row;

	if (db_prepare(r,
		    "SELECT id, jit, mqtt FROM registries"
		    " WHERE project = ? AND region = ? AND name = ?",
		    &q, f, "ttt", at->project, at->region, at->registry) ||
		db_step(r, q, &row, f))
		return -1;
	if (!row)
		return unknown(f);
	rule.registry = sqlite3_column_int64(q, 0);
	where = db_text(q, 1);
	if (strcmp(where, "cn") == 0)
		rule.where = IDENTITY_CN;
	else if (strcmp(where, "dns") == 0)
		rule.where = IDENTITY_DNS;
	else if (strcmp(where, "uri") == 0)
		rule.where = IDENTITY_URI;
	else
		return unknown(f);
	if (!sqlite3_column_int(q, 2))
		return fault_set(f, FAULT_AUTH, "the registry takes no MQTT connections");
	*ret = rule;
	return 0;
}

/* Not cert_read(): DER and nothing else is meant. */
static int
read_certificate(const struct jwt *jwt, X509 **ret_cert, struct fault *f)
{
	AUTO(auto_free) unsigned char *der = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	const unsigned char *at;
	size_t len;

	if (x5c_first(jwt->header, &der, &len, f))
		return -1;
	at = der;
	cert = d2i_X509(NULL, &at, (long)len);
	ERR_clear_error();
	if (!cert || at != der + len)
		return fault_set(
			f, FAULT_INVALID, "the first entry of x5c is not one certificate in DER");
	*ret_cert = TAKE(cert);
	return 0;
}

/* Everything that can be said without writing; nobody makes the file busy with a bad token. */
static int
check(struct registry *r, const struct rule *rule, const struct rules_client *client,
	const char *client_id, const struct jwt *jwt, X509 *cert, time_t now, struct fault *f)
{
	const char *name = rule->where == IDENTITY_URI ? client_id : client->device;

	if (identity_check(cert, rule->where, name, f) ||
		credentials_check_certificate(r, rule->registry, cert, true, now, f))
		return -1;
	return jwt_verify(jwt, X509_get0_pubkey(cert), f);
}

/* FAULT_EXISTS when another did it first. */
static int
enroll(struct registry *r, const struct rule *seen, const struct rules_client *at, X509 *cert,
	time_t now, unsigned char *ret_credential, struct fault *f)
{
	static const struct store_device device = {.gateway = false};
	AUTO(db_auto) struct registry *open = r;
	AUTO(auto_free) char *pem = NULL;
	bool rsa = EVP_PKEY_get_base_id(X509_get0_pubkey(cert)) == EVP_PKEY_RSA;
	struct store_credential credential = {
		.name = "x5c", .type = rsa ? "rsa-x509-pem" : "es256-x509-pem"};
	struct audit_line line = {.class = REGISTRY_DEVICE,
		.at = at,
		.when = now,
		.event = "registered",
		.detail = "by its certificate"};
	struct rule rule;
	int64_t row;

	(void)open;
	if (cert_pem(cert, &pem, f) || admit_digest(pem, ret_credential, f))
		return -1;
	credential.pem = pem;
	if (db_begin(r, f) || read_rule(r, at, &rule, f))
		return -1;
	/* The registry may have become another one meanwhile, or have another rule. */
	if (rule.registry != seen->registry || rule.where != seen->where)
		return unknown(f);
	if (devices_add(r, rule.registry, at->device, &device, now, &row, f) ||
		credentials_add(r, rule.registry, row, &credential, now, f))
		return -1;
	line.causer = row;
	if (audit_add(r, &line, f) || changes_see(r, f))
		return -1;
	return db_commit(r, f);
}

static int
admit(struct registry *r, struct registry_admission *admission, const char *client_id,
	const char *token, size_t len, time_t now, struct fault *f)
{
	const struct rules_client *at = &admission->client;
	AUTO(jwt_clear) struct jwt jwt = {0};
	AUTO(auto_x509) X509 *cert = NULL;
	struct rule rule;

	if (rules_is_number(at->device))
		return unknown(f);
	if (read_rule(r, at, &rule, f) || jwt_parse(token, len, r->strict, &jwt, f) ||
		rules_check_claims(
			jwt.claims, at->project, now, r->skew_s, r->strict, &admission->until, f))
		return -1;
	if (read_certificate(&jwt, &cert, f) || check(r, &rule, at, client_id, &jwt, cert, now, f))
		return fault_prefix(f, "no such device, and not registered by its certificate");
	if (enroll(r, &rule, at, cert, now, admission->credential, f) == 0) {
		admission->by_token = true;
		return admit_device(r, admission, f);
	}
	if (f->code != FAULT_EXISTS)
		return -1;
	return admit_known(r, admission, token, len, now, f);
}

int
jit_admit(struct registry *r, struct registry_admission *admission, const char *client_id,
	const char *token, size_t len, time_t now, struct fault *f)
{
	struct fault why = FAULT_INIT;

	if (admit(r, admission, client_id, token, len, now, &why) == 0)
		return 0;
	switch (why.code) {
	case FAULT_INVALID:
	case FAULT_NOTFOUND:
	case FAULT_EXISTS:
	case FAULT_USAGE:
		why.code = FAULT_AUTH;
		break;
	default:
		break;
	}
	if (f)
		*f = why;
	return -1;
}
