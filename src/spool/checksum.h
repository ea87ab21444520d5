/* checksum: the checksum in the spool's files: the lower 32 bits of hash_stable(). */
#ifndef SPOOL_CHECKSUM_H
#define SPOOL_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint32_t checksum(const void *bytes, size_t len);

#endif
