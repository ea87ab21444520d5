#include "config.h"

#include "pki/crl.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

/*
 * issuer       a hash of the issuer's name
 * next_update  0 when the list does not say
 * signer       the key of the CA that signed it; NULL while the list does not count
 */
struct list {
	X509_CRL *crl;
	unsigned long issuer;
	time_t next_update;
	EVP_PKEY *signer;
};

struct crls {
	struct list *lists;
	size_t n;
	STACK_OF(X509) * cas;
};

static void
free_infos(STACK_OF(X509_INFO) * *infos)
{
	sk_X509_INFO_pop_free(*infos, X509_INFO_free);
}

static int
no_passphrase(char *buffer, int size, int writing, void *with)
{
	(void)buffer, (void)size, (void)writing, (void)with;
	return -1;
}

static time_t
seconds(const ASN1_TIME *at)
{
	struct tm tm;

	return at && ASN1_TIME_to_tm(at, &tm) ? timegm(&tm) : 0;
}

static int
add_list(struct crls *crls, X509_CRL *crl, struct fault *f)
{
	struct list *list = &crls->lists[crls->n];
	int ok;

	if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
		return fault_set(f, FAULT_INVALID,
			"it holds a delta CRL, which only amends another: put in the complete one");
	list->issuer = X509_NAME_hash_ex(X509_CRL_get_issuer(crl), NULL, NULL, &ok);
	if (!ok || !X509_CRL_up_ref(crl))
		return fault_nomem(f);
	list->crl = crl;
	list->next_update = seconds(X509_CRL_get0_nextUpdate(crl));
	crls->n++;
	return 0;
}

static int
add(struct crls *crls, const X509_INFO *info, struct fault *f)
{
	if (info->crl && add_list(crls, info->crl, f))
		return -1;
	if (info->x509) {
		if (!sk_X509_push(crls->cas, info->x509))
			return fault_nomem(f);
		X509_up_ref(info->x509);
	}
	return 0;
}

int
crls_read(const char *data, size_t len, struct crls **ret_crls, struct fault *f)
{
	AUTO(auto_bio) BIO *bio = NULL;
	AUTO(free_infos) STACK_OF(X509_INFO) *infos = NULL;
	AUTO(auto_crls) struct crls *crls = calloc(1, sizeof(*crls));

	if (len > CRL_MAX)
		return fault_set(f, FAULT_INVALID,
			"larger than a file of revocation lists may be (%d bytes)", CRL_MAX);
	bio = BIO_new_mem_buf(data, (int)len);
	if (!bio || !crls)
		return fault_nomem(f);
	infos = PEM_X509_INFO_read_bio(bio, NULL, no_passphrase, NULL);
	if (!infos)
		return fault_openssl(f, FAULT_INVALID, "the revocation lists are damaged");
	ERR_clear_error();
	crls->lists = calloc((size_t)sk_X509_INFO_num(infos) + 1, sizeof(*crls->lists));
	crls->cas = sk_X509_new_null();
	if (!crls->lists || !crls->cas)
		return fault_nomem(f);
	for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
		if (add(crls, sk_X509_INFO_value(infos, i), f))
			return -1;
	}
	if (crls->n == 0)
		return fault_set(f, FAULT_INVALID, "no revocation list (X509 CRL) in PEM");
	crls_distrust(crls);
	*ret_crls = TAKE(crls);
	return 0;
}

void
crls_free(struct crls *crls)
{
	if (!crls)
		return;
	for (size_t i = 0; i < crls->n; i++) {
		X509_CRL_free(crls->lists[i].crl);
		EVP_PKEY_free(crls->lists[i].signer);
	}
	free(crls->lists);
	sk_X509_pop_free(crls->cas, X509_free);
	free(crls);
}

void
crls_trust(struct crls *crls, X509 *ca)
{
	EVP_PKEY *key = X509_get0_pubkey(ca);

	for (size_t i = 0; i < crls->n && key; i++) {
		struct list *list = &crls->lists[i];

		if (list->signer ||
			X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_subject_name(ca)) ||
			X509_CRL_verify(list->crl, key) != 1)
			continue;
		EVP_PKEY_up_ref(key);
		list->signer = key;
	}
	ERR_clear_error();
}

void
crls_distrust(struct crls *crls)
{
	for (size_t i = 0; i < crls->n; i++) {
		EVP_PKEY_free(crls->lists[i].signer);
		crls->lists[i].signer = NULL;
	}
	for (int i = 0; i < sk_X509_num(crls->cas); i++)
		crls_trust(crls, sk_X509_value(crls->cas, i));
}

size_t
crls_trusted(const struct crls *crls)
{
	size_t n = 0;

	for (size_t i = 0; i < crls->n; i++)
		n += crls->lists[i].signer != NULL;
	return n;
}

time_t
crls_next_update(const struct crls *crls)
{
	time_t first = 0;

	for (size_t i = 0; i < crls->n; i++) {
		const struct list *list = &crls->lists[i];

		if (list->signer && list->next_update && (!first || list->next_update < first))
			first = list->next_update;
	}
	return first;
}

int
crl_id_of(X509 *cert, struct crl_id *ret_id, struct fault *f)
{
	struct crl_id id;
	int ok;

	id.issuer = X509_NAME_hash_ex(X509_get_issuer_name(cert), NULL, NULL, &ok);
	id.serial = ASN1_INTEGER_dup(X509_get0_serialNumber(cert));
	if (!ok || !id.serial) {
		crl_id_clear(&id);
		return fault_nomem(f);
	}
	*ret_id = id;
	return 0;
}

void
crl_id_clear(struct crl_id *id)
{
	ASN1_INTEGER_free(id->serial);
	memset(id, 0, sizeof(*id));
}

static bool
may_hold(const struct list *list, const struct crl_id *id)
{
	X509_REVOKED *entry;

	/* 2 is an entry that takes a revocation back. */
	return list->signer && list->issuer == id->issuer &&
	       X509_CRL_get0_by_serial(list->crl, &entry, id->serial) == 1;
}

bool
crls_may_hold(const struct crls *crls, const struct crl_id *id)
{
	for (size_t i = 0; i < crls->n && id->serial; i++) {
		if (may_hold(&crls->lists[i], id))
			return true;
	}
	return false;
}

/* A CA of the same name may have given the same number to another certificate. */
bool
crls_hold(const struct crls *crls, X509 *cert)
{
	bool held = false;

	for (size_t i = 0; i < crls->n && !held; i++) {
		const struct list *list = &crls->lists[i];
		X509_REVOKED *entry;

		held = list->signer && X509_CRL_get0_by_cert(list->crl, &entry, cert) == 1 &&
		       X509_NAME_cmp(X509_CRL_get_issuer(list->crl), X509_get_issuer_name(cert)) ==
			       0 &&
		       X509_verify(cert, list->signer) == 1;
	}
	ERR_clear_error();
	return held;
}
