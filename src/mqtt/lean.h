/* lean: some system calls as paho's static library makes them. Private to mqtt/. */
#ifndef MQTT_LEAN_H
#define MQTT_LEAN_H

#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include <openssl/ssl.h>

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

/*
 * As writev(2) on a TCP connection and pthread_cond_timedwait(3). What is written waits for more,
 * until its thread waits there or another in lean_poll(); the kernel would wait 0.2 s.
 *
 * Where the connection is gone all counts as written; to read from it says so.
 *
 * Threads: any.
 */
ssize_t lean_writev(int fd, const struct iovec *parts, int n);
int lean_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

/* As SSL_write(3); the same where the connection is gone. */
int lean_ssl_write(SSL *ssl, const void *data, int len);

#endif
