/* soft-client: what a device or a gateway sends to be let into the tests' registry. */
#ifndef TESTS_UNIT_SOFT_CLIENT_H
#define TESTS_UNIT_SOFT_CLIENT_H

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "registry/registry.h"
#include "unit.h"

#define NOW    1800000000
#define CLIENT "projects/p/locations/r/registries/reg/devices/"

/* A token that the key signed at this time; the header may be NULL. The caller frees it. */
static inline char *
make_jwt(const json_t *header, EVP_PKEY *key, time_t now)
{
	struct fault f = FAULT_INIT;
	json_t *claims;
	char *token;

	assert_ok(jwt_claims("p", 3600, now, &claims, &f), &f);
	assert_ok(jwt_sign(header, claims, key, &token, &f), &f);
	json_decref(claims);
	return token;
}

/* A CONNECT with a token that the key signed; the header may be NULL. */
static inline int
connect_with(struct registry *broker, const char *device, const json_t *header, EVP_PKEY *key,
	struct registry_admission *ret, struct fault *f)
{
	char *token = make_jwt(header, key, NOW);
	char client_id[512];
	int rc;

	snprintf(client_id, sizeof(client_id), CLIENT "%s", device);
	rc = registry_admit(broker, client_id, token, strlen(token), NOW, ret, f);
	secret_free(token);
	return rc;
}

#endif
