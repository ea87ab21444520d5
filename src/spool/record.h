/* record: a message as bytes of a segment, and back. Pure. */
#ifndef SPOOL_RECORD_H
#define SPOOL_RECORD_H

#include "spool/spool.h"

/*
 * All numbers are little-endian:
 *
 *   0  magic, 4 bytes          24  payload's length, 4
 *   4  checksum of the rest,   28  topic's length, 2
 *      xor the segment's salt
 *   8  sequence number, 8      30  device's length, 1
 *  16  time in ms, 8           31  QoS, 1
 *  32  device, topic, payload; a NUL behind each of the first two
 */
#define RECORD_HEAD_LEN 32
#define RECORD_LEN_MAX \
	(RECORD_HEAD_LEN + SPOOL_DEVICE_MAX + 1 + SPOOL_TOPIC_MAX + 1 + SPOOL_PAYLOAD_MAX)

/* Returns 0; else FAULT_INVALID when a part of the message is out of bounds. */
int record_check(const struct spool_message *message, struct fault *f);

/* How long the record is of a message that record_check() took. */
size_t record_len(const struct spool_message *message);

/* Makes it; bytes has room for record_len(). */
void record_write(const struct spool_message *message, uint32_t salt, unsigned char *bytes);

enum record_state {
	RECORD_WHOLE,	/* there */
	RECORD_PARTIAL, /* its end is not there */
	RECORD_BAD,	/* not a record */
};

/*
 * Reads the record that bytes begin with.
 *
 * ret_message  points into the bytes
 * ret_len      the record's length, when it is whole
 */
enum record_state record_read(const unsigned char *bytes, size_t len, uint32_t salt,
	struct spool_message *ret_message, size_t *ret_len);

/* Where the next record may begin, behind the first byte; len when nowhere. */
size_t record_resync(const unsigned char *bytes, size_t len);

#endif
