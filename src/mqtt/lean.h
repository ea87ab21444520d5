/* lean: three system calls as paho's static library makes them. Private to mqtt/. */
#ifndef MQTT_LEAN_H
#define MQTT_LEAN_H

#include <poll.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * As recv(2), poll(2) and close(2). More is read than was asked for; what is left over is handed
 * out by the next lean_recv(), and lean_poll() says that it is there. For non-blocking sockets, one
 * of them at a time: others' are read as they are.
 *
 * Threads: any.
 */
ssize_t lean_recv(int fd, void *to, size_t len, int flags);
int lean_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int lean_close(int fd);

#endif
