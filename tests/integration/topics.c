/*
 * Publishes by hand, as the gateway `gateway`, what no client library would.
 *
 * topics PORT FOLDER attached  attaches one, two and three: the third must be refused
 * topics PORT FOLDER topics    each of a table of topics that are none: the connection must be
 *                              closed, or the gateway told, and the broker must live
 *
 * FOLDER has gateway.key. Exit status 0 when all was as it must be.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "broker-token.h"
#include "raw-mqtt.h"

#define DEVICES "projects/test-project/locations/us-central1/registries/reg/devices/"
#define HEADER	"{\"alg\":\"ES256\",\"typ\":\"JWT\"}"
#define CLAIMS	"{\"iat\":{-10},\"exp\":{3000},\"aud\":\"test-project\"}"

static uint16_t port;
static EVP_PKEY *key;
static int failures;

static struct raw_gateway *
open_gateway(void)
{
	AUTO(auto_free) char *claims = with_times(CLAIMS);
	AUTO(auto_free) char *input = token_input(HEADER, claims, strlen(claims));
	AUTO(auto_free) char *token = token_signed(input, key, SIGN_AS_JOSE);

	return raw_gateway_open(port,
		&(struct raw_connect){DEVICES "gateway", token, strlen(token), false}, "gateway");
}

static const struct {
	const char *what;
	const char *topic;
	size_t len;
} rows[] = {
#define ROW(what, topic) \
	{ \
		what, topic, sizeof(topic) - 1 \
	}
	ROW("a NUL in the device", "/devices/gate\0way/events"),
	ROW("a NUL behind", "/devices/gateway/events\0x"),
	ROW("a NUL alone", "\0"),
	ROW("no UTF-8", "/devices/gateway/events/\xff\xfe"),
	ROW("overlong UTF-8", "/devices/gateway/events/\xc0\xaf"),
	ROW("a surrogate", "/devices/gateway/events/\xed\xa0\x80"),
	ROW("UTF-8 cut off", "/devices/gateway/events/\xe2\x82"),
	ROW("a control character", "/devices/gateway/events/\x01"),
	ROW("a letter beyond ASCII", "/devices/gateway/events/\xc3\xa9"),
	ROW("a wildcard", "/devices/gateway/events/#"),
	ROW("a wildcard for the device", "/devices/+/events"),
	ROW("a wildcard in the subfolder", "/devices/gateway/events/+"),
	ROW("nothing", ""),
	ROW("a slash", "/"),
	ROW("no slash before it", "devices/gateway/events"),
	ROW("a slash more", "/devices/gateway/events/"),
	ROW("two slashes", "/devices/gateway/events//x"),
	ROW("a dot-dot id", "/devices/../events"),
	ROW("capitals", "/DEVICES/gateway/EVENTS"),
	ROW("control", "$CONTROL/dynamic-security/v1"),
	ROW("where taken ones end", "$p11-registry/taken"),
	ROW("the backend's", "projects/test-project/topics/events/registries/reg/devices/x/events"),
	ROW("its own config", "/devices/gateway/config"),
	ROW("its own commands", "/devices/gateway/commands/x"),
	ROW("its own errors", "/devices/gateway/errors"),
	ROW("an attach of nobody", "/devices//attach"),
	ROW("an attach of itself", "/devices/gateway/attach"),
	ROW("an attach of a stranger", "/devices/nobody/attach"),
	ROW("a detach of a stranger", "/devices/nobody/detach"),
	ROW("another's events", "/devices/good/events"),
#undef ROW
};

static void
expect_refused(const char *what, const char *topic, size_t len)
{
	struct raw_gateway *gateway = open_gateway();

	if (!raw_refused(gateway, topic, len, "planted")) {
		printf("FAIL: %s: taken\n", what);
		failures++;
	}
	raw_gateway_close(gateway);
}

static void
bad_topics(void)
{
	static char large[65536];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused(rows[i].what, rows[i].topic, rows[i].len);
	memset(large, 'x', sizeof(large));
	memcpy(large, "/devices/gateway/events/", 24);
	expect_refused("a subfolder of 64 KB", large, 65535);
	memset(large, '/', sizeof(large));
	expect_refused("64 KB of slashes", large, 65535);
	printf("%zu topics: %d failures\n", sizeof(rows) / sizeof(rows[0]) + 2, failures);
}

static void
attached(void)
{
	struct raw_gateway *gateway = open_gateway();
	static const char *const names[] = {"one", "two", "three"};

	for (int i = 0; i < 3; i++) {
		if (raw_stays_attached(gateway, names[i]) != (i < 2))
			failures++;
	}
	raw_gateway_close(gateway);
}

int
main(int argc, char **argv)
{
	char path[4096];

	if (argc != 4)
		fail("usage: topics PORT FOLDER attached|topics");
	port = (uint16_t)atoi(argv[1]);
	snprintf(path, sizeof(path), "%s/gateway.key", argv[2]);
	key = read_key(path);
	if (!strcmp(argv[3], "attached"))
		attached();
	else
		bad_topics();
	EVP_PKEY_free(key);
	return failures ? 1 : 0;
}
