#include "config.h"

#include "commands.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"

#define POLL_NS (20 * 1000 * 1000)

struct send {
	struct place place;
	char *device;
	char *data;
	char *file;
	char *subfolder;
	long timeout_s;
};

static const struct setting send_settings[] = {
	REGISTRY_SETTINGS,
	{"device", 0, SETTING_TEXT, offsetof(struct send, device), .value = "ID",
		.help = "the device's id"},
	{"command-data", 0, SETTING_TEXT, offsetof(struct send, data), .value = "TEXT",
		.help = "the command itself"},
	{"command-file", 0, SETTING_TEXT, offsetof(struct send, file), .value = "FILE",
		.help = "a file that holds it, 256 KB at most"},
	{"subfolder", 0, SETTING_TEXT, offsetof(struct send, subfolder), .preset = "", .value = "S",
		.help = "it goes to the topic commands/S"},
	{"timeout", 0, SETTING_DURATION, offsetof(struct send, timeout_s), .preset = "10", .min = 1,
		.max = 3600, .value = "SECONDS", .help = "how long to wait for the broker"},
	{NULL},
};

static volatile sig_atomic_t stopped;

static void
stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* A command that nobody waits for any more must not be sent: its row goes first. */
static void
catch_signals(void)
{
	const struct sigaction action = {.sa_handler = stop};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* Until it is answered, the time is over, or the user stops it. */
static int
wait_for_answer(struct registry *registry, int64_t id, long timeout_s, struct fault *f)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	long until = clock_ms(CLOCK_MONOTONIC) / 1000 + timeout_s;
	struct store_answer answer = {.done = 0};

	while (!stopped && clock_ms(CLOCK_MONOTONIC) / 1000 <= until) {
		if (registry_changed(registry) && store_command_look(registry, id, &answer, f))
			return -1;
		if (answer.done)
			return 0;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* What the broker said, or that it said nothing. */
static int
judge(const struct store_answer *answer, long timeout_s, struct fault *f)
{
	if (answer->done == 1)
		return 0;
	if (answer->done)
		return fault_set(f, FAULT_PRECONDITION, "FAILED_PRECONDITION: %s", answer->outcome);
	if (stopped)
		return fault_set(f, FAULT_CANCELLED, "stopped: the command was not sent");
	return fault_set(f, FAULT_NET,
		"no broker answered within %ld s: is mosquitto with p11_registry.so running on "
		"this file?",
		timeout_s);
}

static int
deliver(struct registry *registry, const struct rules_client *at, struct store_command *command,
	long timeout_s, struct store_answer *ret, struct fault *f)
{
	time_t now = time(NULL);
	int64_t id;
	int failed;

	command->expires = now + timeout_s;
	catch_signals();
	if (store_command_put(registry, at, command, now, &id, f))
		return -1;
	failed = wait_for_answer(registry, id, timeout_s, f);
	if (store_command_end(registry, at, id, stopped ? "stopped" : "no broker answered", ret,
		    failed ? NULL : f) ||
		failed)
		return -1;
	return judge(ret, timeout_s, f);
}

static int
send(void *values, int argc, char **argv, struct fault *f)
{
	struct send *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_free) char *data = NULL;
	struct store_command command = {.subfolder = v->subfolder};
	struct store_answer answer;
	struct rules_client at;

	(void)argc, (void)argv;
	if (read_data("command", v->data, v->file, RULES_COMMAND_MAX, &data, &command.len, f))
		return -1;
	if (!data)
		return fault_set(f, FAULT_USAGE, "give --command-data or --command-file");
	command.data = data;
	if (require("device", v->device, f) ||
		name_things(&v->place, v->place.registry, v->device, &at, f) ||
		open_registry(&v->place, &registry, f) ||
		deliver(registry, &at, &command, v->timeout_s, &answer, f))
		return -1;
	if (is_json(&v->place)) {
		AUTO(auto_json) json_t *about = json_pack("{s:s}", "outcome", answer.outcome);

		return about ? put_thing(&v->place, about, f) : fault_nomem(f);
	}
	puts(answer.outcome);
	return 0;
}

const struct command command_commands_send = {
	.name = "devices commands send",
	.operands = "",
	.settings = send_settings,
	.values_size = sizeof(struct send),
	.summary = "Send a command to a connected device",
	.description =
		"A running broker delivers it at once and says what it did; it is not kept for a\n"
		"device that is not connected and subscribed to its commands.",
	.run = send,
};
