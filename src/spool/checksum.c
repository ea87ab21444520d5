#include "config.h"

#include "spool/checksum.h"

#include "base/hash.h"

uint32_t
checksum(const void *bytes, size_t len)
{
	return (uint32_t)hash_stable(bytes, len);
}
