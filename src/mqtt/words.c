#include "config.h"

#include "mqtt/words.h"

#include <stddef.h>

struct words {
	int code;
	enum fault_code fault;
	const char *text;
};

#define NOT_AUTHORISED \
	"not authorised: is the device registered with this key and not blocked, " \
	"are project, region and registry right, is the clock right?"

static const struct words connack_v4[] = {
	{1, FAULT_NET, "it does not speak MQTT 3.1.1: set mqtt-version = 5"},
	{2, FAULT_AUTH, "it does not take this client id"},
	{3, FAULT_NET, "it is not available now"},
	{4, FAULT_AUTH, "bad user name or password"},
	{5, FAULT_AUTH, NOT_AUTHORISED},
	{0, FAULT_NET, NULL},
};

static const struct words connack_v5[] = {
	{0x80, FAULT_NET, "an error it does not name"},
	{0x81, FAULT_NET, "a malformed packet"},
	{0x82, FAULT_NET, "a protocol error"},
	{0x83, FAULT_NET, "its own reason"},
	{0x84, FAULT_NET, "it does not speak MQTT 5: set mqtt-version = 3.1.1"},
	{0x85, FAULT_AUTH, "it does not take this client id"},
	{0x86, FAULT_AUTH, "bad user name or password"},
	{0x87, FAULT_AUTH, NOT_AUTHORISED},
	{0x88, FAULT_NET, "it is not available now"},
	{0x89, FAULT_NET, "it is busy"},
	{0x8a, FAULT_AUTH, "we are banned"},
	{0x8c, FAULT_AUTH, "bad authentication method"},
	{0x90, FAULT_NET, "it does not take the will's topic"},
	{0x95, FAULT_NET, "the packet is too large"},
	{0x97, FAULT_NET, "a quota is exceeded"},
	{0x99, FAULT_NET, "the will's format is invalid"},
	{0x9a, FAULT_NET, "it keeps no retained messages"},
	{0x9b, FAULT_NET, "it does not take the will's QoS"},
	{0x9c, FAULT_NET, "another server is to be used"},
	{0x9d, FAULT_NET, "the server has moved"},
	{0x9f, FAULT_NET, "too many connections"},
	{0, FAULT_NET, NULL},
};

static const struct words puback_v5[] = {
	{0x80, FAULT_NET, "an error it does not name"},
	{0x83, FAULT_NET, "its own reason"},
	{0x87, FAULT_AUTH, "not authorised for this topic"},
	{0x90, FAULT_AUTH, "it does not take this topic"},
	{0x91, FAULT_NET, "the packet id is in use"},
	{0x95, FAULT_NET, "it is larger than the broker takes"},
	{0x97, FAULT_NET, "a quota is exceeded"},
	{0x99, FAULT_NET, "the payload's format is invalid"},
	{0x9b, FAULT_NET, "the broker does not take this QoS"},
	{0, FAULT_NET, NULL},
};

static const struct words suback_v5[] = {
	{0x80, FAULT_AUTH, "not authorised, or a reason it does not name"},
	{0x83, FAULT_NET, "its own reason"},
	{0x87, FAULT_AUTH, "not authorised for this topic"},
	{0x8f, FAULT_AUTH, "it does not take this filter"},
	{0x91, FAULT_NET, "the packet id is in use"},
	{0x97, FAULT_NET, "a quota is exceeded"},
	{0x9e, FAULT_NET, "it takes no shared subscriptions"},
	{0xa1, FAULT_NET, "it takes no subscription identifiers"},
	{0xa2, FAULT_NET, "it takes no filters with wildcards"},
	{0, FAULT_NET, NULL},
};

static const struct words disconnect_v5[] = {
	{0x80, FAULT_NET, "an error it does not name"},
	{0x81, FAULT_NET, "a malformed packet"},
	{0x82, FAULT_NET, "a protocol error"},
	{0x83, FAULT_NET, "its own reason"},
	{0x87, FAULT_NET, "no longer authorised"},
	{0x89, FAULT_NET, "it is busy"},
	{0x8b, FAULT_NET, "it shuts down"},
	{0x8d, FAULT_NET, "it heard nothing for too long"},
	{0x8e, FAULT_NET, "another client came with our client id"},
	{0x8f, FAULT_NET, "it does not take a filter"},
	{0x90, FAULT_NET, "it does not take a topic"},
	{0x93, FAULT_NET, "more messages in flight than it takes"},
	{0x94, FAULT_NET, "it does not take a topic's alias"},
	{0x95, FAULT_NET, "a packet was too large"},
	{0x96, FAULT_NET, "messages come too fast"},
	{0x97, FAULT_NET, "a quota is exceeded"},
	{0x98, FAULT_NET, "its operator did so"},
	{0x99, FAULT_NET, "a payload's format is invalid"},
	{0x9a, FAULT_NET, "it keeps no retained messages"},
	{0x9b, FAULT_NET, "it does not take a message's QoS"},
	{0x9c, FAULT_NET, "another server is to be used"},
	{0x9d, FAULT_NET, "the server has moved"},
	{0x9e, FAULT_NET, "it takes no shared subscriptions"},
	{0x9f, FAULT_NET, "too many connections"},
	{0xa0, FAULT_NET, "the connection lasted as long as it may"},
	{0xa1, FAULT_NET, "it takes no subscription identifiers"},
	{0xa2, FAULT_NET, "it takes no filters with wildcards"},
	{0, FAULT_NET, NULL},
};

static int
say(const struct words *table, const char *what, int code, struct fault *f)
{
	const struct words *w = table;

	while (w->text && w->code != code)
		w++;
	fault_set(f, w->fault, "the broker %s (code %d): %s", what, code,
		w->text ? w->text : "a reason that is not known here");
	if (f)
		f->native = (unsigned long)code;
	return -1;
}

int
mqtt_fault_connack(int version, int code, struct fault *f)
{
	return say(version == 5 ? connack_v5 : connack_v4, "refuses the connection", code, f);
}

int
mqtt_fault_puback(int code, struct fault *f)
{
	return say(puback_v5, "refuses the message", code, f);
}

int
mqtt_fault_suback(int code, struct fault *f)
{
	return say(suback_v5, "refuses the subscription", code, f);
}

int
mqtt_fault_lost(int code, struct fault *f)
{
	/* Before MQTT 5 a broker has no way to say why. */
	if (code == 0)
		return fault_set(f, FAULT_NET,
			"the broker closed the connection, or the network did: does it allow the "
			"topic and the size, has another client our id?");
	return say(disconnect_v5, "closed the connection", code, f);
}
