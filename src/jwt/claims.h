/* claims: what goes into a token: the times, the audience, and what a user adds. */
#ifndef JWT_CLAIMS_H
#define JWT_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <jansson.h>

#include "base/fault.h"

/* A token's lifetime at most: what Cloud IoT Core takes. */
#define JWT_LIFETIME_MAX_S 86400

/* Whether the clock can be right: a device that booted without one is before 2024. */
bool jwt_clock_is_sane(time_t now);

/*
 * A claims set with aud, iat and exp.
 *
 * aud         the audience, UTF-8
 * lifetime_s  1..JWT_LIFETIME_MAX_S
 * now         Unix seconds
 * ret_claims  receives an object; free with json_decref()
 *
 * Returns 0; else FAULT_CONFIG when the clock is obviously wrong (before 2024: a device that booted
 * without one), FAULT_USAGE for an audience that is not UTF-8, FAULT_NOMEM.  Threads: any.
 */
int jwt_claims(const char *aud, long lifetime_s, time_t now, json_t **ret_claims, struct fault *f);

/*
 * Adds members written NAME=TEXT or NAME:=JSON.
 *
 * object  what they are added to; nothing is added when one of them is wrong
 *
 * Returns 0; else FAULT_USAGE naming the one that is wrong, or that is there already, FAULT_NOMEM.
 */
int jwt_members_add(json_t *object, char *const *items, size_t n, struct fault *f);

#endif
