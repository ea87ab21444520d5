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

#define ANSWER_MAX (4 * 1024 * 1024)

/* A gateway that is stopped, or hangs, says nothing. */
#define ANSWER_S 10

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

static void
print_error(const json_t *of)
{
	if (*text_of(of, "last_error"))
		printf("          last error: %s\n", text_of(of, "last_error"));
}

static void
print_devices(const json_t *devices)
{
	json_t *device;
	size_t i;

	printf("devices   %lld attached, %lld known\n", number_of(devices, "attached"),
		number_of(devices, "known"));
	json_array_foreach(json_object_get(devices, "list"), i, device)
	{
		printf("  %-24s %-9s %-9s sent %lld, received %lld", text_of(device, "id"),
			text_of(device, "state"),
			json_is_true(json_object_get(device, "present")) ? "present" : "away",
			number_of(device, "sent"), number_of(device, "received"));
		if (number_of(device, "dropped"))
			printf(", dropped %lld", number_of(device, "dropped"));
		puts("");
		if (json_is_true(json_object_get(device, "refused")))
			printf("    refused: %s\n", text_of(device, "last_error"));
	}
}

static void
print_text(const json_t *all)
{
	const json_t *uplink = json_object_get(all, "uplink"),
		     *token = json_object_get(all, "token");
	const json_t *site = json_object_get(all, "site"), *spool = json_object_get(all, "spool");

	printf("uplink    %s, %s for %lld s, %s\n", text_of(uplink, "name"),
		text_of(uplink, "state"), number_of(uplink, "up_s"), text_of(uplink, "url"));
	printf("          sent %lld, acknowledged %lld, in flight %lld, refused %lld\n",
		number_of(uplink, "sent"), number_of(uplink, "acknowledged"),
		number_of(uplink, "in_flight"), number_of(uplink, "refused"));
	print_error(uplink);
	printf("token     JSON Web Token valid for %lld s, %lld signed, %lld failed, last took "
	       "%lld "
	       "ms\n",
		number_of(token, "jwt_seconds_left"), number_of(token, "signatures"),
		number_of(token, "sign_failures"), number_of(token, "last_sign_ms"));
	print_error(token);
	printf("spool     %lld waiting, oldest %lld s, %lld bytes\n", number_of(spool, "waiting"),
		number_of(spool, "oldest_s"), number_of(spool, "bytes"));
	print_error(spool);
	printf("site      %s, delivered %lld, not delivered %lld\n",
		json_is_true(json_object_get(site, "connected")) ? "connected" : "not connected",
		number_of(site, "delivered"), number_of(site, "undelivered"));
	print_devices(json_object_get(all, "devices"));
}

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int
print_once(const struct status *v, const char *path, struct fault *f)
{
	json_t *all = NULL;
	int rc = ask(path, &all, f);

	if (!rc && v->json)
		rc = put_json(all, f);
	else if (!rc)
		print_text(all);
	json_decref(all);
	if (!rc && fflush(stdout))
		rc = fault_errno(f, "cannot write to standard output");
	return rc;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	const struct sigaction action = {.sa_handler = on_signal};
	const struct timespec second = {1, 0};
	struct status *v = values;
	char path[256];

	(void)argc, (void)argv;
	snprintf(path, sizeof(path), "/run/p11-gateway/%s.status", v->name);
	if (v->watch) {
		sigaction(SIGINT, &action, NULL);
		sigaction(SIGTERM, &action, NULL);
	}
	do {
		if (v->watch && !v->json && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		if (print_once(v, v->socket ? v->socket : path, f))
			return -1;
	} while (v->watch && !stop && nanosleep(&second, NULL) == 0);
	return 0;
}

const struct command command_status = {
	.name = "status",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct status),
	.summary = "Show what a running gateway does",
	.run = run,
};
