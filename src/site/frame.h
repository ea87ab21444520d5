/* frame: what the site's broker and a gateway say to each other, as bytes. Pure. */
#ifndef SITE_FRAME_H
#define SITE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* What both ends must agree on. */
#define FRAME_VERSION 2

/* Bytes that its parts may have. */
#define FRAME_DEVICE_MAX  255
#define FRAME_TOPIC_MAX	  65535
#define FRAME_PAYLOAD_MAX (256 * 1024)

/* Bytes a frame may have in all: its head, two NULs, its parts. */
#define FRAME_HEAD 12
#define FRAME_MAX  (FRAME_HEAD + 2 + FRAME_DEVICE_MAX + FRAME_TOPIC_MAX + FRAME_PAYLOAD_MAX)

enum frame_kind {
	FRAME_HELLO = 1, /* first from each end; the version is its payload's one byte */
	FRAME_PRESENT,	 /* broker: a device is there */
	FRAME_GONE,	 /* broker: it is not any more */
	FRAME_ATTACH,	 /* broker: a device asks to be attached, with this body */
	FRAME_DETACH,	 /* broker: it asks not to be */
	FRAME_DELIVER,	 /* gateway: publish this at the site */
	FRAME_REFUSING,	 /* broker: it accepts no messages, for this reason; none: it does again */
};

/*
 * device   "" for a FRAME_DELIVER that is for nobody in particular
 * topic    "" but for FRAME_DELIVER
 * qos      0..1, of FRAME_DELIVER
 * retain   of FRAME_DELIVER: the broker is to keep it for who subscribes later
 */
struct frame {
	enum frame_kind kind;
	int qos;
	bool retain;
	const char *device;
	const char *topic;
	const void *payload;
	size_t len;
};

/*
 * Bytes that a frame takes.
 *
 * Returns 0 when one of its parts is larger than it may be.
 */
size_t frame_size(const struct frame *frame);

/* Writes as many bytes as frame_size() says, which was not 0. */
void frame_write(const struct frame *frame, uint8_t *to);

/*
 * Reads the first frame of some bytes.
 *
 * ret       what it points to lies in the bytes
 * ret_used  bytes that it took; 0 when the bytes end before it does
 *
 * Returns 0; else FAULT_INVALID: what follows cannot be read either.  Threads: any.
 */
int frame_read(
	const uint8_t *data, size_t len, struct frame *ret, size_t *ret_used, struct fault *f);

#endif
