#include "config.h"

#include "mqtt/diagnose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/auto.h"
#include "mqtt/mqtt.h"

/*
 * A connection to a broker.
 *
 * ssl   NULL without TLS
 * asks  the broker asked for a client certificate
 */
struct line {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	bool asks;
};

static void
hang_up(struct line *line)
{
	SSL_free(line->ssl);
	SSL_CTX_free(line->ctx);
	auto_fd(&line->fd);
}

AUTO_DEFINE(ssl_ctx, SSL_CTX, SSL_CTX_free);

static void
auto_addresses(struct addrinfo **variable)
{
	if (*variable)
		freeaddrinfo(*variable);
}

/* A connection to the first address that answers. */
static int
reach(const struct mqtt_url *url, int timeout_s, int *ret_fd, struct fault *f)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const struct timeval timeout = {.tv_sec = timeout_s};
	AUTO(auto_addresses) struct addrinfo *addresses = NULL;
	int rc = getaddrinfo(url->host, url->port, &hints, &addresses), failed = 0;

	if (rc)
		return fault_set(f, FAULT_NET, "no address for '%s': %s", url->host,
			rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	for (struct addrinfo *a = addresses; a; a = a->ai_next) {
		int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd < 0) {
			failed = errno;
			continue;
		}
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			*ret_fd = fd;
			return 0;
		}
		failed = errno == EINPROGRESS ? ETIMEDOUT : errno;
		close(fd);
	}
	return fault_set(f, FAULT_NET, "no broker at '%s' port %s: %s", url->host, url->port,
		strerror(failed));
}

/* What is wrong with the broker's certificate. Returns 0 when nothing is. */
static int
judge(SSL *ssl, const struct mqtt_url *url, const char *ca_file, struct fault *f)
{
	long verdict = SSL_get_verify_result(ssl);

	switch (verdict) {
	case X509_V_OK:
		/* paho 1.3.12 compares the certificate with the address in its brackets. */
		if (strchr(url->host, ':'))
			return fault_set(f, FAULT_NET,
				"'%s' port %s: the broker's certificate cannot be checked for an "
				"IPv6 "
				"address: call the broker by its name",
				url->host, url->port);
		return 0;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return fault_set(f, FAULT_NET,
			"the broker's certificate is for another host than '%s'", url->host);
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return fault_set(f, FAULT_NET,
			"the broker's certificate is not valid now (%s): is the clock right?",
			X509_verify_cert_error_string(verdict));
	default:
		return fault_set(f, FAULT_NET,
			"the broker's certificate is not trusted by %s%s%s: %s",
			ca_file ? "'" : "the system's CAs", ca_file ? ca_file : "",
			ca_file ? "'" : "", X509_verify_cert_error_string(verdict));
	}
}

int
mqtt_check_ca_file(const char *path, struct fault *f)
{
	AUTO(auto_ssl_ctx) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct stat about;

	if (!ctx)
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if (access(path, R_OK) < 0) {
		fault_errno(f, "cannot read the CA file '%s'", path);
		if (f)
			f->code = FAULT_CONFIG;
		return -1;
	}
	/* A pipe would be waited for, and is empty when the connection reads it again. */
	if (stat(path, &about) < 0 || !S_ISREG(about.st_mode))
		return fault_set(f, FAULT_CONFIG, "the CA file '%s' is not a regular file", path);
	if (SSL_CTX_load_verify_file(ctx, path) != 1)
		return fault_openssl(f, FAULT_CONFIG, "the CA file '%s' has no CA in it", path);
	return 0;
}

/* Called when the broker asks for a client certificate; there is none to send. */
static int
on_asked(SSL *ssl, X509 **cert, EVP_PKEY **key)
{
	struct line *line = SSL_get_app_data(ssl);

	(void)cert, (void)key;
	line->asks = true;
	return 0;
}

static int
demands_certificate(const struct mqtt_url *url, struct fault *f)
{
	ERR_clear_error();
	return fault_set(f, FAULT_NET,
		"'%s' port %s demands a TLS client certificate, and the gateway has a password "
		"instead: let the broker accept clients without one (mosquitto: "
		"require_certificate false)",
		url->host, url->port);
}

static int
begin_tls(struct line *line, const struct mqtt_url *url, const char *ca_file, struct fault *f)
{
	unsigned char address[16];
	bool literal = inet_pton(AF_INET, url->host, address) == 1 ||
		       inet_pton(AF_INET6, url->host, address) == 1;

	line->ctx = SSL_CTX_new(TLS_client_method());
	if (!line->ctx)
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if ((ca_file ? SSL_CTX_load_verify_file(line->ctx, ca_file)
		     : SSL_CTX_set_default_verify_paths(line->ctx)) != 1)
		return fault_openssl(
			f, FAULT_CONFIG, "no CA can be read from '%s'", ca_file ? ca_file : "");
	SSL_CTX_set_min_proto_version(line->ctx, TLS1_2_VERSION);
	SSL_CTX_set_client_cert_cb(line->ctx, on_asked);
	line->ssl = SSL_new(line->ctx);
	if (!line->ssl || !SSL_set_fd(line->ssl, line->fd) || !SSL_set_app_data(line->ssl, line))
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if (literal)
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(line->ssl), url->host);
	else if (!SSL_set1_host(line->ssl, url->host) ||
		 !SSL_set_tlsext_host_name(line->ssl, url->host))
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if (SSL_connect(line->ssl) != 1 && SSL_get_verify_result(line->ssl) == X509_V_OK) {
		if (line->asks)
			return demands_certificate(url, f);
		return fault_openssl(f, FAULT_NET, "'%s' port %s does not speak TLS as we do",
			url->host, url->port);
	}
	ERR_clear_error();
	return judge(line->ssl, url, ca_file, f);
}

/* --- MQTT ------------------------------------------------------------------------------------- */

/* What a broker answers to a CONNECT of a version of MQTT. */
enum answer { SPEAKS, CLOSES, SILENT, NONSENSE };

/* A clean start, and neither client ID nor user name nor password. */
static const unsigned char connect_v4[] = {0x10, 12, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0, 0};
static const unsigned char connect_v5[] = {0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 0, 0, 0, 0};

static const unsigned char disconnect[] = {0xe0, 0};

static int
say(const struct line *line, const unsigned char *data, size_t len)
{
	if (line->ssl)
		return SSL_write(line->ssl, data, (int)len) == (int)len ? 0 : -1;
	return send(line->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -1;
}

static ssize_t
hear(const struct line *line, unsigned char *to, size_t len)
{
	return line->ssl ? SSL_read(line->ssl, to, (int)len) : recv(line->fd, to, len, 0);
}

/* Whether a CONNACK begins so: for 3.1.1 all four bytes, whose last is one of six codes. */
static bool
is_connack(int version, const unsigned char *head, size_t len)
{
	if (len < 4 || head[0] != 0x20 || head[2] > 1)
		return false;
	if (version == 4)
		return head[1] == 2 && head[3] <= 5;
	/* A reason code that means that it does not speak MQTT 5 means just that. */
	return head[1] >= 3 && (head[3] == 0 || (head[3] >= 0x80 && head[3] != 0x84));
}

static enum answer
ask(const struct line *line, int version)
{
	unsigned char head[4];
	size_t len = 0;

	if (version == 5 ? say(line, connect_v5, sizeof(connect_v5))
			 : say(line, connect_v4, sizeof(connect_v4)))
		return CLOSES;
	while (len < sizeof(head)) {
		ssize_t n;

		errno = 0;
		n = hear(line, head + len, sizeof(head) - len);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? SILENT : CLOSES;
		len += (size_t)n;
	}
	if (!is_connack(version, head, len))
		return NONSENSE;
	say(line, disconnect, sizeof(disconnect));
	return SPEAKS;
}

/* Connects and asks. Returns 0, or -1 with what is wrong before it comes to MQTT. */
static int
try(const struct mqtt_url *url, const char *ca_file, int version, int timeout_s,
	enum answer *ret_answer, struct fault *f)
{
	AUTO(hang_up) struct line line = {.fd = -1};

	if (reach(url, timeout_s, &line.fd, f) || (url->tls && begin_tls(&line, url, ca_file, f)))
		return -1;
	*ret_answer = ask(&line, version);
	/* With TLS 1.3 a client learns only now that its certificate was missed. */
	if (*ret_answer == CLOSES && line.asks)
		return demands_certificate(url, f);
	ERR_clear_error();
	return 0;
}

int
mqtt_diagnose(const struct mqtt_url *url, const char *ca_file, int version, int timeout_s,
	struct fault *f)
{
	const char *names[] = {"3.1.1", "5"};
	int other = version == 5 ? 4 : 5;
	enum answer answer;

	if (try(url, ca_file, version, timeout_s, &answer, f))
		return -1;
	if (answer == SPEAKS)
		return fault_set(f, FAULT_NET,
			"'%s' port %s speaks MQTT %s, but closes the connection without an answer: "
			"are client-id, username and password as it expects them?",
			url->host, url->port, names[version == 5]);
	if (answer != SILENT && try(url, ca_file, other, timeout_s, &answer, f))
		return -1;
	if (answer == SPEAKS)
		return fault_set(f, FAULT_NET,
			"'%s' port %s does not speak MQTT %s, but MQTT %s: set mqtt-version = %s",
			url->host, url->port, names[version == 5], names[other == 5],
			names[other == 5]);
	return fault_set(f, FAULT_NET, "'%s' port %s answers, but not as an MQTT broker", url->host,
		url->port);
}
