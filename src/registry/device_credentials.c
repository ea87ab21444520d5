#include "config.h"

#include "registry/credentials.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "pki/describe.h"
#include "pki/key.h"
#include "registry/look.h"
#include "registry/note.h"

int
store_credential_create(struct registry *r, const struct rules_client *at,
	const struct store_credential *credential, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry, device;

	(void)open;
	if (db_begin(r, f) || look_registry(r, at, &registry, f) ||
		look_device(r, at, at->device, &device, f) ||
		credentials_add(r, registry, device, credential, now, f) ||
		note(r, at, device, "credential added", f, "type=%s", credential->type))
		return -1;
	return db_commit(r, f);
}

/* What a credential is, for people: nobody reads PEM. */
static int
add_details(json_t *about, const char *pem, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	json_t *details;
	char kind[32];

	if (!strstr(pem, "BEGIN CERTIFICATE")) {
		if (key_read_public(pem, strlen(pem), &key, f))
			return -1;
		details = json_pack("{s:s}", "key", key_describe(key, kind, sizeof(kind)));
		return json_object_set_new(about, "keyDetails", details) ? fault_nomem(f) : 0;
	}
	if (cert_read(pem, strlen(pem), &cert, f) || cert_describe(cert, time(NULL), &details, f))
		return -1;
	return json_object_set_new(about, "x509Details", details) ? fault_nomem(f) : 0;
}

int
store_credential_list(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	int64_t device;
	char expires[32];
	bool row;

	if (!list)
		return fault_nomem(f);
	if (look_device(r, at, at->device, &device, f) ||
		db_prepare(r,
			"SELECT format, pem, expires FROM credentials WHERE device = ?"
			" ORDER BY id",
			&q, f, "i", device))
		return -1;
	for (;;) {
		json_t *about;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		look_time(sqlite3_column_int64(q, 2), expires, sizeof(expires));
		about = json_pack("{s:{s:s, s:s}}", "publicKey", "format", db_text(q, 0), "key",
			db_text(q, 1));
		if (look_append(list, about, f) || add_details(about, db_text(q, 1), f))
			return -1;
		if (*expires && json_object_set_new(about, "expirationTime", json_string(expires)))
			return fault_nomem(f);
	}
	*ret = TAKE(list);
	return 0;
}

static int
no_credential(const struct rules_client *at, long index, struct fault *f)
{
	return fault_set(f, FAULT_NOTFOUND,
		"device '%s' has no credential %ld: see 'devices "
		"credentials list'",
		at->device, index);
}

int
store_credential_update(struct registry *r, const struct rules_client *at, long index,
	time_t expires, time_t now, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	char time[32];
	int64_t device;

	(void)open;
	if (expires <= now)
		return fault_set(f, FAULT_INVALID,
			"the expiration time is in the past: delete the credential to end it now");
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_run(r,
			"UPDATE credentials SET expires = ? WHERE id = (SELECT id FROM credentials"
			" WHERE device = ? ORDER BY id LIMIT 1 OFFSET ?)",
			f, "iii", (int64_t)expires, device, (int64_t)index))
		return -1;
	if (sqlite3_changes(r->db) == 0)
		return no_credential(at, index, f);
	if (note(r, at, device, "credential updated", f, "index=%ld expires=%s", index,
		    look_time(expires, time, sizeof(time))))
		return -1;
	return db_commit(r, f);
}

int
store_credential_delete(
	struct registry *r, const struct rules_client *at, long index, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t device;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_run(r,
			"DELETE FROM credentials WHERE id = (SELECT id FROM credentials"
			" WHERE device = ? ORDER BY id LIMIT 1 OFFSET ?)",
			f, "ii", device, (int64_t)index))
		return -1;
	if (sqlite3_changes(r->db) == 0)
		return no_credential(at, index, f);
	if (note(r, at, device, "credential deleted", f, "index=%ld", index))
		return -1;
	return db_commit(r, f);
}

int
store_credential_clear(struct registry *r, const struct rules_client *at, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t device;

	(void)open;
	if (db_begin(r, f) || look_device(r, at, at->device, &device, f) ||
		db_run(r, "DELETE FROM credentials WHERE device = ?", f, "i", device) ||
		note(r, at, device, "credentials cleared", f, "%s", ""))
		return -1;
	return db_commit(r, f);
}
