/* soft-key: software keys for tests of what takes an EVP_PKEY; made once, freed at exit. */
#ifndef TESTS_UNIT_SOFT_KEY_H
#define TESTS_UNIT_SOFT_KEY_H

#include <stdlib.h>

#include <openssl/evp.h>

#include "base/auto.h"

/* "P-256", "P-384", or RSA bits as text. Aborts when it cannot be made. */
static inline EVP_PKEY *
soft_key(const char *kind)
{
	EVP_PKEY *key =
		kind[0] == 'P' ? EVP_EC_gen(kind) : EVP_RSA_gen((unsigned)strtoul(kind, NULL, 10));

	if (!key)
		abort();
	return key;
}

#endif
