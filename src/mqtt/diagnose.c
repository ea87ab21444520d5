#include "config.h"

#include "mqtt/diagnose.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/auto.h"

AUTO_DEFINE(ssl, SSL, SSL_free);
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

/* What the certificate is wrong in, in words. */
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
		return fault_set(f, FAULT_NET, "'%s' port %s answers, but not as an MQTT broker",
			url->host, url->port);
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

static int
check_tls(int fd, const struct mqtt_url *url, const char *ca_file, struct fault *f)
{
	AUTO(auto_ssl_ctx) SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	AUTO(auto_ssl) SSL *ssl = NULL;
	unsigned char address[16];
	bool literal = inet_pton(AF_INET, url->host, address) == 1 ||
		       inet_pton(AF_INET6, url->host, address) == 1;

	if (!ctx)
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if ((ca_file ? SSL_CTX_load_verify_file(ctx, ca_file)
		     : SSL_CTX_set_default_verify_paths(ctx)) != 1)
		return fault_openssl(
			f, FAULT_CONFIG, "no CA can be read from '%s'", ca_file ? ca_file : "");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	ssl = SSL_new(ctx);
	if (!ssl || !SSL_set_fd(ssl, fd))
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if (literal)
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url->host);
	else if (!SSL_set1_host(ssl, url->host) || !SSL_set_tlsext_host_name(ssl, url->host))
		return fault_openssl(f, FAULT_CRYPTO, "cannot set up TLS");
	if (SSL_connect(ssl) != 1 && SSL_get_verify_result(ssl) == X509_V_OK)
		return fault_openssl(f, FAULT_NET, "'%s' port %s does not speak TLS as we do",
			url->host, url->port);
	ERR_clear_error();
	return judge(ssl, url, ca_file, f);
}

int
mqtt_diagnose(const struct mqtt_url *url, const char *ca_file, int timeout_s, struct fault *f)
{
	AUTO(auto_fd) int fd = -1;

	if (reach(url, timeout_s, &fd, f))
		return -1;
	if (url->tls)
		return check_tls(fd, url, ca_file, f);
	return fault_set(f, FAULT_NET, "'%s' port %s answers, but not as an MQTT broker", url->host,
		url->port);
}
