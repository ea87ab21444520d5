/* jwt: JSON Web Tokens in JWS compact form (RFC 7515, RFC 7519). */
#ifndef JWT_JWT_H
#define JWT_JWT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/auto.h"
#include "base/fault.h"

/* Characters a token may have; longer ones are refused before anything in them is read. */
#define JWT_MAX 16384

/* RFC 7518 section 3.1. */
enum jwt_alg { JWT_RS256, JWT_ES256, JWT_ES384 };

/* The name in a header's "alg". A static string. */
const char *jwt_alg_name(enum jwt_alg alg);

/*
 * The algorithm that goes with a key: RSA of 2048 bits and more RS256, P-256 ES256, P-384 ES384.
 *
 * Returns 0; else FAULT_INVALID when no algorithm fits the key.  Threads: any.
 */
int jwt_alg_of_key(EVP_PKEY *key, enum jwt_alg *ret_alg, struct fault *f);

/*
 * Makes a token.
 *
 * header     members beside "alg" and "typ"; an object, or NULL; "alg" in it is refused
 * claims     the claims set; an object
 * key        signs; not consumed; its one signature may take a TPM seconds
 * ret_token  receives the token, a secret; free with secret_free()
 *
 * Returns 0; else FAULT_INVALID for a key without an algorithm, a claims set that is no object or
 * a token over JWT_MAX; FAULT_CRYPTO (or what the token's key reports) when signing fails;
 * FAULT_NOMEM.  Blocks: while the key signs.  Threads: any; one at a time for one key.
 */
int jwt_sign(const json_t *header, const json_t *claims, EVP_PKEY *key, char **ret_token,
	struct fault *f);

/*
 * A token taken apart, nothing in it believed yet.
 *
 * alg     from the header: one of ours, never "none", never a MAC
 * header  the header, an object
 * claims  the claims set, an object
 * the rest is private to jwt/
 */
struct jwt {
	enum jwt_alg alg;
	json_t *header;
	json_t *claims;
	char *signing_input;
	size_t signing_input_len;
	unsigned char signature[1024];
	size_t signature_len;
};

/*
 * Takes a token apart: three parts of canonical base64url and nothing else, header and claims JSON
 * objects without duplicate members, "alg" one of enum jwt_alg, no "crit".
 *
 * text     the token; not NUL-terminated; need not be trusted
 * strict   as RFC 7515 has it: no part may have padding; without it, each may have the right one
 * ret_jwt  receives the token; empty it with jwt_clear()
 *
 * Returns 0; else FAULT_INVALID with the reason (never a piece of the token), FAULT_NOMEM.
 * Threads: any.
 */
int jwt_parse(const char *text, size_t len, bool strict, struct jwt *ret_jwt, struct fault *f);

/*
 * Checks the signature with one public key.
 *
 * Returns 0 when the signature is the key's; else FAULT_AUTH (also when the key is not of the
 * algorithm in the header: a token never chooses how its key is used).  Threads: any.
 */
int jwt_verify(const struct jwt *jwt, EVP_PKEY *key, struct fault *f);

/* Frees what a parsed token owns and leaves it empty. An all-zero one is allowed. */
void jwt_clear(struct jwt *jwt);

static inline void
auto_json(json_t **variable)
{
	json_decref(*variable);
}

#endif
