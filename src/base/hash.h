/* hash: fast hashes of bytes, for file formats and for tables; alone knows xxhash. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * The hash that a file format may contain: XXH3 of 64 bits without a secret, which is the same on
 * every machine and in every version. It detects damage, not intent.
 *
 * Threads: any.
 */
uint64_t hash_stable(const void *bytes, size_t len);

/*
 * The hash for tables: XXH3 with a random secret of this process. Others cannot choose bytes whose
 * hashes collide, as long as they do not see the hashes: never show or store one.
 *
 * Ends the process if the kernel has no random numbers.  Threads: any.
 */
uint64_t hash_secret(const void *bytes, size_t len);

#endif
