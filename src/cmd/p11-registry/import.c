#include "config.h"

#include "commands.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "registry/batch.h"
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

/* What is read before it is taken: no more devices, and about so many bytes. */
#define ENTRIES_MAX	  200
#define ENTRIES_BYTES_MAX (8 * 1024 * 1024)

/* A device as the input has it, and the line where it ends. */
struct entry {
	json_t *value;
	long line;
};

/*
 * entries   that were read; next_entry is the one that is taken next
 * bindings  gateways whose boundDevices are bound when all devices are there
 * shown     when progress was last said, by the monotonic clock
 */
struct work {
	const struct import *v;
	struct registry *registry;
	struct rules_client at;
	struct stream stream;
	struct entry entries[ENTRIES_MAX];
	size_t n_entries, next_entry;
	json_t *bindings;
	long results[MOVE_SKIPPED + 1];
	long refused;
	long expired;
	long folded;
	time_t shown;
};

static void
forget_entries(struct work *w)
{
	for (size_t i = 0; i < w->n_entries; i++)
		json_decref(w->entries[i].value);
	w->n_entries = w->next_entry = 0;
}

static void
work_clear(struct work *w)
{
	stream_close(&w->stream);
	forget_entries(w);
	json_decref(w->bindings);
}

static void
show_progress(struct work *w)
{
	bool terminal = isatty(STDERR_FILENO);
	time_t now = clock_ms(CLOCK_MONOTONIC) / 1000;

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
take(struct work *w, const struct entry *entry, struct fault *f)
{
	AUTO(auto_json) json_t *device = NULL;
	struct fault why = FAULT_INIT;
	enum move_result result;
	int expired;

	if (read_entry(w, entry->value, &device, &why) == 0) {
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
		const char *id = json_string_value(json_object_get(
			device ? device : entry->value, device ? "id" : "deviceid"));

		log_error("line %ld, device '%.80s' is not taken: %s", entry->line, id ? id : "",
			why.text);
	}
	return 0;
}

/* Appends the next value of the input. *ret_value is NULL at its end; the entry owns it. */
static int
read_value(struct work *w, json_t **ret_value, struct fault *f)
{
	if (stream_next(&w->stream, ret_value, f))
		return -1;
	if (*ret_value)
		w->entries[w->n_entries++] = (struct entry){*ret_value, w->stream.line};
	return 0;
}

/*
 * Reads some devices. No transaction is open meanwhile: the input may be a pipe that waits.
 *
 * ret_more  false at the end
 *
 * Returns 0; else FAULT_INVALID; what was read before it stands in w->entries.
 */
static int
read_entries(struct work *w, bool *ret_more, struct fault *f)
{
	json_t *value;

	for (size_t bytes = 0; bytes < ENTRIES_BYTES_MAX && w->n_entries < ENTRIES_MAX && !stopped;
		bytes += w->stream.size) {
		if (read_value(w, &value, f))
			return -1;
		*ret_more = value != NULL;
		if (!value)
			return 0;
	}
	*ret_more = true;
	return 0;
}

static int
take_next(struct registry *r, void *with, bool *ret_more, struct fault *f)
{
	struct work *w = with;

	(void)r;
	*ret_more = w->next_entry < w->n_entries && !stopped;
	return *ret_more ? take(w, &w->entries[w->next_entry++], f) : 0;
}

static int
take_entries(struct work *w, struct fault *f)
{
	int rc = batch_run(
		w->registry, w->v->dry_run ? BATCH_ROLL_BACK : BATCH_COMMIT, take_next, w, f);

	forget_entries(w);
	return rc;
}

/* The binding that is made next: of a gateway, one of its devices. */
struct binding {
	struct work *w;
	size_t gateway, device;
	long missing;
};

static int
bind_next(struct registry *r, void *with, bool *ret_more, struct fault *f)
{
	struct binding *b = with;
	const json_t *gateway = json_array_get(b->w->bindings, b->gateway);
	const json_t *devices = json_object_get(gateway, "boundDevices");
	const char *id, *device;
	bool bound = false;

	*ret_more = gateway && !stopped;
	if (!*ret_more)
		return 0;
	if (b->device == json_array_size(devices)) {
		b->gateway++;
		b->device = 0;
		return 0;
	}
	id = json_string_value(json_object_get(gateway, "id"));
	device = json_string_value(json_array_get(devices, b->device++));
	if (id && device && move_in_binding(r, &b->w->at, id, device, &bound, f))
		return -1;
	b->missing += !bound;
	return 0;
}

static int
bind_all(struct work *w, struct fault *f)
{
	struct binding binding = {.w = w};

	if (batch_run(w->registry, BATCH_COMMIT, bind_next, &binding, f))
		return -1;
	if (binding.missing)
		log_warn("%ld bindings are left out: the device is not there, or is a gateway",
			binding.missing);
	return 0;
}

/* The first value may be the registry itself. */
static int
take_registry(struct work *w, struct fault *f)
{
	json_t *first;
	int rc = 0;

	if (read_value(w, &first, f))
		return -1;
	if (!first || !json_object_get(first, "p11-registry"))
		return 0;
	if (!w->v->dry_run)
		rc = move_in_registry(w->registry, &w->at, first, time(NULL), f);
	forget_entries(w);
	return rc;
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
	struct fault unreadable = FAULT_INIT;
	bool more = true;

	if (take_registry(w, f))
		return -1;
	while (more && !stopped) {
		/* What was read before a mistake is taken. */
		more = !read_entries(w, &more, &unreadable) && more;
		if (take_entries(w, f))
			return -1;
		show_progress(w);
	}
	if (unreadable.code)
		return fault_set(f, unreadable.code, "%s", unreadable.text);
	return w->v->dry_run ? 0 : bind_all(w, f);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	const struct sigaction action = {.sa_handler = stop};
	const struct import *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(work_clear)
	struct work w = {
		.v = v, .shown = clock_ms(CLOCK_MONOTONIC) / 1000, .bindings = json_array()};
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
			"stopped: the devices so far are there; continue with --skip-existing");
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
