#include "config.h"

#include "site/frame.h"

#include <string.h>

/*
 * Little-endian: 4 bytes how much follows, 1 kind, 1 flags, 2 length of the device, 2 of the topic,
 * 2 of nothing; then the device and a NUL, the topic and a NUL, the payload.
 */
#define BEHIND_LENGTH (FRAME_HEAD - 4)

#define FLAG_QOS_1  0x01
#define FLAG_RETAIN 0x02
#define FLAGS	    (FLAG_QOS_1 | FLAG_RETAIN)

static void
put(uint8_t *to, size_t n, uint32_t value)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t
get(const uint8_t *from, size_t n)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint32_t)from[i] << (8 * i);
	return value;
}

size_t
frame_size(const struct frame *frame)
{
	size_t device_len = strlen(frame->device), topic_len = strlen(frame->topic);

	if (device_len > FRAME_DEVICE_MAX || topic_len > FRAME_TOPIC_MAX ||
		frame->len > FRAME_PAYLOAD_MAX)
		return 0;
	return FRAME_HEAD + device_len + 1 + topic_len + 1 + frame->len;
}

void
frame_write(const struct frame *frame, uint8_t *to)
{
	size_t device_len = strlen(frame->device), topic_len = strlen(frame->topic);

	put(to, 4, (uint32_t)(frame_size(frame) - 4));
	to[4] = (uint8_t)frame->kind;
	to[5] = (uint8_t)((frame->qos > 0 ? FLAG_QOS_1 : 0) | (frame->retain ? FLAG_RETAIN : 0));
	put(to + 6, 2, (uint32_t)device_len);
	put(to + 8, 2, (uint32_t)topic_len);
	put(to + 10, 2, 0);
	to += FRAME_HEAD;
	memcpy(to, frame->device, device_len + 1);
	memcpy(to + device_len + 1, frame->topic, topic_len + 1);
	if (frame->len)
		memcpy(to + device_len + 1 + topic_len + 1, frame->payload, frame->len);
}

/* A part and its NUL, which is the only one in it; NULL when it is not so. */
static const char *
text_at(const uint8_t *from, size_t len)
{
	return memchr(from, '\0', len + 1) == from + len ? (const char *)from : NULL;
}

int
frame_read(const uint8_t *data, size_t len, struct frame *ret, size_t *ret_used, struct fault *f)
{
	size_t size, device_len, topic_len, payload_at;
	struct frame frame;

	*ret_used = 0;
	if (len < FRAME_HEAD)
		return 0;
	device_len = get(data + 6, 2);
	topic_len = get(data + 8, 2);
	size = (size_t)get(data, 4) + 4;
	payload_at = FRAME_HEAD + device_len + 1 + topic_len + 1;
	if (size > FRAME_MAX || size < payload_at || device_len > FRAME_DEVICE_MAX ||
		size - payload_at > FRAME_PAYLOAD_MAX || data[4] < FRAME_HELLO ||
		data[4] > FRAME_REFUSING || data[5] & ~FLAGS || get(data + 10, 2))
		return fault_set(f, FAULT_INVALID,
			"what came over the site's socket is nothing that this version knows");
	if (len < size)
		return 0;
	frame = (struct frame){
		.kind = (enum frame_kind)data[4],
		.qos = data[5] & FLAG_QOS_1 ? 1 : 0,
		.retain = data[5] & FLAG_RETAIN,
		.device = text_at(data + FRAME_HEAD, device_len),
		.topic = text_at(data + FRAME_HEAD + device_len + 1, topic_len),
		.payload = data + payload_at,
		.len = size - payload_at,
	};
	if (!frame.device || !frame.topic)
		return fault_set(f, FAULT_INVALID, "a name from the site's socket has a NUL in it");
	*ret = frame;
	*ret_used = size;
	return 0;
}
