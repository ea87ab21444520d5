/* credential: the JSON Web Token that the token's key signs. */
#ifndef GATEWAY_CREDENTIAL_H
#define GATEWAY_CREDENTIAL_H

#include <stdint.h>
#include <time.h>

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
 * Signs one.
 *
 * key  its URI
 * ret  receives it; empty it with credential_clear()
 *
 * Returns 0; else as token_use_key(), jwt_claims() and jwt_sign().
 * Blocks: on the token, for seconds perhaps.  Threads: one at a time for a process.
 */
int credential_sign(const struct gateway_settings *settings, const char *key,
	struct credential *ret, struct fault *f);

void credential_clear(struct credential *credential);

#endif
