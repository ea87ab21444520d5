#include "config.h"

#include "mqtt/words.h"

#include <stddef.h>

static const struct words {
	int code;
	enum fault_code fault;
	const char *text;
} connack_v4[] =
	{
		{1, FAULT_NET, "it does not speak MQTT 3.1.1"},
		{2, FAULT_AUTH, "it does not take this client id"},
		{3, FAULT_NET, "it is not available now"},
		{4, FAULT_AUTH, "bad user name or password"},
		{5, FAULT_AUTH,
			"not authorised: is the device registered with this key and not blocked, "
			"are "
			"project, region and registry right, is the clock right?"},
		{0, FAULT_NET, NULL},
},
  connack_v5[] =
	  {
		  {0x80, FAULT_NET, "an error it does not name"},
		  {0x81, FAULT_NET, "a malformed packet"},
		  {0x82, FAULT_NET, "a protocol error"},
		  {0x84, FAULT_NET, "it does not speak MQTT 5"},
		  {0x85, FAULT_AUTH, "it does not take this client id"},
		  {0x86, FAULT_AUTH, "bad user name or password"},
		  {0x87, FAULT_AUTH,
			  "not authorised: is the device registered with this key and not blocked, "
			  "are "
			  "project, region and registry right, is the clock right?"},
		  {0x88, FAULT_NET, "it is not available now"},
		  {0x89, FAULT_NET, "it is busy"},
		  {0x8a, FAULT_AUTH, "we are banned"},
		  {0x8c, FAULT_AUTH, "bad authentication method"},
		  {0x95, FAULT_NET, "the packet is too large"},
		  {0x97, FAULT_NET, "a quota is exceeded"},
		  {0x9c, FAULT_NET, "another server is to be used"},
		  {0x9d, FAULT_NET, "the server has moved"},
		  {0x9f, FAULT_NET, "too many connections"},
		  {0, FAULT_NET, NULL},
},
  puback_v5[] = {
	  {0x80, FAULT_NET, "an error it does not name"},
	  {0x83, FAULT_NET, "its own reason"},
	  {0x87, FAULT_AUTH, "not authorised for this topic"},
	  {0x90, FAULT_AUTH, "it does not take this topic"},
	  {0x91, FAULT_NET, "the packet id is in use"},
	  {0x97, FAULT_NET, "a quota is exceeded"},
	  {0x99, FAULT_NET, "the payload's format is invalid"},
	  {0, FAULT_NET, NULL},
};

static int
say(const struct words *table, const char *what, int code, struct fault *f)
{
	const struct words *w = table;

	while (w->text && w->code != code)
		w++;
	fault_set(f, w->fault, "the broker refuses %s (code %d): %s", what, code,
		w->text ? w->text : "a reason that is not known here");
	if (f)
		f->native = (unsigned long)code;
	return -1;
}

int
mqtt_fault_connack(int version, int code, struct fault *f)
{
	return say(version == 5 ? connack_v5 : connack_v4, "the connection", code, f);
}

int
mqtt_fault_puback(int code, struct fault *f)
{
	return say(puback_v5, "the message", code, f);
}
