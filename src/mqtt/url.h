/* url: a broker's URL taken apart. Private to mqtt/. */
#ifndef MQTT_URL_H
#define MQTT_URL_H

#include <stdbool.h>

#include "base/fault.h"

/*
 * tls   mqtts
 * host  a name or an address, an IPv6 one without its brackets
 * port  in digits
 * paho  the form that paho takes
 */
struct mqtt_url {
	bool tls;
	char host[256];
	char port[6];
	char paho[280];
};

/*
 * Reads mqtt://HOST[:PORT] or mqtts://HOST[:PORT]; an IPv6 address stands in brackets.
 *
 * Returns 0; else FAULT_USAGE saying what such a URL looks like.  Threads: any.
 */
int mqtt_url_parse(const char *text, struct mqtt_url *ret_url, struct fault *f);

#endif
