#include "config.h"

#include "mqtt/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
bad(const char *text, const char *why, struct fault *f)
{
	/* Not repeated when it may hold a password. */
	const char *shown = strchr(text, '@') ? "..@.." : text;

	return fault_set(f, FAULT_USAGE,
		"'%s' %s: a broker's URL looks like mqtts://HOST:8883 or mqtt://HOST:1883", shown,
		why);
}

int
mqtt_url_parse(const char *text, struct mqtt_url *ret_url, struct fault *f)
{
	struct mqtt_url url = {0};
	const char *host, *port;
	size_t len;
	bool v6;

	if (strncmp(text, "mqtts://", 8) == 0)
		url.tls = true;
	else if (strncmp(text, "mqtt://", 7) != 0)
		return bad(text, "begins with neither mqtts:// nor mqtt://", f);
	host = text + (url.tls ? 8 : 7);
	v6 = *host == '[';
	host += v6;
	len = v6 ? strspn(host, "0123456789abcdefABCDEF:.")
		 : strspn(host,
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");
	if (len == 0 || len >= sizeof(url.host) || (v6 && host[len] != ']'))
		return bad(text, "names no host", f);
	memcpy(url.host, host, len);
	if (v6 && inet_pton(AF_INET6, url.host, &(struct in6_addr){0}) != 1)
		return bad(text, "holds no IPv6 address", f);
	port = host + len + v6;
	if (*port == ':') {
		size_t digits = strspn(++port, "0123456789");

		if (digits == 0 || digits > 5 || atol(port) < 1 || atol(port) > 65535)
			return bad(text, "has no port from 1 to 65535", f);
		memcpy(url.port, port, digits);
		port += digits;
	} else {
		strcpy(url.port, url.tls ? "8883" : "1883");
	}
	if (*port)
		return bad(text, "has more behind the host and the port", f);
	snprintf(url.paho, sizeof(url.paho), "%s://%s%s%s:%s", url.tls ? "ssl" : "tcp",
		v6 ? "[" : "", url.host, v6 ? "]" : "", url.port);
	*ret_url = url;
	return 0;
}
