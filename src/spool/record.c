#include "config.h"

#include "spool/record.h"

#include <endian.h>
#include <string.h>

#include "spool/checksum.h"

#define MAGIC	  "\xb1RC1"
#define MAGIC_LEN 4

static void
put16(unsigned char *at, uint16_t value)
{
	value = htole16(value);
	memcpy(at, &value, sizeof(value));
}

static void
put32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static void
put64(unsigned char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static uint16_t
get16(const unsigned char *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return le16toh(value);
}

static uint32_t
get32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static uint64_t
get64(const unsigned char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

int
record_check(const struct spool_message *m, struct fault *f)
{
	if (strnlen(m->device, SPOOL_DEVICE_MAX + 1) > SPOOL_DEVICE_MAX)
		return fault_set(f, FAULT_INVALID, "a device's name of more than %d bytes",
			SPOOL_DEVICE_MAX);
	if (strnlen(m->topic, SPOOL_TOPIC_MAX + 1) > SPOOL_TOPIC_MAX)
		return fault_set(
			f, FAULT_INVALID, "a topic of more than %d bytes", SPOOL_TOPIC_MAX);
	if (m->len > SPOOL_PAYLOAD_MAX)
		return fault_set(f, FAULT_INVALID, "a payload of %zu bytes is over the limit of %d",
			m->len, SPOOL_PAYLOAD_MAX);
	return 0;
}

size_t
record_len(const struct spool_message *m)
{
	return RECORD_HEAD_LEN + strlen(m->device) + 1 + strlen(m->topic) + 1 + m->len;
}

void
record_write(const struct spool_message *m, uint32_t salt, unsigned char *bytes)
{
	size_t device_len = strlen(m->device), topic_len = strlen(m->topic);
	unsigned char *at = bytes + RECORD_HEAD_LEN;

	memcpy(bytes, MAGIC, MAGIC_LEN);
	put64(bytes + 8, m->seq);
	put64(bytes + 16, (uint64_t)m->time_ms);
	put32(bytes + 24, (uint32_t)m->len);
	put16(bytes + 28, (uint16_t)topic_len);
	bytes[30] = (unsigned char)device_len;
	bytes[31] = (unsigned char)m->qos;
	at = mempcpy(at, m->device, device_len + 1);
	at = mempcpy(at, m->topic, topic_len + 1);
	if (m->len)
		at = mempcpy(at, m->payload, m->len);
	put32(bytes + 4, checksum(bytes + 8, (size_t)(at - bytes) - 8) ^ salt);
}

/* No byte may be other than a record has it, as far as there are any. */
static enum record_state
read_short(const unsigned char *bytes, size_t len)
{
	return memcmp(bytes, MAGIC, len < MAGIC_LEN ? len : MAGIC_LEN) ? RECORD_BAD
								       : RECORD_PARTIAL;
}

enum record_state
record_read(const unsigned char *bytes, size_t len, uint32_t salt,
	struct spool_message *ret_message, size_t *ret_len)
{
	size_t device_len, topic_len, payload_len, whole;
	const char *device, *topic;

	if (len < RECORD_HEAD_LEN)
		return read_short(bytes, len);
	device_len = bytes[30];
	topic_len = get16(bytes + 28);
	payload_len = get32(bytes + 24);
	if (memcmp(bytes, MAGIC, MAGIC_LEN) != 0 || payload_len > SPOOL_PAYLOAD_MAX ||
		bytes[31] > 2)
		return RECORD_BAD;
	whole = RECORD_HEAD_LEN + device_len + 1 + topic_len + 1 + payload_len;
	if (len < whole)
		return RECORD_PARTIAL;
	device = (const char *)bytes + RECORD_HEAD_LEN;
	topic = device + device_len + 1;
	if ((checksum(bytes + 8, whole - 8) ^ salt) != get32(bytes + 4) ||
		strnlen(device, device_len + 1) != device_len ||
		strnlen(topic, topic_len + 1) != topic_len)
		return RECORD_BAD;
	*ret_message = (struct spool_message){
		.seq = get64(bytes + 8),
		.time_ms = (int64_t)get64(bytes + 16),
		.qos = bytes[31],
		.device = device,
		.topic = topic,
		.payload = topic + topic_len + 1,
		.len = payload_len,
	};
	*ret_len = whole;
	return RECORD_WHOLE;
}

size_t
record_resync(const unsigned char *bytes, size_t len)
{
	for (size_t at = 1; at < len; at++) {
		const unsigned char *found = memchr(bytes + at, MAGIC[0] & 0xff, len - at);

		if (!found)
			return len;
		at = (size_t)(found - bytes);
		if (read_short(found, len - at) == RECORD_PARTIAL)
			return at;
	}
	return len;
}
