#include "config.h"

#include "base/hash.h"

/* Compiled into this file: a call into the shared library costs more than a short hash does. */
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t
hash_stable(const void *bytes, size_t len)
{
	return XXH3_64bits(bytes, len);
}
