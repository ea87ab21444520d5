#include "config.h"

#include "mqtt/packet.h"

#include <stdbool.h>
#include <stdint.h>

#define N_PROPERTIES	 43
#define USER_PROPERTY	 38
#define SUBSCRIPTION_ID	 11
#define VARINT_MAX_BYTES 4
#define CODE_REFUSING	 0x80

/* What is left of a body; `bad` when more was asked of it. */
struct rest {
	const uint8_t *at;
	size_t len;
	bool bad;
};

enum kind { NONE, BYTE, TWO_BYTES, FOUR_BYTES, VARINT, STRING, TWO_STRINGS };

#define IN(type)   (1u << PACKET_##type)
#define IN_ANSWERS (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP) | IN(SUBACK) | IN(UNSUBACK))

/* MQTT 5 section 2.2.2.2: what each is, and where a broker may send it. */
static const struct {
	enum kind kind;
	unsigned in;
} properties[N_PROPERTIES] = {
	[1] = {BYTE, IN(PUBLISH)},
	[2] = {FOUR_BYTES, IN(PUBLISH)},
	[3] = {STRING, IN(PUBLISH)},
	[8] = {STRING, IN(PUBLISH)},
	[9] = {STRING, IN(PUBLISH)},
	[SUBSCRIPTION_ID] = {VARINT, IN(PUBLISH)},
	[17] = {FOUR_BYTES, IN(CONNACK)},
	[18] = {STRING, IN(CONNACK)},
	[19] = {TWO_BYTES, IN(CONNACK)},
	[21] = {STRING, IN(CONNACK)},
	[22] = {STRING, IN(CONNACK)},
	[26] = {STRING, IN(CONNACK)},
	[28] = {STRING, IN(CONNACK) | IN(DISCONNECT)},
	[31] = {STRING, IN(CONNACK) | IN(DISCONNECT) | IN_ANSWERS},
	[33] = {TWO_BYTES, IN(CONNACK)},
	[34] = {TWO_BYTES, IN(CONNACK)},
	[35] = {TWO_BYTES, IN(PUBLISH)},
	[36] = {BYTE, IN(CONNACK)},
	[37] = {BYTE, IN(CONNACK)},
	[USER_PROPERTY] = {TWO_STRINGS, IN(CONNACK) | IN(PUBLISH) | IN(DISCONNECT) | IN_ANSWERS},
	[39] = {FOUR_BYTES, IN(CONNACK)},
	[40] = {BYTE, IN(CONNACK)},
	[41] = {BYTE, IN(CONNACK)},
	[42] = {BYTE, IN(CONNACK)},
};

static void
skip(struct rest *rest, size_t n)
{
	rest->bad |= n > rest->len;
	if (rest->bad)
		return;
	rest->at += n;
	rest->len -= n;
}

static unsigned
number(struct rest *rest, size_t bytes)
{
	const uint8_t *at = rest->at;
	unsigned n = 0;

	skip(rest, bytes);
	for (size_t i = 0; !rest->bad && i < bytes; i++)
		n = n << 8 | at[i];
	return n;
}

static unsigned
varint(struct rest *rest)
{
	unsigned n = 0, digit = 0x80;

	for (unsigned i = 0; digit & 0x80 && !rest->bad; i++) {
		digit = number(rest, 1);
		rest->bad |= i >= VARINT_MAX_BYTES;
		n |= (digit & 0x7f) << (i < VARINT_MAX_BYTES ? 7 * i : 0);
	}
	return n;
}

static void
skip_string(struct rest *rest)
{
	skip(rest, number(rest, 2));
}

static void
skip_value(struct rest *rest, enum kind kind)
{
	switch (kind) {
	case NONE:
		rest->bad = true;
		break;
	case BYTE:
		skip(rest, 1);
		break;
	case TWO_BYTES:
		skip(rest, 2);
		break;
	case FOUR_BYTES:
		skip(rest, 4);
		break;
	case VARINT:
		varint(rest);
		break;
	case TWO_STRINGS:
		skip_string(rest);
		skip_string(rest);
		break;
	case STRING:
		skip_string(rest);
		break;
	}
}

/* Each property once, but for the two that may come more often, and nothing behind the last. */
static void
skip_properties(struct rest *rest, unsigned type)
{
	unsigned len = varint(rest);
	struct rest own = {rest->at, len, false};
	uint64_t seen = 0;

	skip(rest, len);
	while (!rest->bad && own.len) {
		unsigned id = varint(&own);
		bool again = id != USER_PROPERTY && id != SUBSCRIPTION_ID;

		if (id >= N_PROPERTIES || !(properties[id].in & 1u << type) ||
			(again && seen & UINT64_C(1) << id)) {
			rest->bad = true;
			return;
		}
		seen |= UINT64_C(1) << id;
		skip_value(&own, properties[id].kind);
		rest->bad |= own.bad;
	}
}

static void
check_connack(int version, struct rest *rest)
{
	skip(rest, 2);
	if (version == 5)
		skip_properties(rest, PACKET_CONNACK);
}

/* Topic, id, properties; what is left is the payload. */
static void
check_publish(int version, unsigned qos, struct rest *rest)
{
	rest->bad = qos > 2;
	skip_string(rest);
	if (qos)
		skip(rest, 2);
	if (version == 5)
		skip_properties(rest, PACKET_PUBLISH);
	rest->len = 0;
}

/* From MQTT 5 on a code and properties may follow the id, or be all there is. */
static void
check_short(int version, unsigned type, size_t id_len, struct rest *rest)
{
	skip(rest, id_len);
	if (version != 5 || !rest->len)
		return;
	skip(rest, 1);
	if (rest->len)
		skip_properties(rest, type);
}

static void
check_suback(int version, struct rest *rest, struct packet_suback *ret)
{
	skip(rest, 2);
	if (version == 5)
		skip_properties(rest, PACKET_SUBACK);
	rest->bad |= !rest->len;
	*ret = (struct packet_suback){0};
	while (rest->len && !rest->bad) {
		int code = (int)number(rest, 1);

		rest->bad =
			code > 2 && (version == 5 ? code < CODE_REFUSING : code != CODE_REFUSING);
		ret->n++;
		if (code > ret->worst)
			ret->worst = code;
	}
}

static void
check_unsuback(int version, struct rest *rest)
{
	skip(rest, 2);
	if (version != 5)
		return;
	skip_properties(rest, PACKET_UNSUBACK);
	rest->bad |= !rest->len;
	rest->len = 0;
}

const char *
packet_check(int version, unsigned char first, const void *body, size_t len,
	struct packet_suback *ret_suback)
{
	static const char *const names[PACKET_TYPES] = {
		[PACKET_CONNACK] = "a CONNACK that is malformed",
		[PACKET_PUBLISH] = "a PUBLISH that is malformed",
		[PACKET_PUBACK] = "a PUBACK that is malformed",
		[PACKET_PUBREC] = "a PUBREC that is malformed",
		[PACKET_PUBREL] = "a PUBREL that is malformed",
		[PACKET_PUBCOMP] = "a PUBCOMP that is malformed",
		[PACKET_SUBACK] = "a SUBACK that is malformed",
		[PACKET_UNSUBACK] = "an UNSUBACK that is malformed",
		[PACKET_PINGRESP] = "a PINGRESP that is malformed",
		[PACKET_DISCONNECT] = "a DISCONNECT that is malformed",
	};
	struct rest rest = {body, len, false};
	unsigned type = first >> 4;

	if (!names[type] || (type == PACKET_DISCONNECT && version != 5))
		return "a packet that no broker sends us";
	switch (type) {
	case PACKET_CONNACK:
		if (version == 5 && len == 2)
			return "a CONNACK of MQTT 3.1.1: it does not speak MQTT 5: set "
			       "mqtt-version = "
			       "3.1.1";
		check_connack(version, &rest);
		break;
	case PACKET_PUBLISH:
		check_publish(version, first >> 1 & 3, &rest);
		break;
	case PACKET_SUBACK:
		check_suback(version, &rest, ret_suback);
		break;
	case PACKET_UNSUBACK:
		check_unsuback(version, &rest);
		break;
	case PACKET_PINGRESP:
		break;
	case PACKET_DISCONNECT:
		check_short(version, type, 0, &rest);
		break;
	default:
		check_short(version, type, 2, &rest);
		break;
	}
	return rest.bad || rest.len ? names[type] : NULL;
}
