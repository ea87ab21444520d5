#include "config.h"

#include "registry/admit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "registry/changes.h"
#include "registry/jit.h"
#include "registry/revoked.h"

/* The key of a credential: its own, or its certificate's, which revocation lists may hold. */
static int
parse(struct registry *r, const char *pem, EVP_PKEY **ret_key, struct crl_id *ret_id,
	struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;

	if (!strstr(pem, "BEGIN CERTIFICATE")) {
		ret_id->serial = NULL;
		return key_reader_read(r->reader, pem, strlen(pem), ret_key, NULL, f);
	}
	if (cert_read(pem, strlen(pem), &cert, f))
		return -1;
	key = X509_get_pubkey(cert);
	if (!key)
		return fault_openssl(f, FAULT_INVALID, "the certificate's key is unusable");
	if (crl_id_of(cert, ret_id, f))
		return -1;
	*ret_key = TAKE(key);
	return 0;
}

int
admit_digest(const char *pem, unsigned char *ret_digest, struct fault *f)
{
	if (EVP_Digest(pem, strlen(pem), ret_digest, NULL, EVP_sha256(), NULL) != 1)
		return fault_openssl(f, FAULT_CRYPTO, "cannot compute SHA-256");
	return 0;
}

/* A credential's key, parsed only when the slot for it holds another's. */
static int
known(struct registry *r, const char *pem, struct known_key **ret, struct fault *f)
{
	struct known_key parsed = {.key = NULL};
	struct known_key *key;
	uint64_t slot;

	if (admit_digest(pem, parsed.digest, f))
		return -1;
	memcpy(&slot, parsed.digest, sizeof(slot));
	key = &r->keys[slot % KEYS_MAX];
	if (!key->key || memcmp(key->digest, parsed.digest, sizeof(parsed.digest)) != 0) {
		if (parse(r, pem, &parsed.key, &parsed.id, f))
			return -1;
		EVP_PKEY_free(key->key);
		crl_id_clear(&key->id);
		*key = parsed;
	}
	*ret = key;
	return 0;
}

static int
is_revoked(struct registry *r, const struct crl_id *id, const char *pem, bool *ret, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;
	bool may_be;

	if (revoked_may_be(r, id, &may_be, f))
		return -1;
	if (!may_be) {
		*ret = false;
		return 0;
	}
	if (cert_read(pem, strlen(pem), &cert, f))
		return -1;
	return revoked_check(r, cert, ret, f);
}

int
admit_signature(struct registry *r, int64_t device, const struct jwt *jwt, time_t now,
	unsigned char *ret_credential, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int tried = 0, expired = 0;
	bool row, revoked = false;

	if (db_prepare(
		    r, "SELECT pem, expires FROM credentials WHERE device = ?", &q, f, "i", device))
		return -1;
	for (;;) {
		struct known_key *key;
		int64_t expires;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		expires = sqlite3_column_int64(q, 1);
		if (expires && expires <= (int64_t)now) {
			expired++;
			continue;
		}
		tried++;
		if (known(r, db_text(q, 0), &key, NULL) || jwt_verify(jwt, key->key, NULL))
			continue;
		/* Another credential may be a newer certificate for the same key. */
		if (is_revoked(r, &key->id, db_text(q, 0), &revoked, f))
			return -1;
		if (!revoked) {
			memcpy(ret_credential, key->digest, sizeof(key->digest));
			return 0;
		}
	}
	if (revoked)
		return fault_set(f, FAULT_AUTH, "its certificate is revoked");
	return fault_set(f, FAULT_AUTH,
		"the token is signed by none of the device's %d credentials (%d have expired)",
		tried, expired);
}

/* Finds the credential with this digest among the device's own; FAULT_AUTH when it was deleted. */
static int
find_credential(struct registry *r, int64_t device, const unsigned char *credential,
	sqlite3_stmt **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	unsigned char digest[REGISTRY_CREDENTIAL_LEN];
	bool row;

	if (db_prepare(r, "SELECT pem FROM credentials WHERE device = ?", &q, f, "i", device))
		return -1;
	for (;;) {
		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			return fault_set(f, FAULT_AUTH, "its credential was deleted");
		if (admit_digest(db_text(q, 0), digest, f))
			return -1;
		if (memcmp(digest, credential, sizeof(digest)) == 0)
			break;
	}
	*ret = TAKE(q);
	return 0;
}

/* Whether the credential that verified a token is still the device's and not revoked. */
static int
check_credential(
	struct registry *r, int64_t device, const unsigned char *credential, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	struct known_key *key;
	bool revoked;

	if (find_credential(r, device, credential, &q, f))
		return -1;
	if (!r->revoked)
		return 0;
	if (known(r, db_text(q, 0), &key, f) || is_revoked(r, &key->id, db_text(q, 0), &revoked, f))
		return -1;
	return revoked ? fault_set(f, FAULT_AUTH, "its certificate is revoked") : 0;
}

/* What both ways of naming a device ask for, in the order of admit_device(). */
#define DEVICE_QUERY \
	"SELECT d.id, d.num_id, d.name, d.blocked, d.gateway, coalesce(d.log_level, r.log_level)," \
	" r.id, r.mqtt FROM registries r JOIN devices d ON d.registry = r.id" \
	" WHERE r.project = ?1 AND r.region = ?2 AND r.name = ?3 AND "

int
admit_device(struct registry *r, struct registry_admission *admission, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	const struct rules_client *c = &admission->client;
	bool row;

	if (rules_is_number(c->device)
			? db_prepare(r, DEVICE_QUERY "d.num_id = ?4", &q, f, "ttti", c->project,
				  c->region, c->registry, (int64_t)strtoll(c->device, NULL, 10))
			: db_prepare(r, DEVICE_QUERY "d.name = ?4", &q, f, "tttt", c->project,
				  c->region, c->registry, c->device))
		return -1;
	if (db_step(r, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_AUTH, "no such device");
	admission->device_row = sqlite3_column_int64(q, 0);
	snprintf(admission->device_num_id, sizeof(admission->device_num_id), "%s", db_text(q, 1));
	snprintf(admission->device_id, sizeof(admission->device_id), "%s", db_text(q, 2));
	admission->gateway = sqlite3_column_int(q, 4);
	admission->log_level = rules_log_level(db_text(q, 5));
	admission->registry_row = sqlite3_column_int64(q, 6);
	if (sqlite3_column_int(q, 3))
		return fault_set(f, FAULT_AUTH, "the device is blocked");
	if (!sqlite3_column_int(q, 7))
		return fault_set(f, FAULT_AUTH, "the registry takes no MQTT connections");
	return 0;
}

int
admit_read_token(struct registry *r, const char *project, const char *token, size_t len, time_t now,
	struct jwt *ret_jwt, time_t *ret_until, struct fault *f)
{
	AUTO(jwt_clear) struct jwt jwt = {0};

	if (jwt_parse(token, len, r->strict, &jwt, f)) {
		if (f && f->code == FAULT_INVALID)
			f->code = FAULT_AUTH;
		return -1;
	}
	if (rules_check_claims(jwt.claims, project, now, r->skew_s, r->strict, ret_until, f))
		return -1;
	*ret_jwt = jwt;
	jwt = (struct jwt){0};
	return 0;
}

/* Fills in by_token, credential and until. */
static int
check_token(struct registry *r, struct registry_admission *admission, const char *token, size_t len,
	time_t now, struct fault *f)
{
	AUTO(jwt_clear) struct jwt jwt = {0};

	if (admit_read_token(
		    r, admission->client.project, token, len, now, &jwt, &admission->until, f) ||
		admit_signature(r, admission->device_row, &jwt, now, admission->credential, f))
		return -1;
	admission->by_token = true;
	return 0;
}

int
admit_known(struct registry *r, struct registry_admission *admission, const char *token, size_t len,
	time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;

	(void)open;
	if (db_begin_read(r, f) || changes_see(r, f) || admit_device(r, admission, f))
		return -1;
	return check_token(r, admission, token, len, now, f);
}

int
registry_admit(struct registry *registry, const char *client_id, const char *token, size_t len,
	time_t now, struct registry_admission *ret_admission, struct fault *f)
{
	struct registry_admission admission = {0};
	struct fault why = FAULT_INIT;

	if (rules_parse_client_id(client_id, &admission.client, f))
		return -1;
	if (admit_known(registry, &admission, token, len, now, &why)) {
		if (why.code != FAULT_AUTH || admission.device_row) {
			if (f)
				*f = why;
			return -1;
		}
		if (jit_admit(registry, &admission, client_id, token, len, now, f))
			return -1;
	}
	*ret_admission = admission;
	return 0;
}

int
registry_may_stay(struct registry *registry, struct registry_admission *admission, struct fault *f)
{
	struct registry_admission now = {.client = admission->client};

	if (admit_device(registry, &now, f)) {
		if (f && f->code == FAULT_AUTH && now.device_row == 0)
			return fault_set(f, FAULT_AUTH, "the device was deleted");
		return -1;
	}
	if (now.device_row != admission->device_row)
		return fault_set(f, FAULT_AUTH, "the device was deleted");
	if (admission->by_token &&
		check_credential(registry, admission->device_row, admission->credential, f))
		return -1;
	admission->gateway = now.gateway;
	admission->log_level = now.log_level;
	return 0;
}
