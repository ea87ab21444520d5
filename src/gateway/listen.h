/* listen: a TCP address to listen on, as settings write it. */
#ifndef GATEWAY_LISTEN_H
#define GATEWAY_LISTEN_H

#include <sys/socket.h>

#include "base/fault.h"

/*
 * Reads [ADDRESS:]PORT: a number of IPv4, or of IPv6 in brackets; 127.0.0.1 without one. Names are
 * refused: what one stands for may be out in the open.
 *
 * Returns 0; else FAULT_CONFIG.
 */
int listen_parse(
	const char *text, struct sockaddr_storage *ret, socklen_t *ret_len, struct fault *f);

/*
 * Makes a socket that listens there, for a few who wait.
 *
 * ret_fd  non-blocking
 *
 * Returns 0; else FAULT_CONFIG also when this user may not listen there, FAULT_PRECONDITION while
 * another process does, FAULT_IO.
 */
int listen_open(const char *text, int *ret_fd, struct fault *f);

#endif
