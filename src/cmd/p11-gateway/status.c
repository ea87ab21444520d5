#include "config.h"

#include "commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/text.h"

#define ANSWER_MAX (4 * 1024 * 1024)

/* A gateway that is stopped, or hangs, says nothing. */
#define ANSWER_S 10

/* A certificate that ends within so many days is warned of. */
#define SOON_DAYS 30

#define SPAN_SIZE 32

struct status {
	char *name;
	char *socket;
	bool json;
	bool watch;
};

static const struct setting settings[] = {
	{"name", 'n', SETTING_TEXT, offsetof(struct status, name), .preset = "uplink",
		.value = "NAME", .help = "the uplink's, by which its socket is found"},
	{"socket", 's', SETTING_TEXT, offsetof(struct status, socket), .value = "FILE",
		.help = "its [status] socket; /run/p11-gateway/NAME.status without it"},
	{"json", 0, SETTING_FLAG, offsetof(struct status, json),
		.help = "print it as one JSON object"},
	{"watch", 'w', SETTING_FLAG, offsetof(struct status, watch),
		.help = "print it again each second, until stopped"},
	{NULL},
};

static int
connect_to(const char *path, struct fault *f)
{
	const struct timeval most = {.tv_sec = ANSWER_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return fault_set(f, FAULT_USAGE, "the socket's path is too long");
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fault_errno(f, "cannot make a socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	/* connect() waits too, when enough wait before it for one that hangs. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	fault_errno(f, "no gateway answers at %s: does it run, and may you ask it", path);
	close(fd);
	return -1;
}

static int
ask(const char *path, json_t **ret, struct fault *f)
{
	AUTO(auto_fd) int fd = connect_to(path, f);
	AUTO(auto_free) char *text = malloc(ANSWER_MAX);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	if (!text)
		return fault_nomem(f);
	while ((n = read(fd, text + len, ANSWER_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0 && errno == EAGAIN)
		return fault_set(f, FAULT_IO, "the gateway at %s does not answer within %d s", path,
			ANSWER_S);
	if (n < 0)
		return fault_errno(f, "cannot read from %s", path);
	*ret = json_loadb(text, len, 0, NULL);
	return *ret ? 0 : fault_set(f, FAULT_IO, "what answers at %s is no gateway", path);
}

static const char *
text_of(const json_t *of, const char *name)
{
	const char *text = json_string_value(json_object_get(of, name));

	return text ? text : "";
}

static long long
number_of(const json_t *of, const char *name)
{
	return json_integer_value(json_object_get(of, name));
}

static double
real_of(const json_t *of, const char *name)
{
	return json_number_value(json_object_get(of, name));
}

/* A span of time, as long as people need it exactly. */
static const char *
span(long long s, char text[SPAN_SIZE])
{
	if (s < 120)
		snprintf(text, SPAN_SIZE, "%lld s", s);
	else if (s < 120 * 60)
		snprintf(text, SPAN_SIZE, "%lld min", s / 60);
	else if (s < 48 * 3600)
		snprintf(text, SPAN_SIZE, "%lld h", s / 3600);
	else
		snprintf(text, SPAN_SIZE, "%lld days", s / 86400);
	return text;
}

static void
print_error(const json_t *of)
{
	const json_t *ago_s = json_object_get(of, "last_error_s");
	char ago[SPAN_SIZE];

	if (!*text_of(of, "last_error"))
		return;
	if (json_is_integer(ago_s))
		printf("          last error, %s ago: %s\n", span(json_integer_value(ago_s), ago),
			text_of(of, "last_error"));
	else
		printf("          last error: %s\n", text_of(of, "last_error"));
}

static void
print_uplink(const json_t *uplink, const json_t *rates)
{
	char up[SPAN_SIZE], refusal[1024];

	printf("uplink    %s, %s", text_of(uplink, "name"), text_of(uplink, "state"));
	if (!strcmp(text_of(uplink, "state"), "up"))
		printf(" for %s", span(number_of(uplink, "up_s"), up));
	printf(", %s\n", text_of(uplink, "url"));
	printf("          sent %lld, acknowledged %lld, in flight %lld, refused %lld, connected "
	       "%lld times\n",
		number_of(uplink, "sent"), number_of(uplink, "acknowledged"),
		number_of(uplink, "in_flight"), number_of(uplink, "refused"),
		number_of(uplink, "connects"));
	printf("          messages/s over 10 s: %.1f up, %.1f down; over 1 min: %.1f up, %.1f "
	       "down\n",
		real_of(rates, "up_10s"), real_of(rates, "down_10s"), real_of(rates, "up_60s"),
		real_of(rates, "down_60s"));
	if (number_of(uplink, "subscriptions_refused")) {
		text_show(text_of(uplink, "subscription_error"), refusal, sizeof(refusal));
		printf("          WARNING: the broker refused %lld subscriptions, the last: %s\n",
			number_of(uplink, "subscriptions_refused"), refusal);
	}
	print_error(uplink);
}

static void
print_settings(const json_t *read)
{
	if (!*text_of(read, "last_error"))
		return;
	printf("settings  WARNING: the gateway runs with the older ones, not with %s\n",
		text_of(read, "file"));
	print_error(read);
}

static void
print_certificate(const json_t *token)
{
	const json_t *certificate = json_object_get(token, "certificate");
	long long days = number_of(certificate, "days_left");
	time_t ends = (time_t)number_of(certificate, "ends");
	char date[32] = "";
	struct tm tm;

	if (!json_is_object(certificate)) {
		printf("          %s\n", number_of(token, "signatures")
						 ? "no certificate seen beside the key"
						 : "certificate not read yet");
		return;
	}
	if (gmtime_r(&ends, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	if (days < 0)
		printf("          WARNING: the certificate ended on %s\n", date);
	else
		printf("          %scertificate ends in %lld days, on %s\n",
			days < SOON_DAYS ? "WARNING: " : "", days, date);
}

static void
print_token(const json_t *token)
{
	char left[SPAN_SIZE];

	if (json_is_false(json_object_get(token, "used"))) {
		printf("token     not used: the password has no JSON Web Token in it\n");
		print_error(token);
		return;
	}
	printf("token     JSON Web Token valid for %s, %lld signed, %lld failed, last took %lld "
	       "ms\n",
		span(number_of(token, "jwt_seconds_left"), left), number_of(token, "signatures"),
		number_of(token, "sign_failures"), number_of(token, "last_sign_ms"));
	if (number_of(token, "renewal_failures"))
		printf("          WARNING: no newer one can be signed, tried %lld times\n",
			number_of(token, "renewal_failures"));
	print_certificate(token);
	print_error(token);
}

static void
print_spool(const json_t *spool)
{
	const char *reason;
	char oldest[SPAN_SIZE];
	json_t *n;

	printf("spool     %lld waiting", number_of(spool, "waiting"));
	if (number_of(spool, "waiting"))
		printf(", the oldest for %s", span(number_of(spool, "oldest_s"), oldest));
	printf(", %lld bytes, dropped %lld", number_of(spool, "bytes"),
		number_of(spool, "dropped"));
	json_object_foreach(json_object_get(spool, "drops"), reason, n)
	{
		if (json_integer_value(n))
			printf(", %s %lld", reason, (long long)json_integer_value(n));
	}
	if (number_of(spool, "lost"))
		printf(", lost %lld", number_of(spool, "lost"));
	puts("");
	print_error(spool);
}

static void
print_blocked(const json_t *blocked)
{
	long long more = number_of(blocked, "topics") - number_of(blocked, "listed");
	char device[256], topic[512], reason[512], since[SPAN_SIZE], next[SPAN_SIZE];
	const json_t *t;
	size_t i;

	if (number_of(blocked, "topics"))
		printf("blocked   WARNING: the broker refuses %lld topics\n",
			number_of(blocked, "topics"));
	json_array_foreach(json_object_get(blocked, "list"), i, t)
	{
		text_show(text_of(t, "device"), device, sizeof(device));
		text_show(text_of(t, "topic"), topic, sizeof(topic));
		text_show(text_of(t, "reason"), reason, sizeof(reason));
		printf("  device %s, topic %s, dropped %lld\n", device, topic,
			number_of(t, "dropped"));
		printf("    refused for %s, next attempt in %s: %s\n",
			span(number_of(t, "since_s"), since),
			span(number_of(t, "next_attempt_s"), next), reason);
	}
	if (more > 0)
		printf("  and %lld more\n", more);
}

static void
print_device(const json_t *device)
{
	long long dropped = number_of(device, "dropped") + number_of(device, "spool_dropped");
	char ago[SPAN_SIZE];

	printf("  %-24s %-9s %-9s sent %lld, received %lld", text_of(device, "id"),
		text_of(device, "state"),
		json_is_true(json_object_get(device, "present")) ? "present" : "away",
		number_of(device, "sent"), number_of(device, "received"));
	if (dropped)
		printf(", dropped %lld", dropped);
	puts("");
	if (json_is_true(json_object_get(device, "refused")))
		printf("    refused for %s: %s\n", span(number_of(device, "refused_s"), ago),
			text_of(device, "last_error"));
}

static void
print_devices(const json_t *devices)
{
	long long more = number_of(devices, "known") - number_of(devices, "listed");
	json_t *device;
	size_t i;

	printf("devices   %lld attached, %lld known (at most %lld), %lld refused, %lld waiting",
		number_of(devices, "attached"), number_of(devices, "known"),
		number_of(devices, "known_max"), number_of(devices, "refused"),
		number_of(devices, "waiting"));
	if (number_of(devices, "forgotten"))
		printf(", %lld forgotten", number_of(devices, "forgotten"));
	puts("");
	json_array_foreach(json_object_get(devices, "list"), i, device)
	{
		print_device(device);
	}
	if (more > 0)
		printf("  and %lld more\n", more);
}

static void
print_text(const json_t *all)
{
	const json_t *site = json_object_get(all, "site");
	char refusing[512];

	if (json_object_get(all, "error")) {
		puts(text_of(all, "error"));
		return;
	}
	print_settings(json_object_get(all, "settings"));
	print_uplink(json_object_get(all, "uplink"), json_object_get(all, "rates"));
	print_token(json_object_get(all, "token"));
	print_spool(json_object_get(all, "spool"));
	printf("site      %s, delivered %lld, not delivered %lld\n",
		json_is_true(json_object_get(site, "connected")) ? "connected" : "not connected",
		number_of(site, "delivered"), number_of(site, "undelivered"));
	if (*text_of(site, "refusing")) {
		text_show(text_of(site, "refusing"), refusing, sizeof(refusing));
		printf("          WARNING: the site's broker accepts no messages: %s\n", refusing);
	}
	print_blocked(json_object_get(all, "blocked"));
	print_devices(json_object_get(all, "devices"));
}

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

/*
 * Who watches sees in the status' place why there is none, as while a gateway is started again; a
 * path that cannot be a socket's will not become one.
 */
static int
ask_on(const char *path, json_t **ret, struct fault *f)
{
	if (ask(path, ret, f) == 0)
		return 0;
	if (!stop && f->code != FAULT_USAGE)
		*ret = json_pack("{s:s}", "error", f->text);
	return *ret ? 0 : -1;
}

static int
print_once(const struct status *v, const char *path, struct fault *f)
{
	json_t *all = NULL;
	int rc = v->watch ? ask_on(path, &all, f) : ask(path, &all, f);

	if (!rc && v->watch && !v->json && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	if (!rc && v->json)
		rc = put_json(all, f);
	else if (!rc && (rc = make_fit(all, f)) == 0)
		print_text(all);
	json_decref(all);
	if (!rc && fflush(stdout))
		rc = fault_errno(f, "cannot write to standard output");
	return rc;
}

static int
watch(const struct status *v, const char *path, struct fault *f)
{
	/* What waits is to be interrupted: no SA_RESTART. */
	const struct sigaction action = {.sa_handler = on_signal};
	const struct timespec second = {1, 0};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!stop) {
		if (print_once(v, path, f) && !stop)
			return -1;
		if (!stop)
			nanosleep(&second, NULL);
	}
	return 0;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	const struct status *v = values;
	char path[256];

	(void)argc, (void)argv;
	snprintf(path, sizeof(path), "/run/p11-gateway/%s.status", v->name);
	return (v->watch ? watch : print_once)(v, v->socket ? v->socket : path, f);
}

const struct command command_status = {
	.name = "status",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct status),
	.summary = "Show what a running gateway does",
	.run = run,
};
