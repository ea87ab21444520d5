#include "config.h"

#include "registry/cas.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "jwt/jwt.h"
#include "pki/cert.h"
#include "pki/describe.h"
#include "pki/verify.h"
#include "registry/look.h"
#include "registry/note.h"

static int
check_room(struct registry *r, int64_t registry, const char *pem, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r, "SELECT count(*), total(pem = ?2) FROM registry_cas WHERE registry = ?1",
		    &q, f, "it", registry, pem) ||
		db_step(r, q, &row, f))
		return -1;
	if (sqlite3_column_int(q, 1))
		return fault_set(f, FAULT_EXISTS, "the registry has this CA already");
	if (sqlite3_column_int(q, 0) >= RULES_REGISTRY_CAS_MAX)
		return fault_set(f, FAULT_USAGE, "a registry has at most %d CAs: delete one",
			RULES_REGISTRY_CAS_MAX);
	return 0;
}

int
cas_add(struct registry *r, int64_t registry, const char *pem, time_t now, struct fault *f)
{
	AUTO(auto_x509) X509 *ca = NULL;
	AUTO(auto_free) char *text = NULL;

	if (cert_read(pem, strlen(pem), &ca, f) || verify_ca(ca, now, f))
		return fault_prefix(f, "the CA is not accepted");
	if (cert_pem(ca, &text, f) || check_room(r, registry, text, f))
		return -1;
	return db_run(r,
		"INSERT INTO registry_cas (id, registry, pem)"
		" VALUES (" DB_NEW_ID("registry_cas") ", ?, ?)",
		f, "it", registry, text);
}

int
cas_read(struct registry *r, int64_t registry, STACK_OF(X509) * *ret_cas, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_certs) STACK_OF(X509) *cas = sk_X509_new_null();
	bool row;

	if (!cas)
		return fault_nomem(f);
	if (registry ? db_prepare(r, "SELECT pem FROM registry_cas WHERE registry = ? ORDER BY id",
			       &q, f, "i", registry)
		     : db_prepare(r, "SELECT DISTINCT pem FROM registry_cas", &q, f, ""))
		return -1;
	for (;;) {
		X509 *ca;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (cert_read(db_text(q, 0), strlen(db_text(q, 0)), &ca, f))
			return fault_prefix(f, "a registry's CA");
		if (!sk_X509_push(cas, ca)) {
			X509_free(ca);
			return fault_nomem(f);
		}
	}
	*ret_cas = TAKE(cas);
	return 0;
}

static int
ca_of(const char *pem, json_t **ret, struct fault *f)
{
	AUTO(auto_x509) X509 *ca = NULL;
	json_t *details;

	if (cert_read(pem, strlen(pem), &ca, f) || cert_describe(ca, time(NULL), &details, f))
		return -1;
	*ret = json_pack("{s:{s:s, s:s, s:o}}", "publicKeyCertificate", "format",
		"X509_CERTIFICATE_PEM", "certificate", pem, "x509Details", details);
	return *ret ? 0 : fault_nomem(f);
}

int
cas_list(struct registry *r, int64_t registry, json_t **ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	AUTO(auto_json) json_t *list = json_array();
	bool row;

	if (!list)
		return fault_nomem(f);
	if (db_prepare(r, "SELECT pem FROM registry_cas WHERE registry = ? ORDER BY id", &q, f, "i",
		    registry))
		return -1;
	for (;;) {
		json_t *ca;

		if (db_step(r, q, &row, f))
			return -1;
		if (!row)
			break;
		if (ca_of(db_text(q, 0), &ca, f) || look_append(list, ca, f))
			return -1;
	}
	*ret = TAKE(list);
	return 0;
}

int
store_ca_create(struct registry *r, const struct rules_client *at, const char *pem, time_t now,
	struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry;

	(void)open;
	if (db_begin(r, f) || look_registry(r, at, &registry, f) ||
		cas_add(r, registry, pem, now, f) || note(r, at, 0, "CA added", f, "%s", ""))
		return -1;
	return db_commit(r, f);
}

int
store_ca_list(struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f)
{
	int64_t registry;

	if (look_registry(r, at, &registry, f))
		return -1;
	return cas_list(r, registry, ret, f);
}

int
store_ca_delete(struct registry *r, const struct rules_client *at, long index, struct fault *f)
{
	AUTO(db_auto) struct registry *open = r;
	int64_t registry;

	(void)open;
	if (db_begin(r, f) || look_registry(r, at, &registry, f) ||
		db_run(r,
			"DELETE FROM registry_cas WHERE id = (SELECT id FROM registry_cas"
			" WHERE registry = ? ORDER BY id LIMIT 1 OFFSET ?)",
			f, "ii", registry, (int64_t)index))
		return -1;
	if (sqlite3_changes(r->db) == 0)
		return fault_set(f, FAULT_NOTFOUND, "registry '%s' has no credential %ld",
			at->registry, index);
	if (note(r, at, 0, "CA deleted", f, "index=%ld", index))
		return -1;
	return db_commit(r, f);
}
