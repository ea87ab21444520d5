/* cas: the certificates of a registry's CAs. Private. */
#ifndef REGISTRY_CAS_H
#define REGISTRY_CAS_H

#include "registry/db.h"
#include "registry/store.h"

/*
 * Adds a CA within the caller's transaction.
 *
 * Returns 0; else FAULT_INVALID when it is no CA's certificate that is valid now, FAULT_EXISTS when
 * the registry has it, FAULT_USAGE when it has too many.
 */
int cas_add(struct registry *r, int64_t registry, const char *pem, time_t now, struct fault *f);

/* The registry's CAs as REST's RegistryCredential. */
int cas_list(struct registry *r, int64_t registry, json_t **ret, struct fault *f);

#endif
