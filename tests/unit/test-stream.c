#include "config.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/auto.h"
#include "mqtt/stream.h"

AUTO_DEFINE(ssl_ctx, SSL_CTX, SSL_CTX_free);

/* A connection over TCP: our end, which is the stream's, and the other. */
struct pair {
	int here, there;
};

static int
new_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* Blocking, until the connection is there. */
static struct pair
make_pair(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int listening = new_socket();
	struct pair pair = {new_socket(), -1};
	const int on = 1;

	assert_int_equal(bind(listening, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listening, 1), 0);
	assert_int_equal(getsockname(listening, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(stream_connect(pair.here, (struct sockaddr *)&address, len), 0);
	pair.there = accept(listening, NULL, NULL);
	assert_true(pair.there >= 0);
	setsockopt(pair.there, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	assert_int_equal(fcntl(pair.here, F_SETFL, O_NONBLOCK), 0);
	close(listening);
	return pair;
}

static void
end_pair(struct pair pair)
{
	stream_close(pair.here);
	close(pair.there);
}

static void
says(struct pair pair, const char *text)
{
	assert_int_equal(write(pair.there, text, strlen(text)), (ssize_t)strlen(text));
}

static void
assert_reads(int fd, size_t len, const char *want)
{
	char got[64];

	assert_int_equal(stream_recv(fd, got, len, 0), (ssize_t)strlen(want));
	assert_memory_equal(got, want, strlen(want));
}

static short
polled(int fd, short events)
{
	struct pollfd asked = {.fd = fd, .events = events};
	int n = stream_poll(&asked, 1, 1000);

	assert_int_equal(n, asked.revents != 0);
	return asked.revents;
}

static void
what_was_read_ahead_is_handed_out_and_can_be_polled(void **state)
{
	struct pair pair = make_pair();
	struct pollfd system = {.fd = pair.here, .events = POLLIN};

	(void)state;
	says(pair, "abcdef");
	assert_int_equal(poll(&system, 1, 1000), 1);
	stream_begin(true);
	assert_reads(pair.here, 1, "a");
	assert_int_equal(poll(&system, 1, 0), 0);
	assert_int_equal(polled(pair.here, POLLIN), POLLIN);
	assert_true(stream_has_more());
	assert_reads(pair.here, 2, "bc");
	assert_reads(pair.here, 60, "def");
	assert_int_equal(polled(pair.here, POLLIN), 0);
	assert_false(stream_has_more());
	end_pair(pair);
}

static void
an_end_and_a_wait_are_the_systems(void **state)
{
	struct pair pair = make_pair();
	char got[8];

	(void)state;
	stream_begin(true);
	assert_int_equal(polled(pair.here, POLLIN), POLLIN);
	assert_int_equal(stream_recv(pair.here, got, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(polled(pair.here, POLLIN), 0);
	says(pair, "xy");
	close(pair.there);
	assert_reads(pair.here, 1, "x");
	assert_int_equal(stream_recv(pair.here, NULL, 0, 0), 0);
	assert_reads(pair.here, 8, "y");
	assert_int_equal(stream_recv(pair.here, got, 1, 0), 0);
	stream_close(pair.here);
}

static void
another_descriptor_passes_by(void **state)
{
	struct pair pair = make_pair();
	int others[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, others), 0);
	says(pair, "abc");
	says((struct pair){others[0], others[1]}, "xyz");
	assert_reads(pair.here, 1, "a");
	assert_int_equal(polled(others[0], POLLIN), POLLIN);
	assert_reads(others[0], 1, "x");
	assert_reads(others[0], 8, "yz");
	assert_int_equal(polled(others[0], POLLIN), 0);
	assert_int_equal(stream_shutdown(others[0], SHUT_WR), 0);
	assert_reads(pair.here, 8, "bc");
	stream_close(others[0]);
	close(others[1]);
	assert_int_equal(stream_wants().fd, pair.here);
	end_pair(pair);
}

/* The system gives the same number to the next socket. */
static void
what_a_closed_connection_left_is_gone(void **state)
{
	const struct iovec part = {(char[]){"unsent"}, 6};
	struct pair old = make_pair(), next;

	(void)state;
	says(old, "old");
	assert_reads(old.here, 1, "o");
	assert_int_equal(stream_writev(old.here, &part, 1), 6);
	end_pair(old);
	assert_int_equal(stream_waiting(), 0);
	assert_int_equal(stream_wants().fd, -1);
	next = make_pair();
	says(next, "new");
	assert_reads(next.here, 8, "new");
	end_pair(next);
}

static void
fill_with(char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 31 >> 3);
}

static void
what_is_larger_than_the_buffer_comes_in_its_order(void **state)
{
	struct pair pair = make_pair();
	size_t size = 40000, len;
	char *sent = malloc(size), *got = malloc(size);
	ssize_t n;

	(void)state;
	fill_with(sent, size);
	assert_int_equal(write(pair.there, sent, size), (ssize_t)size);
	assert_int_equal(stream_recv(pair.here, got, 1, 0), 1);
	for (len = 1; len < size; len += (size_t)n)
		assert_true((n = stream_recv(pair.here, got + len, size - len, 0)) > 0);
	assert_memory_equal(got, sent, size);
	free(sent);
	free(got);
	end_pair(pair);
}

static void
packet_that_is_too_large_is_an_end(void **state)
{
	struct pair pair = make_pair();
	char got[8];

	(void)state;
	says(pair, "abc");
	assert_false(stream_was_too_large());
	assert_int_equal(stream_recv(pair.here, got, STREAM_PACKET_MAX + 1, 0), 0);
	assert_true(stream_was_too_large());
	end_pair(pair);
}

/* One that never stops would keep who reads. */
static void
reading_is_bounded_between_two_begins(void **state)
{
	struct pair pair = make_pair();
	char data[16384];
	int times = 0;

	(void)state;
	memset(data, 'x', sizeof(data));
	stream_begin(true);
	for (; polled(pair.here, POLLIN); times++) {
		assert_int_equal(write(pair.there, data, sizeof(data)), sizeof(data));
		while (stream_recv(pair.here, data, 1, 0) == 1 && stream_has_more() &&
			polled(pair.here, POLLIN) && times < 1000)
			continue;
		assert_true(times < 1000);
	}
	assert_true(times > 0);
	end_pair(pair);
}

static void
writes(int fd)
{
	const struct iovec parts[] = {{(char[]){"ab"}, 2}, {(char[]){"c"}, 1}};

	assert_int_equal(stream_writev(fd, parts, 2), 3);
}

static void
what_is_written_goes_when_it_is_flushed(void **state)
{
	struct pair pair = make_pair();
	char got[16];

	(void)state;
	writes(pair.here);
	writes(pair.here);
	assert_int_equal(stream_waiting(), 6);
	assert_int_equal(stream_wants().events, POLLIN | POLLOUT);
	assert_int_equal(recv(pair.there, got, sizeof(got), MSG_DONTWAIT), -1);
	stream_flush();
	assert_int_equal(stream_waiting(), 0);
	assert_int_equal(stream_wants().events, POLLIN);
	assert_int_equal(recv(pair.there, got, sizeof(got), 0), 6);
	assert_memory_equal(got, "abcabc", 6);
	writes(pair.here);
	assert_int_equal(stream_shutdown(pair.here, SHUT_WR), 0);
	assert_int_equal(recv(pair.there, got, sizeof(got), 0), 3);
	assert_int_equal(recv(pair.there, got, sizeof(got), 0), 0);
	end_pair(pair);
}

static void
what_the_network_does_not_take_waits_in_its_order(void **state)
{
	struct pair pair = make_pair();
	size_t size = 16 * 1024 * 1024, len = 0;
	char *sent = malloc(size), *got = malloc(size);
	const struct iovec whole = {sent, size};

	(void)state;
	fill_with(sent, size);
	assert_int_equal(stream_writev(pair.here, &whole, 1), (ssize_t)size);
	stream_flush();
	assert_in_range(stream_waiting(), STREAM_WAITING_MAX, size - 1);
	/* Who does not read is not read. */
	says(pair, "x");
	stream_begin(true);
	assert_int_equal(polled(pair.here, POLLIN | POLLOUT), POLLIN);
	assert_int_equal(polled(pair.here, POLLOUT), 0);
	assert_int_equal(stream_wants().events, POLLOUT);
	assert_false(stream_has_more());
	while (len < size) {
		ssize_t n = recv(pair.there, got + len, size - len, 0);

		assert_true(n > 0);
		len += (size_t)n;
		stream_flush();
	}
	assert_memory_equal(got, sent, size);
	assert_int_equal(polled(pair.here, POLLOUT), POLLOUT);
	free(sent);
	free(got);
	end_pair(pair);
}

static void
what_cannot_be_written_ends_the_connection(void **state)
{
	struct pair pair = make_pair();
	const struct linger reset = {1, 0};
	char got[16];

	(void)state;
	setsockopt(pair.there, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(pair.there);
	for (int i = 0; i < 3; i++) {
		writes(pair.here);
		stream_flush();
	}
	assert_int_equal(stream_waiting(), 0);
	assert_true(stream_recv(pair.here, got, 1, 0) <= 0);
	stream_close(pair.here);
}

/* --- TLS ------------------------------------------------------------------------------------- */

static SSL_CTX *
make_server(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	AUTO(auto_pkey) EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO(auto_x509) X509 *cert = X509_new();

	assert_true(ctx && key && cert);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	return ctx;
}

/* Both ends, as paho and a broker have them. */
struct tls {
	struct pair pair;
	SSL *here, *there;
};

static void
shake_hands(SSL_CTX *server, SSL_CTX *client, struct tls *ret)
{
	bool here = false, there = false;

	ret->pair = make_pair();
	assert_int_equal(fcntl(ret->pair.there, F_SETFL, O_NONBLOCK), 0);
	ret->here = SSL_new(client);
	ret->there = SSL_new(server);
	assert_int_equal(SSL_set_fd(ret->here, ret->pair.here), 1);
	assert_int_equal(SSL_set_fd(ret->there, ret->pair.there), 1);
	while (!here || !there) {
		stream_begin(true);
		here = here || stream_ssl_connect(ret->here) == 1;
		assert_int_equal(polled(ret->pair.here, POLLIN), 0);
		there = there || SSL_accept(ret->there) == 1;
	}
}

static void
tls_is_read_ahead_and_written_in_bursts(void **state)
{
	AUTO(auto_ssl_ctx) SSL_CTX *server = make_server();
	AUTO(auto_ssl_ctx) SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	struct tls tls;
	char got[64];

	(void)state;
	SSL_CTX_set_mode(client, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	shake_hands(server, client, &tls);
	for (int i = 0; i < 5; i++)
		assert_int_equal(SSL_write(tls.there, "PUBA", 4), 4);
	stream_begin(true);
	for (int i = 0; i < 20; i += 2) {
		assert_int_equal(polled(tls.pair.here, POLLIN), POLLIN);
		assert_int_equal(stream_ssl_read(tls.here, got, 2), 2);
		assert_memory_equal(got, i % 4 ? "BA" : "PU", 2);
		assert_int_equal(stream_ssl_pending(tls.here), 0);
	}
	assert_int_equal(stream_ssl_read(tls.here, got, 2), -1);
	assert_int_equal(SSL_get_error(tls.here, -1), SSL_ERROR_WANT_READ);
	assert_int_equal(polled(tls.pair.here, POLLIN), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(stream_ssl_write(tls.here, "hello", 5), 5);
	assert_int_equal(SSL_read(tls.there, got, sizeof(got)), -1);
	stream_flush();
	assert_int_equal(SSL_read(tls.there, got, sizeof(got)), 15);
	/* The end: what waits, then TLS's, and nothing in the clear. */
	assert_int_equal(stream_ssl_write(tls.here, "bye", 3), 3);
	stream_ssl_shutdown(tls.here);
	writes(tls.pair.here);
	stream_flush();
	assert_int_equal(stream_waiting(), 0);
	assert_int_equal(SSL_read(tls.there, got, sizeof(got)), 3);
	assert_int_equal(SSL_read(tls.there, got, sizeof(got)), 0);
	assert_int_equal(SSL_get_error(tls.there, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(recv(tls.pair.there, got, 1, MSG_DONTWAIT), -1);
	SSL_free(tls.here);
	SSL_free(tls.there);
	end_pair(tls.pair);
}

/* More records than there is room for, of which the system says nothing any more. */
static void
nothing_stays_behind_in_tls(void **state)
{
	AUTO(auto_ssl_ctx) SSL_CTX *server = make_server();
	AUTO(auto_ssl_ctx) SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	size_t size = 100000, sent_len = 0, got_len = 0;
	char *sent = malloc(size), *got = malloc(size);
	struct tls tls;

	(void)state;
	fill_with(sent, size);
	shake_hands(server, client, &tls);
	while (sent_len < size) {
		int n = SSL_write(tls.there, sent + sent_len, size - sent_len < 700 ? 100 : 700);

		if (n <= 0)
			break;
		sent_len += (size_t)n;
	}
	assert_true(sent_len > 50000);
	for (int i = 0; got_len < sent_len && i < 1000; i++) {
		struct pollfd system = {.fd = tls.pair.here, .events = POLLIN};
		bool told = stream_has_more() || poll(&system, 1, 1000) == 1;

		assert_true(told);
		stream_begin(true);
		while (polled(tls.pair.here, POLLIN)) {
			int n = stream_ssl_read(tls.here, got + got_len, 33);

			got_len += n > 0 ? (size_t)n : 0;
		}
	}
	assert_int_equal(got_len, sent_len);
	assert_memory_equal(got, sent, sent_len);
	free(sent);
	free(got);
	SSL_free(tls.here);
	SSL_free(tls.there);
	end_pair(tls.pair);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_read_ahead_is_handed_out_and_can_be_polled),
		cmocka_unit_test(an_end_and_a_wait_are_the_systems),
		cmocka_unit_test(another_descriptor_passes_by),
		cmocka_unit_test(what_a_closed_connection_left_is_gone),
		cmocka_unit_test(what_is_larger_than_the_buffer_comes_in_its_order),
		cmocka_unit_test(packet_that_is_too_large_is_an_end),
		cmocka_unit_test(reading_is_bounded_between_two_begins),
		cmocka_unit_test(what_is_written_goes_when_it_is_flushed),
		cmocka_unit_test(what_the_network_does_not_take_waits_in_its_order),
		cmocka_unit_test(what_cannot_be_written_ends_the_connection),
		cmocka_unit_test(tls_is_read_ahead_and_written_in_bursts),
		cmocka_unit_test(nothing_stays_behind_in_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
