#include "config.h"

#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "gateway/pace.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "mqtt/mqtt.h"
#include "pki/cert.h"
#include "registry/rules.h"
#include "registry/topic.h"

struct publish {
	struct token_options token;
	char *url;
	char *ca_file;
	char *project;
	char *region;
	char *registry;
	char *device;
	char *message;
	char *file;
	bool lines;
	char *subfolder;
	bool state;
	long qos;
	bool x5c;
	long lifetime_s;
	long keep_alive_s;
	long timeout_s;
	char *mqtt_version;
	long rate;
	long byte_rate;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"url", 'u', SETTING_TEXT, offsetof(struct publish, url), .env = "P11_GATEWAY_URL",
		.value = "URL", .help = "the broker: mqtts://HOST[:8883] or mqtt://HOST[:1883]"},
	{"ca-file", 0, SETTING_TEXT, offsetof(struct publish, ca_file),
		.env = "P11_GATEWAY_CA_FILE", .value = "FILE",
		.help = "CAs the broker is trusted by; the system's without it"},
	{"project", 0, SETTING_TEXT, offsetof(struct publish, project),
		.env = "P11_REGISTRY_PROJECT", .value = "ID", .help = "the project's id"},
	{"region", 0, SETTING_TEXT, offsetof(struct publish, region), .env = "P11_REGISTRY_REGION",
		.value = "REGION", .help = "the registry's region"},
	{"registry", 0, SETTING_TEXT, offsetof(struct publish, registry), .value = "ID",
		.help = "the registry's id"},
	{"device", 0, SETTING_TEXT, offsetof(struct publish, device), .value = "ID",
		.help = "the device's id, or the gateway's"},
	{"message", 'm', SETTING_TEXT, offsetof(struct publish, message), .value = "TEXT",
		.help = "publish this text"},
	{"file", 'f', SETTING_TEXT, offsetof(struct publish, file), .value = "FILE",
		.help = "publish what this file holds; - is standard input"},
	{"lines", 'l', SETTING_FLAG, offsetof(struct publish, lines),
		.help = "publish each line of standard input as a message"},
	{"subfolder", 0, SETTING_TEXT, offsetof(struct publish, subfolder), .value = "PATH",
		.help = "publish to events/PATH"},
	{"state", 0, SETTING_FLAG, offsetof(struct publish, state),
		.help = "publish as the device's state, not as telemetry"},
	{"qos", 'q', SETTING_NUMBER, offsetof(struct publish, qos), .preset = "1", .min = 0,
		.max = 1, .value = "N", .help = "quality of service"},
	{"lifetime", 0, SETTING_DURATION, offsetof(struct publish, lifetime_s), .preset = "1h",
		.min = 60, .max = JWT_LIFETIME_MAX_S, .value = "TIME",
		.help = "how long the JSON Web Token is valid; the broker ends the connection "
			"then"},
	{"x5c", 0, SETTING_FLAG, offsetof(struct publish, x5c),
		.help = "put the key's certificate, from the token, into the JSON Web Token: a "
			"registry may take an unknown device by it"},
	{"keep-alive", 0, SETTING_DURATION, offsetof(struct publish, keep_alive_s), .preset = "60s",
		.min = 10, .max = 1200, .value = "TIME", .help = "MQTT's keep-alive"},
	{"timeout", 0, SETTING_DURATION, offsetof(struct publish, timeout_s), .preset = "30s",
		.min = 1, .max = 600, .value = "TIME",
		.help = "how long to wait for the broker without any progress"},
	{"mqtt-version", 0, SETTING_CHOICE, offsetof(struct publish, mqtt_version),
		.preset = "3.1.1", .words = "3.1.1 5", .value = "VERSION",
		.help = "the protocol's version"},
	{"rate", 0, SETTING_NUMBER, offsetof(struct publish, rate), .preset = "100", .min = 0,
		.max = 1000000, .value = "N",
		.help = "messages a second that the broker allows, on average; 0 means no limit"},
	{"byte-rate", 0, SETTING_NUMBER, offsetof(struct publish, byte_rate), .preset = "524288",
		.min = 0, .max = INT_MAX, .value = "N",
		.help = "bytes of payload a second that the broker allows; 0 means no limit"},
	{NULL},
};

/*
 * A message is named by its line number where lines are published.
 *
 * timer  readable when the rate allows another message; set by wait_for_rate()
 */
struct tally {
	bool lines;
	int timer;
	struct pace pace;
	uint64_t sent, arrived;
};

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static bool
cancelled(void)
{
	return stop;
}

/* Without SA_RESTART, so that a read of standard input ends too. */
static void
catch_signals(void)
{
	const struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int
check(const struct publish *v, struct fault *f)
{
	int sources = (v->message != NULL) + (v->file != NULL) + v->lines;

	if (require("url", v->url, f) || require("project", v->project, f) ||
		require("region", v->region, f) || require("registry", v->registry, f) ||
		require("device", v->device, f) || rules_check_id("registry", v->registry, f) ||
		rules_check_id("device", v->device, f))
		return -1;
	if (sources != 1)
		return fault_set(f, FAULT_USAGE,
			"say what to publish with one of --message, --file and --lines");
	if (v->state && v->subfolder)
		return fault_set(f, FAULT_USAGE, "--state takes no --subfolder");
	return 0;
}

static int
make_topic(const struct publish *v, char **ret_topic, struct fault *f)
{
	AUTO(auto_free) char *topic = NULL;
	const char *subfolder = v->subfolder ? v->subfolder : "";
	int n = v->state ? asprintf(&topic, "/devices/%s/state", v->device)
			 : asprintf(&topic, "/devices/%s/events%s%s", v->device,
				   *subfolder ? "/" : "", subfolder);

	if (n < 0) {
		topic = NULL;
		return fault_nomem(f);
	}
	/* What the registry would refuse is refused here, with the reason. */
	if (topic_check_subfolder(subfolder, f))
		return -1;
	*ret_topic = TAKE(topic);
	return 0;
}

/* What is signed, the certificate that must fit the key or NULL, and the token. */
struct work {
	json_t *header;
	json_t *claims;
	X509 *cert;
	char *jwt;
};

static int
sign(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;

	if (w->cert && cert_check_key(w->cert, key, f))
		return fault_prefix(f, "--x5c");
	return jwt_sign(w->header, w->claims, key, &w->jwt, f);
}

static void
work_clear(struct work *w)
{
	json_decref(w->header);
	json_decref(w->claims);
	X509_free(w->cert);
	secret_free(w->jwt);
}

/* The token is open only while it signs: the connection needs the key no more. */
static int
make_jwt(const struct publish *v, char **ret_jwt, struct fault *f)
{
	AUTO(work_clear) struct work w = {.header = json_object()};

	if (!w.header)
		return fault_nomem(f);
	if ((v->x5c && add_x5c(&v->token, w.header, &w.cert, f)) ||
		jwt_claims(v->project, v->lifetime_s, time(NULL), &w.claims, f) ||
		use_key(&v->token, sign, &w, f))
		return -1;
	*ret_jwt = TAKE(w.jwt);
	return 0;
}

static int
connect_as_device(const struct publish *v, struct mqtt **ret_mqtt, struct fault *f)
{
	AUTO(auto_secret) char *jwt = NULL;
	AUTO(auto_free) char *client_id = NULL;

	if (asprintf(&client_id, "projects/%s/locations/%s/registries/%s/devices/%s", v->project,
		    v->region, v->registry, v->device) < 0) {
		client_id = NULL;
		return fault_nomem(f);
	}
	if (make_jwt(v, &jwt, f))
		return -1;
	const struct mqtt_options options = {
		.url = v->url,
		.client_id = client_id,
		.username = "unused", /* some clients and brokers drop a password without one */
		.password = jwt,
		.version = strcmp(v->mqtt_version, "5") == 0 ? 5 : 4,
		.ca_file = v->ca_file,
		.keep_alive_s = (int)v->keep_alive_s,
		.timeout_s = (int)v->timeout_s,
		.cancelled = cancelled,
	};
	return mqtt_connect(&options, ret_mqtt, f);
}

static void
on_done(void *with, uint64_t tag, const struct fault *failed)
{
	struct tally *tally = with;

	if (!failed)
		tally->arrived++;
	else if (tally->lines)
		log_error("line %" PRIu64 ": not delivered: %s", tag, failed->text);
	else
		log_error("not delivered: %s", failed->text);
}

/* Keeps the connection up until the rate allows a message of this length, and counts it. */
static int
wait_for_rate(const struct publish *v, struct mqtt *mqtt, struct tally *tally, size_t len,
	struct fault *f)
{
	const struct pace_rates rates = {.messages = v->rate, .bytes = v->byte_rate};
	int64_t wait_ms;

	while ((wait_ms = pace_wait_ms(&tally->pace, clock_ms(CLOCK_MONOTONIC)))) {
		const struct itimerspec time = {
			.it_value = {wait_ms / 1000, wait_ms % 1000 * 1000000}};

		if (timerfd_settime(tally->timer, 0, &time, NULL))
			return fault_errno(f, "cannot set a timer");
		if (mqtt_await(mqtt, tally->timer, f))
			return -1;
	}
	pace_spend(&tally->pace, &rates, 0, len, clock_ms(CLOCK_MONOTONIC));
	return 0;
}

static int
publish_one(const struct publish *v, struct mqtt *mqtt, const char *topic, struct tally *tally,
	struct fault *f)
{
	AUTO(auto_free) char *data = NULL;
	size_t len;

	if (v->file) {
		if (file_read(v->file, MQTT_PAYLOAD_MAX, &data, &len, f))
			return -1;
		tally->sent++;
		return mqtt_publish(mqtt, topic, data, len, (int)v->qos, 1, f);
	}
	tally->sent++;
	return mqtt_publish(mqtt, topic, v->message, strlen(v->message), (int)v->qos, 1, f);
}

/* Standard input, read in blocks: to wait for it must not be to forget the connection. */
struct input {
	char block[65536];
	size_t at, len;
	bool ended;
};

/* Returns 0 with a block, or none at the end. */
static int
read_block(struct input *in, struct mqtt *mqtt, struct fault *f)
{
	ssize_t got;

	if (mqtt_await(mqtt, STDIN_FILENO, f))
		return -1;
	got = read(STDIN_FILENO, in->block, sizeof(in->block));
	if (got < 0 && errno == EINTR)
		return 0;
	if (got < 0)
		return fault_errno(f, "cannot read standard input");
	in->at = 0;
	in->len = (size_t)got;
	in->ended = got == 0;
	return 0;
}

/*
 * Reads a line, keeping at most `size` bytes of it, without its line end; a longer one is read to
 * its end and reported as size + 1 long.
 *
 * ret_any  false at the end
 */
static int
read_line(struct input *in, struct mqtt *mqtt, char *buffer, size_t size, size_t *ret_len,
	bool *ret_any, struct fault *f)
{
	size_t len = 0;
	bool begun = false, whole = false;

	while (!whole && !in->ended) {
		if (in->at == in->len && read_block(in, mqtt, f))
			return -1;
		while (in->at < in->len && !whole) {
			char c = in->block[in->at++];

			begun = true;
			whole = c == '\n';
			if (!whole && len < size)
				buffer[len] = c;
			if (!whole && len <= size)
				len++;
		}
	}
	*ret_len = len;
	*ret_any = begun;
	return 0;
}

static int
publish_lines(const struct publish *v, struct mqtt *mqtt, const char *topic, struct tally *tally,
	struct fault *f)
{
	AUTO(auto_fd) int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	AUTO(auto_free) char *line = malloc(MQTT_PAYLOAD_MAX);
	AUTO(auto_free) struct input *in = calloc(1, sizeof(*in));
	bool any;
	size_t len;

	if (!line || !in)
		return fault_nomem(f);
	if (timer < 0)
		return fault_errno(f, "cannot make a timer");
	tally->timer = timer;
	for (;;) {
		if (stop)
			return fault_set(f, FAULT_CANCELLED, "stopped: the rest was not read");
		if (read_line(in, mqtt, line, MQTT_PAYLOAD_MAX, &len, &any, f))
			return -1;
		if (!any)
			return 0;
		tally->sent++;
		if (len > MQTT_PAYLOAD_MAX)
			log_error("line %" PRIu64 ": not delivered: longer than %d bytes",
				tally->sent, MQTT_PAYLOAD_MAX);
		else if (wait_for_rate(v, mqtt, tally, len, f) ||
			 mqtt_publish(mqtt, topic, line, len, (int)v->qos, tally->sent, f))
			return -1;
	}
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct publish *v = values;
	struct tally tally = {.lines = v->lines};
	AUTO(auto_free) char *topic = NULL;
	AUTO(auto_mqtt) struct mqtt *mqtt = NULL;
	struct fault drained = FAULT_INIT;
	int rc;

	(void)argc, (void)argv;
	if (check(v, f) || make_topic(v, &topic, f))
		return -1;
	catch_signals();
	if (connect_as_device(v, &mqtt, f))
		return -1;
	mqtt_on_done(mqtt, on_done, &tally);
	rc = v->lines ? publish_lines(v, mqtt, topic, &tally, f)
		      : publish_one(v, mqtt, topic, &tally, f);
	if (mqtt_drain(mqtt, rc ? &drained : f))
		rc = -1;
	if (v->lines)
		log_info(
			"%" PRIu64 " of %" PRIu64 " messages delivered", tally.arrived, tally.sent);
	if (rc == 0 && tally.arrived < tally.sent)
		return fault_set(f, FAULT_NET, "%" PRIu64 " of %" PRIu64 " messages not delivered",
			tally.sent - tally.arrived, tally.sent);
	return rc;
}

const struct command command_publish = {
	.name = "publish",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct publish),
	.summary = "Connect as the device with a JSON Web Token and publish",
	.description = "The token signs once; the broker is checked against its CA and host name.\n"
		       "Each message that the broker does not take is reported, with its line's\n"
		       "number for --lines; the exit status is 0 when all were taken. Lines are\n"
		       "sent no faster than --rate and --byte-rate, whose presets are Cloud IoT\n"
		       "Core's limits.",
	.run = run,
};
