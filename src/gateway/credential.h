/* credential: the JSON Web Token that the token's key signs. */
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "base/fault.h"
#include "gateway/settings.h"

/*
 * jwt      a secret; NULL before the first
 * expires  Unix seconds
 * took_us  what signing took, login and all, in microseconds
 * certificate_ends  of the one beside the key, Unix seconds; 0: there is none, -1: it could not be
 *                   read
 */
struct credential {
	char *jwt;
	time_t issued, expires;
	int64_t took_us;
	time_t certificate_ends;
};

/*
 * Makes the header and the claims that a JSON Web Token has by the settings.
 *
 * now                     when it is issued, Unix seconds
 * ret_header, ret_claims  free with json_decref()
 *
 * Returns 0; else as jwt_claims(), FAULT_USAGE with the place of a claim or header that cannot be
 * in a token, FAULT_NOMEM.  Threads: any.
 */
int credential_compose(const struct gateway_settings *settings, time_t now, json_t **ret_header,
	json_t **ret_claims, struct fault *f);

/*
 * Signs one.
 *
 * key  its URI
 * ret  receives it; empty it with credential_clear()
 * f    not NULL
 *
 * Returns 0; else as token_use_key(), credential_compose() and jwt_sign().
 * Blocks: on the token, for seconds perhaps.  Threads: one at a time for a process.
 */
int credential_sign(const struct gateway_settings *settings, const char *key,
	struct credential *ret, struct fault *f);

void credential_clear(struct credential *credential);

#endif
