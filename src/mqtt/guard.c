#include "config.h"

#include "mqtt/guard.h"

#include "mqtt/stream.h"

#define MALFORMED 0x81

/* paho's: what makes a packet of bytes, by its type; NULL says that it is none. */
typedef void *make_packet(int version, unsigned char first, char *body, size_t len);
extern make_packet *new_packets[PACKET_TYPES];

static struct {
	make_packet *make[PACKET_TYPES];
	struct packet_suback suback;
	const char *what;
	bool at_connack;
} guard;

void
guard_refuse(const char *what)
{
	guard.what = what;
	stream_end();
}

static void *
look_at(int version, unsigned char first, char *body, size_t len)
{
	unsigned type = first >> 4;
	const char *what;

	guard.suback = (struct packet_suback){0};
	what = packet_check(version, first, body, len, &guard.suback);
	if (!what)
		return guard.make[type](version, first, body, len);
	guard.at_connack = type == PACKET_CONNACK;
	guard_refuse(what);
	return NULL;
}

void
guard_begin(void)
{
	guard.what = NULL;
	guard.at_connack = false;
	for (int i = 0; i < PACKET_TYPES; i++) {
		if (new_packets[i] == look_at)
			continue;
		guard.make[i] = new_packets[i];
		new_packets[i] = look_at;
	}
}

bool
guard_refused(struct fault *ret_why)
{
	if (!guard.what)
		return false;
	fault_set(ret_why, FAULT_NET, "the broker sends %s", guard.what);
	if (guard.at_connack)
		ret_why->native = MALFORMED;
	return true;
}

struct packet_suback
guard_suback(void)
{
	return guard.suback;
}
