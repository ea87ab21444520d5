#include "config.h"

#include "unit.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mqtt/lean.h"

struct pair {
	int here, there;
};

static struct pair
make_pair(void)
{
	int fds[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	return (struct pair){fds[0], fds[1]};
}

static void
say(struct pair pair, const char *text)
{
	assert_int_equal(write(pair.there, text, strlen(text)), (ssize_t)strlen(text));
}

static void
assert_reads(int fd, size_t len, const char *want)
{
	char got[64];

	assert_int_equal(lean_recv(fd, got, len, 0), (ssize_t)strlen(want));
	assert_memory_equal(got, want, strlen(want));
}

static int
polled(int fd, short events, short *ret_revents)
{
	struct pollfd asked = {.fd = fd, .events = events};
	int n = lean_poll(&asked, 1, 0);

	*ret_revents = asked.revents;
	return n;
}

static void
what_was_read_ahead_is_handed_out_and_can_be_polled(void **state)
{
	struct pair pair = make_pair();
	struct pollfd system = {.fd = pair.here, .events = POLLIN};
	short revents;

	(void)state;
	say(pair, "abcdef");
	assert_reads(pair.here, 1, "a");
	assert_int_equal(poll(&system, 1, 0), 0);
	assert_int_equal(polled(pair.here, POLLIN, &revents), 1);
	assert_int_equal(revents, POLLIN);
	assert_reads(pair.here, 2, "bc");
	assert_reads(pair.here, 60, "def");
	assert_int_equal(polled(pair.here, POLLIN, &revents), 0);
	lean_close(pair.here);
	close(pair.there);
}

static void
an_end_and_a_wait_are_the_systems(void **state)
{
	struct pair pair = make_pair();
	char got[8];

	(void)state;
	assert_int_equal(lean_recv(pair.here, got, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	say(pair, "xy");
	close(pair.there);
	assert_reads(pair.here, 1, "x");
	assert_int_equal(lean_recv(pair.here, NULL, 0, 0), 0);
	assert_reads(pair.here, 8, "y");
	assert_int_equal(lean_recv(pair.here, got, 1, 0), 0);
	lean_close(pair.here);
}

static void
another_connection_passes_by(void **state)
{
	struct pair one = make_pair(), other = make_pair();
	short revents;

	(void)state;
	say(one, "abc");
	say(other, "xyz");
	assert_reads(one.here, 1, "a");
	assert_reads(other.here, 1, "x");
	assert_reads(other.here, 8, "yz");
	assert_int_equal(polled(other.here, POLLIN, &revents), 0);
	assert_int_equal(polled(one.here, POLLOUT, &revents), 1);
	assert_int_equal(revents, POLLOUT);
	assert_reads(one.here, 8, "bc");
	lean_close(one.here);
	lean_close(other.here);
	close(one.there);
	close(other.there);
}

/* The system gives the same number to the next socket. */
static void
what_a_closed_connection_left_is_gone(void **state)
{
	struct pair old = make_pair(), next;
	int fd = old.here;

	(void)state;
	say(old, "old");
	assert_reads(old.here, 1, "o");
	lean_close(old.here);
	next = make_pair();
	assert_int_equal(next.here, fd);
	say(next, "new");
	assert_reads(next.here, 8, "new");
	lean_close(next.here);
	close(next.there);
	close(old.there);
}

static void
what_is_larger_than_the_buffer_comes_in_its_order(void **state)
{
	struct pair pair = make_pair();
	size_t size = 40000, len = 0;
	char *sent = malloc(size), *got = malloc(size);
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < size; i++)
		sent[i] = (char)(i * 31 >> 3);
	assert_int_equal(write(pair.there, sent, size), (ssize_t)size);
	assert_int_equal(lean_recv(pair.here, got, 1, 0), 1);
	for (len = 1; len < size; len += (size_t)n)
		assert_true((n = lean_recv(pair.here, got + len, size - len, 0)) > 0);
	assert_memory_equal(got, sent, size);
	free(sent);
	free(got);
	lean_close(pair.here);
	close(pair.there);
}

/* A connection over TCP, for what only TCP holds. */
static struct pair
make_connection(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pair pair = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), -1};

	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(connect(pair.here, (struct sockaddr *)&address, len), 0);
	pair.there = accept(listening, NULL, NULL);
	assert_true(pair.there >= 0);
	close(listening);
	return pair;
}

/* How many bytes the kernel has not sent. */
static int
held_back(int fd)
{
	int bytes = -1;

	assert_int_equal(ioctl(fd, SIOCOUTQNSD, &bytes), 0);
	return bytes;
}

static void
writes(int fd)
{
	const struct iovec parts[] = {{(char[]){"ab"}, 2}, {(char[]){"c"}, 1}};

	assert_int_equal(lean_writev(fd, parts, 2), 3);
}

static void
what_is_written_goes_when_its_thread_waits(void **state)
{
	struct pair pair = make_connection();
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
	const struct timespec past = {1, 0};
	char got[16];
	short revents;

	(void)state;
	writes(pair.here);
	writes(pair.here);
	assert_int_equal(held_back(pair.here), 6);
	pthread_mutex_lock(&mutex);
	assert_int_equal(lean_cond_timedwait(&cond, &mutex, &past), ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	assert_int_equal(held_back(pair.here), 0);
	assert_int_equal(recv(pair.there, got, sizeof(got), 0), 6);
	assert_memory_equal(got, "abcabc", 6);
	writes(pair.here);
	assert_int_equal(held_back(pair.here), 3);
	polled(pair.here, POLLIN, &revents);
	assert_int_equal(held_back(pair.here), 0);
	lean_close(pair.here);
	close(pair.there);
}

static void
what_cannot_be_written_ends_the_connection(void **state)
{
	struct pair pair = make_connection();
	const struct linger reset = {1, 0};
	char got[16];

	(void)state;
	setsockopt(pair.there, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(pair.there);
	writes(pair.here);
	writes(pair.here);
	assert_true(lean_recv(pair.here, got, 1, 0) <= 0);
	lean_close(pair.here);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_read_ahead_is_handed_out_and_can_be_polled),
		cmocka_unit_test(an_end_and_a_wait_are_the_systems),
		cmocka_unit_test(another_connection_passes_by),
		cmocka_unit_test(what_a_closed_connection_left_is_gone),
		cmocka_unit_test(what_is_written_goes_when_its_thread_waits),
		cmocka_unit_test(what_cannot_be_written_ends_the_connection),
		cmocka_unit_test(what_is_larger_than_the_buffer_comes_in_its_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
