/*
 * stream: the bytes between paho and the network: read ahead, and written in bursts. What paho's
 * static library calls in place of the system's and OpenSSL's functions. Private to mqtt/.
 *
 * paho reads the four bytes of a PUBACK by five system calls, and writes each packet by one, or as
 * a TLS record of its own; and it frees a message twice, or never, when it could be written in part
 * or not at all (1.3.12). Here it reads from memory, and whatever it writes is written.
 *
 * A process has one connection. Others' descriptors pass by.
 * Threads: one at a time.
 */
#ifndef MQTT_STREAM_H
#define MQTT_STREAM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <openssl/ssl.h>

/* Bytes that wait to be written when nothing more should be sent, nor is read. */
#define STREAM_WAITING_MAX (256 * 1024)

/* Bytes of a packet that is read: a larger one ends the connection. */
#define STREAM_PACKET_MAX (16 * 1024 * 1024)

/*
 * As connect(2), shutdown(2) and close(2) of a non-blocking socket, which is the connection from
 * here on. What waits is written before its end, as far as the network takes it.
 */
int stream_connect(int fd, const struct sockaddr *address, socklen_t len);
int stream_shutdown(int fd, int how);
int stream_close(int fd);

/* As SSL_connect(3) and SSL_shutdown(3). */
int stream_ssl_connect(SSL *ssl);
int stream_ssl_shutdown(SSL *ssl);

/*
 * As recv(2) and SSL_read(3). More is read than was asked for, and handed out by the next one. Who
 * asks for more than STREAM_PACKET_MAX is told that the connection is gone.
 */
ssize_t stream_recv(int fd, void *to, size_t len, int flags);
int stream_ssl_read(SSL *ssl, void *to, int len);

/* Whether the last connection ended so. */
bool stream_was_too_large(void);

/* Reads and writes nothing more: who reads is told that the connection is gone. */
void stream_end(void);

/* As SSL_pending(3), of which there is nothing: stream_poll() knows. */
int stream_ssl_pending(const SSL *ssl);

/*
 * As writev(2) and SSL_write(3): all of it is kept, and written by stream_flush(). Where the
 * connection is gone it is dropped; to read says so.
 */
ssize_t stream_writev(int fd, const struct iovec *parts, int n);
int stream_ssl_write(SSL *ssl, const void *data, int len);

/* Bytes that were handed over to be written, in all. */
size_t stream_written(void);

/* Adds a packet of our own, behind those that paho has written. */
void stream_add(const void *packet, size_t len);

/* As poll(2), but never waits. */
int stream_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

/*
 * Says whether the system has told that there may be something to be read, and begins to count what
 * is: it is bounded, so that who sends without an end does not keep us.
 */
void stream_begin(bool readable);

/* Writes what waits, as far as the network takes it at once. */
void stream_flush(void);

/* Bytes that wait to be written. */
size_t stream_waiting(void);

/* Whether there is more to be read that the system will not tell of. */
bool stream_has_more(void);

/*
 * Has the system tell of what came only when it is so many bytes, 1 or more, or the end. They must
 * be sure to come.
 */
void stream_expect(int bytes);

/*
 * Has the system acknowledge at once what came, instead of some 40 ms later: a broker that leaves
 * Nagle's algorithm on, as mosquitto does, sends the next small packet only then.
 */
void stream_acknowledge(void);

/*
 * What is to be waited for: the connection's descriptor, -1 when there is none, and POLLIN and
 * POLLOUT.
 */
struct pollfd stream_wants(void);

#endif
