/*
 * packet: whether what a broker sends is a packet of MQTT's: its length, its properties, its codes.
 * Pure. Private to mqtt/.
 */
#ifndef MQTT_PACKET_H
#define MQTT_PACKET_H

#include <stddef.h>

enum packet_type {
	PACKET_CONNECT = 1,
	PACKET_CONNACK,
	PACKET_PUBLISH,
	PACKET_PUBACK,
	PACKET_PUBREC,
	PACKET_PUBREL,
	PACKET_PUBCOMP,
	PACKET_SUBSCRIBE,
	PACKET_SUBACK,
	PACKET_UNSUBSCRIBE,
	PACKET_UNSUBACK,
	PACKET_PINGREQ,
	PACKET_PINGRESP,
	PACKET_DISCONNECT,
	PACKET_AUTH,
	PACKET_TYPES
};

/* What a SUBACK answers: how many codes it has, and the largest. */
struct packet_suback {
	int n, worst;
};

/*
 * Looks at a whole packet.
 *
 * version     4 or 5
 * first       its first byte
 * body        what follows its length
 * ret_suback  of a SUBACK that is one
 *
 * Returns NULL when it is one that a broker may send to us; else what it is, to be put behind "the
 * broker sends".
 * Source: MQTT 3.1.1 and MQTT 5, chapters 2 and 3.
 */
const char *packet_check(int version, unsigned char first, const void *body, size_t len,
	struct packet_suback *ret_suback);

#endif
