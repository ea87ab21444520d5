/* cas: the certificates of a registry's CAs. Private. */
#ifndef REGISTRY_CAS_H
#define REGISTRY_CAS_H

#include <openssl/x509.h>

#include "registry/db.h"
#include "registry/store.h"

/*
 * Adds a CA within the caller's transaction.
 *
 * Returns 0; else FAULT_INVALID when it is no CA's certificate that is valid now, FAULT_EXISTS when
 * the registry has it, FAULT_USAGE when it has too many.
 */
int cas_add(struct registry *r, int64_t registry, const char *pem, time_t now, struct fault *f);

/*
 * Reads the certificates of a registry's CAs, in the order in which they were added.
 *
 * registry  its row, or 0 for the CAs of all registries, each once
 * ret_cas   free with sk_X509_pop_free(cas, X509_free)
 *
 * Returns 0; else FAULT_IO when the file fails, FAULT_NOMEM.
 */
int cas_read(struct registry *r, int64_t registry, STACK_OF(X509) * *ret_cas, struct fault *f);

/* The registry's CAs as REST's RegistryCredential. */
int cas_list(struct registry *r, int64_t registry, json_t **ret, struct fault *f);

#endif
