#include "config.h"

#include "base/hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* Compiled into this file: a call into the shared library costs more than a short hash does. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_stable(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}

static unsigned char secret[XXH3_SECRET_DEFAULT_SIZE];

static void
make_secret(void)
{
	/* As glibc's arc4random() does: without random numbers no TLS or JWT works either. */
	if (getentropy(secret, sizeof(secret)))
		abort();
}

uint64_t
hash_secret(const void *bytes, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_secret);
	return XXH3_64bits_withSecret(bytes, len, secret, sizeof(secret));
}
