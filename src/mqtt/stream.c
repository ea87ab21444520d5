#include "config.h"

#include "mqtt/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

/* What is read at once, and how often between two stream_begin(). */
#define READ_SIZE 16384
#define READS_MAX 16

/* What is kept of the memory for writing when nothing waits, and a TLS record's bytes. */
#define KEPT_SIZE  (64 * 1024)
#define RECORD_MAX 16384

/*
 * ssl       NULL in the clear, or before the first packet
 * readable  reading may give something: the system said so, or there was more than was read
 * reads     allowed since stream_begin()
 * spoke     something was written: the CONNECT, which has the password
 * broken    nothing can be written any more
 * ended     nothing is read any more
 * too_large a packet that came was
 */
static struct {
	int fd;
	SSL *ssl;
	bool connected, readable, spoke, broken, ended, too_large;
	unsigned reads;
	int expected;
	size_t in_at, in_len;
	char in[READ_SIZE];
	char *out;
	size_t out_at, out_len, out_size, written;
} stream = {.fd = -1};

static void
drop_output(void)
{
	if (stream.out)
		OPENSSL_cleanse(stream.out, stream.out_size);
	free(stream.out);
	stream.out = NULL;
	stream.out_at = stream.out_len = stream.out_size = 0;
}

/*
 * Nothing more is written; who reads finds out that the connection is gone, and then paho frees
 * each message once.
 */
static void
hang_up(void)
{
	drop_output();
	stream.broken = true;
	shutdown(stream.fd, SHUT_RDWR);
}

/* What others left would be taken for ours; a clean queue is seen sooner than cleaned. */
static void
forget_errors(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

/* --- begin and end --------------------------------------------------------------------------- */

int
stream_connect(int fd, const struct sockaddr *address, socklen_t len)
{
	const int on = 1;
	int rc;

	drop_output();
	stream.fd = fd;
	stream.ssl = NULL;
	stream.broken = stream.readable = stream.spoke = false;
	stream.ended = stream.too_large = false;
	stream.in_len = stream.written = 0;
	stream.expected = 1;
	/* What is written together is kept together here, and not by the kernel. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	rc = connect(fd, address, len);
	stream.connected = rc == 0;
	return rc;
}

/*
 * The handshake reads by itself, and no more than its own. There is one: another in the middle
 * would have writing wait for reading. paho's callback only has words for a trace of each record.
 */
int
stream_ssl_connect(SSL *ssl)
{
	int rc;

	SSL_set_msg_callback(ssl, NULL);
	SSL_set_options(ssl, SSL_OP_NO_RENEGOTIATION);
	rc = SSL_connect(ssl);
	stream.readable = false;
	return rc;
}

int
stream_ssl_shutdown(SSL *ssl)
{
	if (ssl == stream.ssl && stream.ssl) {
		stream_flush();
		/* What is left must not go on in the clear. */
		drop_output();
		stream.broken = true;
		stream.ssl = NULL;
	}
	forget_errors();
	return SSL_shutdown(ssl);
}

int
stream_shutdown(int fd, int how)
{
	if (fd == stream.fd)
		stream_flush();
	return shutdown(fd, how);
}

int
stream_close(int fd)
{
	if (fd == stream.fd) {
		drop_output();
		stream.fd = -1;
		stream.ssl = NULL;
		stream.connected = stream.readable = false;
		stream.in_len = 0;
	}
	return close(fd);
}

/* --- reading --------------------------------------------------------------------------------- */

void
stream_begin(bool readable)
{
	stream.readable |= readable;
	stream.reads = 0;
}

/* Reads into `to`; as recv(). */
static ssize_t
read_plain(void *to, size_t size)
{
	ssize_t got = recv(stream.fd, to, size, 0);

	if (got < 0 || (got > 0 && (size_t)got < size))
		stream.readable = false;
	return got;
}

/* As many records as there are, and room for; as SSL_read(). */
static int
read_records(SSL *ssl, char *to, int size)
{
	int len = 0, got;

	/* From its first packet on, for the handshake leaves nothing behind then. */
	if (!SSL_get_read_ahead(ssl))
		SSL_set_read_ahead(ssl, 1);
	stream.ssl = ssl;
	do {
		forget_errors();
		got = SSL_read(ssl, to + len, size - len);
		if (got > 0)
			len += got;
	} while (got > 0 && len < size && SSL_has_pending(ssl));
	if (got <= 0 || !SSL_has_pending(ssl))
		stream.readable = false;
	if (!len)
		return got;
	forget_errors();
	return len;
}

static size_t
take(void *to, size_t len)
{
	if (len > stream.in_len)
		len = stream.in_len;
	memcpy(to, stream.in + stream.in_at, len);
	stream.in_at += len;
	stream.in_len -= len;
	return len;
}

static void
keep(size_t len)
{
	stream.in_at = 0;
	stream.in_len = len;
}

ssize_t
stream_recv(int fd, void *to, size_t len, int flags)
{
	ssize_t got;

	if (fd != stream.fd || !len || flags)
		return recv(fd, to, len, flags);
	stream.too_large |= len > STREAM_PACKET_MAX;
	if (stream.too_large || stream.ended)
		return 0;
	if (!stream.in_len && len >= sizeof(stream.in))
		return read_plain(to, len);
	if (!stream.in_len) {
		got = read_plain(stream.in, sizeof(stream.in));
		if (got <= 0)
			return got;
		keep((size_t)got);
	}
	return (ssize_t)take(to, len);
}

int
stream_ssl_read(SSL *ssl, void *to, int len)
{
	int got;

	stream.too_large |= len > STREAM_PACKET_MAX;
	if (stream.too_large || stream.ended)
		return 0;
	if (!stream.in_len) {
		got = read_records(ssl, stream.in, sizeof(stream.in));
		if (got <= 0)
			return got;
		keep((size_t)got);
	}
	return (int)take(to, (size_t)len);
}

void
stream_end(void)
{
	stream.ended = true;
	stream.in_len = 0;
	hang_up();
}

bool
stream_was_too_large(void)
{
	return stream.too_large;
}

int
stream_ssl_pending(const SSL *ssl)
{
	(void)ssl;
	return 0;
}

bool
stream_has_more(void)
{
	return stream.connected && (stream.in_len || stream.readable || stream.ended) &&
	       stream_waiting() < STREAM_WAITING_MAX;
}

/* --- writing --------------------------------------------------------------------------------- */

size_t
stream_waiting(void)
{
	return stream.out_len;
}

static bool
make_room(size_t len)
{
	size_t size = stream.out_size ? stream.out_size : KEPT_SIZE;
	char *grown;

	if (stream.out_at) {
		memmove(stream.out, stream.out + stream.out_at, stream.out_len);
		stream.out_at = 0;
	}
	while (size < stream.out_len + len)
		size *= 2;
	if (size == stream.out_size)
		return true;
	grown = realloc(stream.out, size);
	if (!grown)
		return false;
	stream.out = grown;
	stream.out_size = size;
	return true;
}

static void
add(const void *data, size_t len)
{
	if (stream.broken || !len)
		return;
	if (stream.out_at + stream.out_len + len > stream.out_size && !make_room(len)) {
		hang_up();
		return;
	}
	memcpy(stream.out + stream.out_at + stream.out_len, data, len);
	stream.out_len += len;
	stream.written += len;
}

size_t
stream_written(void)
{
	return stream.written;
}

void
stream_add(const void *packet, size_t len)
{
	add(packet, len);
}

ssize_t
stream_writev(int fd, const struct iovec *parts, int n)
{
	ssize_t len = 0;

	if (fd != stream.fd)
		return writev(fd, parts, n);
	for (int i = 0; i < n; i++) {
		add(parts[i].iov_base, parts[i].iov_len);
		len += (ssize_t)parts[i].iov_len;
	}
	return len;
}

int
stream_ssl_write(SSL *ssl, const void *data, int len)
{
	stream.ssl = ssl;
	add(data, (size_t)len);
	return len;
}

/* Returns how much was written, 0 when the network takes nothing now, -1 when it never will. */
static ssize_t
write_some(void)
{
	const char *from = stream.out + stream.out_at;
	ssize_t sent;

	if (stream.ssl) {
		size_t len = stream.out_len < RECORD_MAX ? stream.out_len : RECORD_MAX;
		int why;

		forget_errors();
		sent = SSL_write(stream.ssl, from, (int)len);
		if (sent > 0)
			return sent;
		why = SSL_get_error(stream.ssl, (int)sent);
		forget_errors();
		return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
	}
	do
		sent = send(stream.fd, from, stream.out_len, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 && errno == EAGAIN ? 0 : sent;
}

void
stream_flush(void)
{
	if (!stream.out_len)
		return;
	while (stream.out_len) {
		ssize_t sent = write_some();

		if (sent < 0)
			hang_up();
		if (sent <= 0)
			return;
		stream.out_at += (size_t)sent;
		stream.out_len -= (size_t)sent;
	}
	stream.out_at = 0;
	if (stream.out_size > KEPT_SIZE || !stream.spoke)
		drop_output();
	stream.spoke = true;
}

/* --- waiting --------------------------------------------------------------------------------- */

/* What the system says of a descriptor. */
static short
ask(int fd, short events)
{
	struct pollfd asked = {.fd = fd, .events = events};

	return poll(&asked, 1, 0) > 0 ? asked.revents : 0;
}

static short
ready(int fd, short events)
{
	short answer = 0;

	if (fd != stream.fd)
		return ask(fd, events);
	if (!stream.connected) {
		answer = ask(fd, events);
		stream.connected = answer & POLLOUT && !(answer & (POLLERR | POLLHUP));
		return answer;
	}
	if (events & POLLIN &&
		(stream.in_len || stream.ended || (stream.readable && stream.reads++ < READS_MAX)))
		answer |= POLLIN;
	if (events & POLLOUT && stream_waiting() < STREAM_WAITING_MAX)
		answer |= POLLOUT;
	return answer;
}

int
stream_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	int count = 0;

	(void)timeout_ms;
	for (nfds_t i = 0; i < n; i++) {
		fds[i].revents = ready(fds[i].fd, fds[i].events);
		count += fds[i].revents != 0;
	}
	return count;
}

void
stream_expect(int bytes)
{
	if (stream.fd < 0 || bytes == stream.expected)
		return;
	stream.expected = bytes;
	setsockopt(stream.fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes));
}

void
stream_acknowledge(void)
{
	const int on = 1;

	if (stream.connected)
		setsockopt(stream.fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

struct pollfd
stream_wants(void)
{
	bool reads = stream_waiting() < STREAM_WAITING_MAX;
	bool writes = !stream.connected || stream_waiting();

	return (struct pollfd){
		.fd = stream.fd,
		.events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
	};
}
