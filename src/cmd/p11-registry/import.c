#include "config.h"

#include "commands.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "registry/move.h"
#include "stream.h"

/* Refused devices that are named; the rest are counted. */
#define NAMED_MAX 100

/* Progress on a terminal, and elsewhere. */
#define SHOW_EVERY_S 1
#define LOG_EVERY_S  10
#define PATIENCE_MS  30000

struct import {
	struct place place;
	bool skip_existing;
	bool update_existing;
	bool dry_run;
};

static const struct setting settings[] = {
	REGISTRY_SETTINGS,
	{"skip-existing", 0, SETTING_FLAG, offsetof(struct import, skip_existing),
		.help = "pass over devices that are there already"},
	{"update-existing", 0, SETTING_FLAG, offsetof(struct import, update_existing),
		.help = "give devices that are there what the file says of them"},
	{"dry-run", 0, SETTING_FLAG, offsetof(struct import, dry_run),
		.help = "say what would be done, and change nothing"},
	{NULL},
};

static volatile sig_atomic_t stopped;

static void
stop(int number)
{
	(void)number;
	stopped = 1;
}

/*
 * bindings  gateways whose boundDevices are bound when all devices are there
 * shown     when progress was last said, by the monotonic clock
 */
struct work {
	const struct import *v;
	struct registry *registry;
	struct rules_client at;
	struct stream stream;
	json_t *bindings;
	long results[MOVE_SKIPPED + 1];
	long refused;
	long expired;
	long folded;
	time_t shown;
};

static void
work_clear(struct work *w)
{
	stream_close(&w->stream);
	json_decref(w->bindings);
}

static time_t
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void
show_progress(struct work *w)
{
	bool terminal = isatty(STDERR_FILENO);
	time_t now = now_s();

	if (now - w->shown < (terminal ? SHOW_EVERY_S : LOG_EVERY_S))
		return;
	w->shown = now;
	log_info("%ld created, %ld updated, %ld passed over, %ld refused", w->results[MOVE_CREATED],
		w->results[MOVE_UPDATED], w->results[MOVE_SKIPPED], w->refused);
}

static enum move_existing
existing(const struct import *v)
{
	return v->skip_existing ? MOVE_SKIP : v->update_existing ? MOVE_UPDATE : MOVE_REFUSE;
}

/* An entry of EMQX's names its device otherwise than ours and Google's. */
static int
read_entry(struct work *w, json_t *entry, json_t **ret_device, struct fault *f)
{
	if (json_object_get(entry, "deviceid"))
		return move_from_emqx(entry, &w->at, ret_device, f);
	*ret_device = json_incref(entry);
	return 0;
}

static int
remember_bindings(struct work *w, const json_t *device, struct fault *f)
{
	const json_t *bound = json_object_get(device, "boundDevices");

	if (!json_array_size(bound))
		return 0;
	if (json_array_append_new(
		    w->bindings, json_pack("{s:O, s:O}", "id", json_object_get(device, "id"),
					 "boundDevices", bound)))
		return fault_nomem(f);
	return 0;
}

/* One device that is not taken is no reason to give up the others, but a failing file is. */
static int
take(struct work *w, json_t *entry, struct fault *f)
{
	AUTO(auto_json) json_t *device = NULL;
	struct fault why = FAULT_INIT;
	enum move_result result;
	int expired;

	if (read_entry(w, entry, &device, &why) == 0) {
		if (!device) {
			w->folded++;
			return 0;
		}
		if (move_in_device(w->registry, &w->at, device, existing(w->v), time(NULL), &result,
			    &expired, &why) == 0) {
			w->results[result]++;
			w->expired += expired;
			return result == MOVE_SKIPPED ? 0 : remember_bindings(w, device, f);
		}
	}
	if (why.code == FAULT_IO || why.code == FAULT_NOMEM || why.code == FAULT_NOTFOUND)
		return fault_set(f, why.code, "%s", why.text);
	if (w->refused++ < NAMED_MAX) {
		const char *id = json_string_value(
			json_object_get(device ? device : entry, device ? "id" : "deviceid"));

		log_error("line %ld, device '%.80s' is not taken: %s", w->stream.line, id ? id : "",
			why.text);
	}
	return 0;
}

/* A batch at a time, so that a running broker never waits for long. */
static int
take_batch(struct work *w, bool *ret_more, struct fault *f)
{
	bool more = true;

	if (registry_begin(w->registry, f))
		return -1;
	for (int i = 0; i < MOVE_BATCH && more && !stopped; i++) {
		AUTO(auto_json) json_t *entry = NULL;

		if (stream_next(&w->stream, &entry, f)) {
			/* What was read well before it stays. */
			if (!w->v->dry_run)
				registry_commit(w->registry, NULL);
			registry_rollback(w->registry);
			return -1;
		}
		more = entry != NULL;
		if (entry && take(w, entry, f)) {
			registry_rollback(w->registry);
			return -1;
		}
	}
	*ret_more = more;
	if (w->v->dry_run) {
		registry_rollback(w->registry);
		return 0;
	}
	return registry_commit(w->registry, f);
}

static int
bind_all(struct work *w, struct fault *f)
{
	const json_t *gateway;
	long missing = 0;
	size_t i;

	json_array_foreach(w->bindings, i, gateway)
	{
		int more;

		if (stopped)
			break;
		if (move_in_bindings(w->registry, &w->at, gateway, &more, f))
			return -1;
		missing += more;
	}
	if (missing)
		log_warn("%ld bindings are left out: the device is not there, or is a gateway",
			missing);
	return 0;
}

/* The first value may be the registry itself. */
static int
take_registry(struct work *w, struct fault *f)
{
	AUTO(auto_json) json_t *first = NULL;

	if (stream_next(&w->stream, &first, f))
		return -1;
	if (first && json_object_get(first, "p11-registry"))
		return w->v->dry_run ? 0
				     : move_in_registry(w->registry, &w->at, first, time(NULL), f);
	if (!first || registry_begin(w->registry, f))
		return first ? -1 : 0;
	if (take(w, first, f)) {
		registry_rollback(w->registry);
		return -1;
	}
	if (!w->v->dry_run)
		return registry_commit(w->registry, f);
	registry_rollback(w->registry);
	return 0;
}

static void
say_result(const struct work *w)
{
	log_info("%s%ld created, %ld updated, %ld passed over, %ld refused",
		w->v->dry_run ? "without --dry-run: " : "", w->results[MOVE_CREATED],
		w->results[MOVE_UPDATED], w->results[MOVE_SKIPPED], w->refused);
	if (w->folded)
		log_info("%ld entries under a device's number were passed over", w->folded);
	if (w->expired)
		log_warn("%ld credentials have expired and were left out", w->expired);
}

static int
take_all(struct work *w, struct fault *f)
{
	bool more = true;

	if (take_registry(w, f))
		return -1;
	while (more && !stopped) {
		if (take_batch(w, &more, f))
			return -1;
		show_progress(w);
	}
	return w->v->dry_run ? 0 : bind_all(w, f);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	const struct sigaction action = {.sa_handler = stop};
	const struct import *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(work_clear) struct work w = {.v = v, .shown = now_s(), .bindings = json_array()};
	int rc;

	(void)argc;
	if (v->skip_existing && v->update_existing)
		return fault_set(
			f, FAULT_USAGE, "--skip-existing and --update-existing do not go together");
	if (!w.bindings)
		return fault_nomem(f);
	if (name_things(&v->place, v->place.registry, NULL, &w.at, f) ||
		stream_open(argv[0], &w.stream, f) || create_registry(&v->place, &registry, f))
		return -1;
	registry_set_patience(registry, PATIENCE_MS);
	w.registry = registry;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	rc = take_all(&w, f);
	say_result(&w);
	if (rc)
		return -1;
	if (stopped)
		return fault_set(f, FAULT_CANCELLED,
			"stopped: what was read is there; go on with --skip-existing");
	if (w.refused)
		return fault_set(f, FAULT_NOTFOUND, "%ld devices were not taken", w.refused);
	return 0;
}

const struct command command_import = {
	.name = "import",
	.operands = "FILE",
	.min = 1,
	.max = 1,
	.settings = settings,
	.values_size = sizeof(struct import),
	.summary = "Take in a registry or devices, from here, Cloud IoT Core or EMQX",
	.description =
		"FILE, - for standard input, is what 'export' wrote; what 'gcloud iot devices "
		"list\n"
		"--format=json' or the REST API gave; or EMQX's gcp_device JSON. A registry that "
		"is\n"
		"not there is created when the file has it. Credentials are checked as ever.",
	.run = run,
};
