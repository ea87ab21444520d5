/*
 * What paho's static library is linked with in place of three of its own files and of some system
 * calls. Of the time that a message took, paho spent more than half on a record of each block of
 * memory and of each function's entry and exit, and half of the rest on reading the four bytes of a
 * PUBACK by five system calls.
 *
 * Names and types are those of paho's Heap.h, StackTrace.h and Log.h; lean.sh puts it together.
 */
#include "config.h"

#include "mqtt/lean.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

void *mymalloc(char *file, int line, size_t size);
void *myrealloc(char *file, int line, void *p, size_t size);
void myfree(char *file, int line, void *p);
void Heap_unlink(char *file, int line, void *p);
int Heap_initialize(void);
void Heap_terminate(void);
void StackTrace_entry(const char *name, int line, int level);
void StackTrace_exit(const char *name, int line, void *rc, int level);
void Log(int level, int number, const char *format, ...);
int Log_initialize(void *info);
void Log_terminate(void);
void Log_setTraceCallback(void *callback);
void Log_setTraceLevel(int level);
/* --- memory: straight from malloc() ---------------------------------------------------------- */

void *
mymalloc(char *file, int line, size_t size)
{
	(void)file, (void)line;
	return malloc(size);
}

void *
myrealloc(char *file, int line, void *p, size_t size)
{
	(void)file, (void)line;
	return realloc(p, size);
}

void
myfree(char *file, int line, void *p)
{
	(void)file, (void)line;
	free(p);
}

void
Heap_unlink(char *file, int line, void *p)
{
	(void)file, (void)line, (void)p;
}

int
Heap_initialize(void)
{
	return 0;
}

void
Heap_terminate(void)
{
}

/* --- traces: none ---------------------------------------------------------------------------- */

void
StackTrace_entry(const char *name, int line, int level)
{
	(void)name, (void)line, (void)level;
}

void
StackTrace_exit(const char *name, int line, void *rc, int level)
{
	(void)name, (void)line, (void)rc, (void)level;
}

void
Log(int level, int number, const char *format, ...)
{
	(void)level, (void)number, (void)format;
}

int
Log_initialize(void *info)
{
	(void)info;
	return 0;
}

void
Log_terminate(void)
{
}

void
Log_setTraceCallback(void *callback)
{
	(void)callback;
}

void
Log_setTraceLevel(int level)
{
	(void)level;
}

/* --- reading ahead --------------------------------------------------------------------------- */

/*
 * What was read of a connection, and not yet asked for. A process has one connection; another one's
 * would pass by. TLS reads by itself.
 */
static struct {
	pthread_mutex_t mutex;
	int fd;
	size_t at, len;
	char bytes[16384];
} ahead = {.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* The mutex is held; the sockets are non-blocking. Returns as recv() does. */
static ssize_t
fill(int fd)
{
	ssize_t got = recv(fd, ahead.bytes, sizeof(ahead.bytes), 0);

	if (got > 0) {
		ahead.fd = fd;
		ahead.at = 0;
		ahead.len = (size_t)got;
	}
	return got;
}

/* The mutex is held. */
static ssize_t
take(void *to, size_t len)
{
	if (len > ahead.len)
		len = ahead.len;
	memcpy(to, ahead.bytes + ahead.at, len);
	ahead.at += len;
	ahead.len -= len;
	return (ssize_t)len;
}

ssize_t
lean_recv(int fd, void *to, size_t len, int flags)
{
	bool small = len > 0 && len < sizeof(ahead.bytes) && !flags;
	ssize_t got = 1;

	pthread_mutex_lock(&ahead.mutex);
	if (small && !ahead.len)
		got = fill(fd);
	if (got > 0 && ahead.len && ahead.fd == fd && len > 0)
		got = take(to, len);
	else if (got > 0)
		got = recv(fd, to, len, flags);
	pthread_mutex_unlock(&ahead.mutex);
	return got;
}

/* --- writing, in bursts ---------------------------------------------------------------------- */

/* The connection whose last bytes the kernel keeps for more to come; -1: none. */
static atomic_int held = -1;

/*
 * paho frees a message twice when it could not be written (1.3.12; its records would have passed
 * over the second time). So it could be, as far as paho is told, and the connection ends: who reads
 * finds that out, and frees each message once.
 */
static void
hang_up(int fd)
{
	shutdown(fd, SHUT_RDWR);
}

ssize_t
lean_writev(int fd, const struct iovec *parts, int n)
{
	const struct msghdr message = {
		.msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = (size_t)n};
	ssize_t len = 0, sent;

	do
		sent = sendmsg(fd, &message, MSG_MORE | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	held = fd;
	if (sent >= 0 || errno == EAGAIN)
		return sent;
	hang_up(fd);
	for (int i = 0; i < n; i++)
		len += (ssize_t)parts[i].iov_len;
	return len;
}

int
lean_ssl_write(SSL *ssl, const void *data, int len)
{
	int sent = SSL_write(ssl, data, len);
	int why = SSL_get_error(ssl, sent);

	if (sent > 0 || why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ)
		return sent;
	ERR_clear_error();
	hang_up(SSL_get_fd(ssl));
	return len;
}

/* To ask for no delay sends what was held. */
static void
let_go(void)
{
	const int on = 1;
	int fd = atomic_exchange(&held, -1);

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

int
lean_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	let_go();
	return pthread_cond_timedwait(cond, mutex, until);
}

/* --- waiting, and the end -------------------------------------------------------------------- */

/* What was read ahead can be read, which the system does not know. */
int
lean_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	nfds_t readable = n;

	pthread_mutex_lock(&ahead.mutex);
	for (nfds_t i = 0; ahead.len && i < n; i++) {
		if (fds[i].fd == ahead.fd && fds[i].events & POLLIN)
			readable = i;
	}
	pthread_mutex_unlock(&ahead.mutex);
	if (readable == n) {
		let_go();
		return poll(fds, n, timeout_ms);
	}
	for (nfds_t i = 0; i < n; i++)
		fds[i].revents = i == readable ? POLLIN : 0;
	return 1;
}

int
lean_close(int fd)
{
	pthread_mutex_lock(&ahead.mutex);
	if (ahead.fd == fd)
		ahead.len = 0;
	pthread_mutex_unlock(&ahead.mutex);
	if (held == fd)
		held = -1;
	return close(fd);
}
