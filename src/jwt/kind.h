/* kind: what each algorithm asks of its key and its signature (RFC 7518 section 3). Private. */
#ifndef JWT_KIND_H
#define JWT_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/evp.h>

#include "jwt/jwt.h"

/*
 * name   in "alg"
 * type   EVP_PKEY_RSA or EVP_PKEY_EC
 * group  OpenSSL's name of the curve; NULL for RSA
 * half   bytes of r, and of s; 0 for RSA, whose signature is as long as its modulus
 */
struct jwt_kind {
	const char *name;
	int type;
	const char *group;
	size_t half;
	const EVP_MD *(*digest)(void);
};

#define JWT_KINDS 3

extern const struct jwt_kind jwt_kinds[JWT_KINDS];

/* Whether a key is of this kind. */
bool jwt_kind_fits(const struct jwt_kind *kind, const EVP_PKEY *key);

#endif
