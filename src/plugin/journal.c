#include "config.h"

#include "plugin/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

#include "registry/limits.h"

#define NAME "p11_registry"

/* Lines and activities that wait at most: what is more is counted. */
#define EVENTS_MAX   2000
#define LEAVINGS_MAX 2000

/* How long they wait, and how many are written in one go: the broker stands still meanwhile. */
#define FLUSH_EVERY_MS 500
#define FLUSH_MAX      500

/* Lines about strangers in a second: whoever knocks must not push out what happened to devices. */
#define REFUSED_PER_S 20

/* Lines about what one connection does wrong in a second. */
#define WRONGS_PER_S 5

/* Characters of a client id in a log line. */
#define SHOWN_MAX 200

#define DETAIL_SIZE sizeof(((struct registry_event *)0)->detail)

struct leaving {
	int64_t device_row;
	struct registry_activity activity;
};

struct journal {
	struct registry *registry;
	struct roster *roster;
	struct registry_event *events;
	size_t n_events;
	struct leaving *leavings;
	size_t n_leavings;
	unsigned long lost;
	unsigned long unrecorded;
	struct limits_bucket refused;
	int64_t flushed_ms;
	bool failing;
};

int
journal_new(struct registry *registry, struct roster *roster, struct journal **ret_journal,
	struct fault *f)
{
	AUTO(auto_journal) struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return fault_nomem(f);
	journal->events = calloc(EVENTS_MAX, sizeof(*journal->events));
	journal->leavings = calloc(LEAVINGS_MAX, sizeof(*journal->leavings));
	if (!journal->events || !journal->leavings)
		return fault_nomem(f);
	journal->registry = registry;
	journal->roster = roster;
	*ret_journal = TAKE(journal);
	return 0;
}

static void
drop_leavings(struct journal *journal)
{
	for (size_t i = 0; i < journal->n_leavings; i++)
		free(journal->leavings[i].activity.error_text);
	journal->n_leavings = 0;
}

/* What comes from outside is shown in plain characters only. */
static const char *
plain(const char *text, char *shown)
{
	size_t n;

	for (n = 0; n < SHOWN_MAX && text[n]; n++)
		shown[n] = text[n] > ' ' && text[n] < 0x7f ? text[n] : '?';
	strcpy(shown + n, text[n] ? "..." : "");
	return shown;
}

void
journal_failure(const char *what, const char *who, const char *reason)
{
	char shown[SHOWN_MAX + 4];

	mosquitto_log_printf(
		MOSQ_LOG_ERR, NAME ": %s client=%s reason=%s", what, plain(who, shown), reason);
}

static int
write_leavings(struct journal *journal, struct fault *f)
{
	for (size_t i = 0; i < journal->n_leavings; i++) {
		if (registry_keep_activity(journal->registry, journal->leavings[i].device_row,
			    &journal->leavings[i].activity, f))
			return -1;
	}
	return 0;
}

static int
write_activities(struct journal *journal, struct device **devices, size_t n, struct fault *f)
{
	for (size_t i = 0; i < n; i++) {
		if (registry_keep_activity(journal->registry, devices[i]->admission.device_row,
			    &devices[i]->activity, f))
			return -1;
	}
	return 0;
}

static int
write_events(struct journal *journal, struct fault *f)
{
	for (size_t i = 0; i < journal->n_events; i++) {
		if (registry_keep_event(journal->registry, &journal->events[i], f))
			return -1;
	}
	return 0;
}

/* All of it in one transaction; when that fails everything waits for the next time. */
static int
flush(struct journal *journal, struct fault *f)
{
	struct device *devices[FLUSH_MAX];
	size_t n = 0;

	if (registry_begin(journal->registry, f))
		return -1;
	while (n < FLUSH_MAX && (devices[n] = roster_take_noted(journal->roster)))
		n++;
	if (write_events(journal, f) || write_leavings(journal, f) ||
		write_activities(journal, devices, n, f) || registry_commit(journal->registry, f)) {
		registry_rollback(journal->registry);
		for (size_t i = 0; i < n; i++)
			roster_note(journal->roster, devices[i]);
		return -1;
	}
	for (size_t i = 0; i < n; i++) {
		free(devices[i]->activity.error_text);
		devices[i]->activity = (struct registry_activity){0};
	}
	journal->n_events = 0;
	drop_leavings(journal);
	return 0;
}

/* A place for a line, or NULL when too many wait and cannot be written down. */
static struct registry_event *
new_event(struct journal *journal, const char *name)
{
	struct registry_event *event;

	if (journal->n_events >= EVENTS_MAX && flush(journal, NULL)) {
		journal->lost++;
		return NULL;
	}
	event = &journal->events[journal->n_events++];
	event->when = time(NULL);
	event->event = name;
	return event;
}

static const int broker_level[] = {
	[RULES_LOG_NONE] = MOSQ_LOG_DEBUG,
	[RULES_LOG_ERROR] = MOSQ_LOG_NOTICE,
	[RULES_LOG_INFO] = MOSQ_LOG_INFO,
	[RULES_LOG_DEBUG] = MOSQ_LOG_DEBUG,
};

static int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "unrecorded=3 " before what is written next, or nothing; returns its length. */
static size_t
tell_unrecorded(char *text, size_t size, unsigned long *unrecorded)
{
	int len = *unrecorded ? snprintf(text, size, "unrecorded=%lu ", *unrecorded) : 0;

	*unrecorded = 0;
	return (size_t)len;
}

/* text, of DETAIL_SIZE bytes, is made fit to be shown. */
static void
add_event(struct journal *journal, const struct registry_admission *of, enum rules_log_level level,
	const char *name, char *text)
{
	const struct rules_client *c = &of->client;
	struct registry_event *event;

	/* A topic may be part of it. */
	for (char *at = text; *at; at++)
		*at = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
	mosquitto_log_printf(broker_level[level],
		NAME ": %s client=projects/%s/locations/%s/registries/%s/devices/%s %s", name,
		c->project, c->region, c->registry, c->device, text);
	event = new_event(journal, name);
	if (!event)
		return;
	event->of = *c;
	memcpy(event->of.device, of->device_id, sizeof(event->of.device));
	memcpy(event->detail, text, DETAIL_SIZE);
}

void
journal_event(struct journal *journal, const struct registry_admission *of,
	enum rules_log_level level, const char *name, const char *detail, ...)
{
	char text[DETAIL_SIZE];
	va_list ap;

	if (level > of->log_level)
		return;
	va_start(ap, detail);
	vsnprintf(text, sizeof(text), detail, ap);
	va_end(ap);
	add_event(journal, of, level, name, text);
}

void
journal_wrong(
	struct journal *journal, struct session *session, const char *name, const char *detail, ...)
{
	const struct registry_admission *of = &session->self.admission;
	char text[DETAIL_SIZE];
	size_t len;
	va_list ap;

	if (of->log_level < RULES_LOG_ERROR)
		return;
	if (!limits_take(&session->wrongs, WRONGS_PER_S, 1, clock_ms())) {
		session->unrecorded++;
		return;
	}
	len = tell_unrecorded(text, sizeof(text), &session->unrecorded);
	va_start(ap, detail);
	vsnprintf(text + len, sizeof(text) - len, detail, ap);
	va_end(ap);
	add_event(journal, of, RULES_LOG_ERROR, name, text);
}

void
journal_refused(struct journal *journal, const char *client_id, const char *reason)
{
	char shown[SHOWN_MAX + 4];
	struct registry_event *event;
	struct rules_client of;
	size_t len;

	mosquitto_log_printf(MOSQ_LOG_NOTICE, NAME ": refused client=%s reason=%s",
		plain(client_id, shown), reason);
	if (!limits_take(&journal->refused, REFUSED_PER_S, 1, clock_ms())) {
		journal->unrecorded++;
		return;
	}
	if (rules_parse_client_id(client_id, &of, NULL))
		return;
	event = new_event(journal, "refused");
	if (!event)
		return;
	event->of = of;
	len = tell_unrecorded(event->detail, DETAIL_SIZE, &journal->unrecorded);
	snprintf(event->detail + len, DETAIL_SIZE - len, "reason=%s", reason);
}

void
journal_heard(struct journal *journal, struct device *device)
{
	device->activity.heartbeat = time(NULL);
	roster_note(journal->roster, device);
}

void
journal_sent_event(struct journal *journal, struct device *device)
{
	device->activity.event = device->activity.heartbeat = time(NULL);
	roster_note(journal->roster, device);
}

void
journal_got_config(struct journal *journal, struct device *device, int64_t version)
{
	device->activity.config_sent = time(NULL);
	device->activity.config_version = version;
	roster_note(journal->roster, device);
}

void
journal_failed(struct journal *journal, struct device *device, const char *reason)
{
	free(device->activity.error_text);
	device->activity.error_text = strdup(reason);
	device->activity.error = time(NULL);
	roster_note(journal->roster, device);
}

void
journal_keep(struct journal *journal, struct device *device)
{
	struct leaving *leaving;

	if (roster_is_noted(device) && journal->n_leavings >= LEAVINGS_MAX &&
		flush(journal, NULL)) {
		journal->lost++;
		return;
	}
	/* It may have been among what was just written. */
	if (!roster_is_noted(device))
		return;
	leaving = &journal->leavings[journal->n_leavings++];
	leaving->device_row = device->admission.device_row;
	leaving->activity = device->activity;
	device->activity = (struct registry_activity){0};
}

static bool
is_empty(const struct journal *journal)
{
	return !journal->n_events && !journal->n_leavings && !roster_any_noted(journal->roster);
}

void
journal_tick(struct journal *journal, int64_t now_ms)
{
	struct fault f = FAULT_INIT;

	if (now_ms - journal->flushed_ms < FLUSH_EVERY_MS)
		return;
	journal->flushed_ms = now_ms;
	if (is_empty(journal))
		return;
	if (flush(journal, &f)) {
		if (!journal->failing)
			mosquitto_log_printf(
				MOSQ_LOG_ERR, NAME ": cannot write down what happened: %s", f.text);
		journal->failing = true;
		return;
	}
	journal->failing = false;
	if (journal->lost)
		mosquitto_log_printf(MOSQ_LOG_WARNING,
			NAME ": %lu lines were not written down: too many at once", journal->lost);
	journal->lost = 0;
}

void
journal_free(struct journal *journal)
{
	struct fault f = FAULT_INIT;

	if (!journal)
		return;
	if (journal->roster && !is_empty(journal))
		flush(journal, &f);
	drop_leavings(journal);
	free(journal->events);
	free(journal->leavings);
	free(journal);
}
