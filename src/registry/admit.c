#include "config.h"

#include "registry/registry.h"

#include <string.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "registry/db.h"

/* The key of a credential: its own, or its certificate's. */
static int
parse_key(const char *pem, EVP_PKEY **ret_key, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;

	if (!strstr(pem, "BEGIN CERTIFICATE"))
		return key_read_public(pem, strlen(pem), ret_key, f);
	if (cert_read(pem, strlen(pem), &cert, f))
		return -1;
	*ret_key = X509_get_pubkey(cert);
	return *ret_key ? 0 : fault_openssl(f, FAULT_INVALID, "the certificate's key is unusable");
}

/* A credential never changes and its number is never used again: what was parsed stays true. */
static int
key_of(struct registry *r, int64_t credential, const char *pem, EVP_PKEY **ret_key, struct fault *f)
{
	size_t at = (size_t)credential % KEYS_MAX;
	EVP_PKEY *key;

	if (r->keys[at].credential != credential || !r->keys[at].key) {
		if (parse_key(pem, &key, f))
			return -1;
		EVP_PKEY_free(r->keys[at].key);
		r->keys[at].key = key;
		r->keys[at].credential = credential;
	}
	*ret_key = r->keys[at].key;
	return 0;
}

/* Whether one of the device's credentials signed it. */
static int
check_signature(
	struct registry *r, int64_t device, const struct jwt *jwt, time_t now, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int tried = 0, expired = 0;
	bool row;

	if (db_prepare(r, "SELECT id, pem, expires FROM credentials WHERE device = ?", &q, f, "i",
		    device))
		return -1;
	for (;;) {
		int64_t expires;
		EVP_PKEY *key;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		expires = sqlite3_column_int64(q, 2);
		if (expires && expires <= (int64_t)now) {
			expired++;
			continue;
		}
		tried++;
		if (key_of(r, sqlite3_column_int64(q, 0), db_text(q, 1), &key, NULL) == 0 &&
			jwt_verify(jwt, key, NULL) == 0)
			return 0;
	}
	return fault_set(f, FAULT_AUTH,
		"the token is signed by none of the device's %d credentials (%d have expired)",
		tried, expired);
}

int
registry_admit(struct registry *registry, const char *client_id, const char *token, size_t len,
	time_t now, struct registry_admission *ret_admission, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(jwt_clear) struct jwt jwt = {0};
	struct registry_admission admission = {0};
	const struct rules_client *c = &admission.client;
	bool row, blocked;

	if (rules_parse_client_id(client_id, &admission.client, f))
		return -1;
	if (db_prepare(registry,
		    "SELECT d.id, d.num_id, d.blocked, r.id FROM devices d"
		    " JOIN registries r ON d.registry = r.id"
		    " WHERE r.project = ? AND r.region = ? AND r.name = ? AND d.name = ?",
		    &q, f, "tttt", c->project, c->region, c->registry, c->device) ||
		db_step(registry, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_AUTH, "no such device");
	admission.device_row = sqlite3_column_int64(q, 0);
	admission.device_num_id = sqlite3_column_int64(q, 1);
	blocked = sqlite3_column_int(q, 2);
	admission.registry_row = sqlite3_column_int64(q, 3);
	if (blocked)
		return fault_set(f, FAULT_AUTH, "the device is blocked");
	if (jwt_parse(token, len, &jwt, f)) {
		if (f && f->code == FAULT_INVALID)
			f->code = FAULT_AUTH;
		return -1;
	}
	if (rules_check_claims(jwt.claims, c->project, now, &admission.until, f) ||
		check_signature(registry, admission.device_row, &jwt, now, f))
		return -1;
	*ret_admission = admission;
	return 0;
}

int
registry_may_stay(struct registry *registry, int64_t device_row, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(
		    registry, "SELECT blocked FROM devices WHERE id = ?", &q, f, "i", device_row) ||
		db_step(registry, q, &row, f))
		return -1;
	if (!row)
		return fault_set(f, FAULT_AUTH, "the device was deleted");
	if (sqlite3_column_int(q, 0))
		return fault_set(f, FAULT_AUTH, "the device is blocked");
	return 0;
}
