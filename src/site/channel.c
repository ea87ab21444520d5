#include "config.h"

#include "site/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8

/* Bytes that are asked for at once. */
#define READ_SIZE 65536

/* Owner and group: the broker and the gateway run as two users of one group. */
#define SOCKET_MODE 0660

/* The bytes from `at` to `len` are what counts. */
struct bytes {
	uint8_t *data;
	size_t at, len, size;
};

/* greeted  the other end said hello, in a version that is ours */
struct channel {
	int fd;
	bool greeted;
	struct bytes in, out;
};

static size_t
bytes_count(const struct bytes *bytes)
{
	return bytes->len - bytes->at;
}

/* Makes room for n bytes more behind what counts. */
static int
bytes_reserve(struct bytes *bytes, size_t n, struct fault *f)
{
	size_t count = bytes_count(bytes), size = bytes->size ? bytes->size : READ_SIZE;
	uint8_t *grown;

	if (bytes->at) {
		memmove(bytes->data, bytes->data + bytes->at, count);
		bytes->at = 0;
		bytes->len = count;
	}
	if (bytes->size - bytes->len >= n)
		return 0;
	while (size - count < n)
		size *= 2;
	grown = realloc(bytes->data, size);
	if (!grown)
		return fault_nomem(f);
	bytes->data = grown;
	bytes->size = size;
	return 0;
}

static void
bytes_take(struct bytes *bytes, size_t n)
{
	bytes->at += n;
	if (bytes->at == bytes->len)
		bytes->at = bytes->len = 0;
}

static int
make_address(const char *path, struct sockaddr_un *ret, struct fault *f)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (!*path || strlen(path) >= sizeof(ret->sun_path))
		return fault_set(f, FAULT_CONFIG,
			"the socket's path '%.100s' must have 1 to %zu bytes", path,
			sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

int
channel_check_path(const char *path, struct fault *f)
{
	struct sockaddr_un address;

	return make_address(path, &address, f);
}

static int
open_socket(struct fault *f)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fault_errno(f, "cannot make a socket");
	return fd;
}

/*
 * Whether a process listens on a socket's file. The descriptor names that file whatever is done to
 * its path meanwhile.
 *
 * file  opened with O_PATH
 */
static int
is_listened_on(int file, bool *ret, struct fault *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	AUTO(auto_fd) int fd = open_socket(f);

	if (fd < 0)
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", file);
	*ret = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
	       errno == EAGAIN;
	if (!*ret && errno != ECONNREFUSED)
		return fault_errno(f, "cannot find out whether the socket is in use");
	return 0;
}

/* The file of a socket stays when its process dies. One that a process listens on is kept. */
static int
remove_dead(const char *path, struct fault *f)
{
	AUTO(auto_fd) int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool in_use;

	if (file < 0 && errno == ENOENT)
		return 0;
	if (file < 0 || fstat(file, &st) < 0)
		return fault_errno(f, "cannot listen on %s", path);
	if (!S_ISSOCK(st.st_mode))
		return fault_set(f, FAULT_CONFIG,
			"cannot listen on %s: the file exists and is not a socket", path);
	if (is_listened_on(file, &in_use, f))
		return fault_prefix(f, "cannot listen on %s", path);
	if (in_use)
		return fault_set(f, FAULT_PRECONDITION, "another process listens on %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return fault_errno(f, "cannot remove the old %s", path);
	return 0;
}

/*
 * The file gets its mode as it is made: setting it afterwards by its path could change the mode of
 * a file that another user of the directory put there.
 */
static int
bind_file(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0777 & ~SOCKET_MODE);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return rc;
}

int
channel_listen(const char *path, int *ret_fd, struct fault *f)
{
	struct sockaddr_un address;
	AUTO(auto_fd) int fd = -1;

	if (make_address(path, &address, f) || remove_dead(path, f))
		return -1;
	fd = open_socket(f);
	if (fd < 0)
		return -1;
	if (bind_file(fd, &address) < 0 || listen(fd, BACKLOG) < 0)
		return fault_errno(f, "cannot listen on %s", path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int
make(int fd, struct channel **ret, struct fault *f)
{
	const uint8_t version = FRAME_VERSION;
	const struct frame hello = {.kind = FRAME_HELLO,
		.device = "",
		.topic = "",
		.payload = &version,
		.len = sizeof(version)};
	AUTO(auto_channel) struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel) {
		close(fd);
		return fault_nomem(f);
	}
	channel->fd = fd;
	if (bytes_reserve(&channel->in, READ_SIZE, f) || channel_send(channel, &hello, f))
		return -1;
	*ret = TAKE(channel);
	return 0;
}

int
channel_accept(int listening, struct channel **ret, struct fault *f)
{
	int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	*ret = NULL;
	if (fd >= 0)
		return make(fd, ret, f);
	if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
		return 0;
	return fault_errno(f, "cannot accept who connects to the site's socket");
}

int
channel_connect(const char *path, struct channel **ret, struct fault *f)
{
	struct sockaddr_un address;
	int fd;

	if (make_address(path, &address, f))
		return -1;
	fd = open_socket(f);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return make(fd, ret, f);
	fault_errno(f, "cannot connect to %s", path);
	if (f && (errno == ECONNREFUSED || errno == EAGAIN))
		f->code = FAULT_NOTFOUND;
	close(fd);
	return -1;
}

void
channel_close(struct channel *channel)
{
	if (!channel)
		return;
	close(channel->fd);
	free(channel->in.data);
	free(channel->out.data);
	free(channel);
}

int
channel_fd(const struct channel *channel)
{
	return channel->fd;
}

bool
channel_is_waiting(const struct channel *channel)
{
	return bytes_count(&channel->out) > 0;
}

int
channel_flush(struct channel *channel, struct fault *f)
{
	struct bytes *out = &channel->out;

	while (bytes_count(out)) {
		ssize_t n = send(channel->fd, out->data + out->at, bytes_count(out), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0) {
			fault_errno(f, "the other end of the site's socket is gone");
			if (f)
				f->code = FAULT_NET;
			return -1;
		}
		bytes_take(out, (size_t)n);
	}
	return 0;
}

int
channel_send(struct channel *channel, const struct frame *frame, struct fault *f)
{
	size_t size = frame_size(frame);
	struct bytes *out = &channel->out;

	if (!size)
		return fault_set(f, FAULT_INVALID, "too large for the site's socket");
	if (bytes_count(out) + size > CHANNEL_OUT_MAX)
		return fault_set(
			f, FAULT_PRECONDITION, "the other end of the site's socket does not read");
	if (bytes_reserve(out, size, f))
		return -1;
	frame_write(frame, out->data + out->len);
	out->len += size;
	return channel_flush(channel, f);
}

/* Returns 1 when there is something new, 0 when not yet. */
static int
receive(struct channel *channel, struct fault *f)
{
	struct bytes *in = &channel->in;
	ssize_t n;

	if (bytes_reserve(in, READ_SIZE, f))
		return -1;
	do
		n = recv(channel->fd, in->data + in->len, in->size - in->len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return fault_set(f, FAULT_NET, "the other end of the site's socket is gone");
	in->len += (size_t)n;
	return 1;
}

static int
greet(struct channel *channel, const struct frame *frame, struct fault *f)
{
	if (frame->kind != FRAME_HELLO || frame->len != 1)
		return fault_set(
			f, FAULT_INVALID, "the other end of the site's socket is none of ours");
	if (*(const uint8_t *)frame->payload != FRAME_VERSION)
		return fault_set(f, FAULT_CONFIG,
			"p11_site.so and p11-gateway speak different versions (%d here, %d there): "
			"restart both after an upgrade",
			FRAME_VERSION, *(const uint8_t *)frame->payload);
	channel->greeted = true;
	return 0;
}

int
channel_next(struct channel *channel, struct frame *ret, bool *ret_any, struct fault *f)
{
	struct bytes *in = &channel->in;

	*ret_any = false;
	for (;;) {
		size_t used;
		int n;

		if (frame_read(in->data + in->at, bytes_count(in), ret, &used, f))
			return -1;
		/* The bytes stay where they are until more are received. */
		if (used)
			bytes_take(in, used);
		if (used && channel->greeted) {
			*ret_any = true;
			return 0;
		}
		if (used && greet(channel, ret, f))
			return -1;
		if (used)
			continue;
		n = receive(channel, f);
		if (n <= 0)
			return n;
	}
}
