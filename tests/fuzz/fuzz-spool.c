/* Fuzzes the spool's records: whatever a disk gives back is a message that was written, or none. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spool/record.h"
#include "spool/segment.h"

/* As a segment's head may have it: the seeds were written so. */
#define NO_SALT 0

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record that is read is the one that would be written for what was read. */
static void
check_whole(const uint8_t *data, size_t size, const struct spool_message *message, size_t len)
{
	static unsigned char again[RECORD_LEN_MAX];

	if (len > size || record_check(message, NULL) || record_len(message) != len)
		abort();
	record_write(message, NO_SALT, again);
	if (memcmp(again, data, len) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0, len, step;
	struct spool_message message;

	segment_check(data, size);
	while (at < size) {
		if (record_read(data + at, size - at, NO_SALT, &message, &len) == RECORD_WHOLE) {
			check_whole(data + at, size - at, &message, len);
			at += len;
			continue;
		}
		step = record_resync(data + at, size - at);
		if (step < 1 || step > size - at)
			abort();
		at += step;
	}
	return 0;
}
