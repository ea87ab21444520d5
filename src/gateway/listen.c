#include "config.h"

#include "gateway/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define BACKLOG 16

static bool
parse_port(const char *text, in_port_t *ret)
{
	unsigned long port = 0;

	if (!*text || strlen(text) > 5 || strspn(text, "0123456789") != strlen(text))
		return false;
	port = strtoul(text, NULL, 10);
	*ret = htons((in_port_t)port);
	return port >= 1 && port <= 65535;
}

/* The address, which is `len` bytes of text; in brackets when it is one of IPv6. */
static bool
parse_address(const char *text, size_t len, struct sockaddr_storage *ret, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
	char address[INET6_ADDRSTRLEN + 2] = "";
	bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';

	if (len >= sizeof(address))
		return false;
	memcpy(address, text + bracketed, bracketed ? len - 2 : len);
	if (bracketed) {
		v6->sin6_family = AF_INET6;
		*ret_len = sizeof(*v6);
		return inet_pton(AF_INET6, address, &v6->sin6_addr) == 1;
	}
	v4->sin_family = AF_INET;
	*ret_len = sizeof(*v4);
	return inet_pton(AF_INET, address, &v4->sin_addr) == 1;
}

int
listen_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct fault *f)
{
	const char *colon = strrchr(text, ':'), *port = colon ? colon + 1 : text;
	const char *address = colon ? text : "127.0.0.1";
	size_t len = colon ? (size_t)(colon - text) : strlen(address);
	struct sockaddr_storage parsed = {0};
	in_port_t number;

	if (!parse_port(port, &number) || !parse_address(address, len, &parsed, ret_len))
		return fault_set(f, FAULT_CONFIG,
			"'%s' is not PORT, ADDRESS:PORT or [ADDRESS]:PORT, with a port of 1 to "
			"65535 and an address in numbers",
			text);
	if (parsed.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&parsed)->sin6_port = number;
	else
		((struct sockaddr_in *)&parsed)->sin_port = number;
	*ret = parsed;
	return 0;
}

/* What only the operator can mend is told from what passes. */
static int
not_ours(const char *text, struct fault *f)
{
	if (errno == EADDRINUSE)
		return fault_set(f, FAULT_PRECONDITION, "another process listens on %s", text);
	if (errno == EACCES)
		return fault_set(f, FAULT_CONFIG, "this user may not listen on %s", text);
	return fault_errno(f, "cannot listen on %s", text);
}

int
listen_open(const char *text, int *ret_fd, struct fault *f)
{
	struct sockaddr_storage address;
	const int yes = 1;
	socklen_t len;
	AUTO(auto_fd) int fd = -1;

	if (listen_parse(text, &address, &len, f))
		return -1;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_errno(f, "cannot make a socket");
	/* An instance that ended leaves connections behind which nobody reads. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0)
		return not_ours(text, f);
	*ret_fd = fd;
	fd = -1;
	return 0;
}
