#include "config.h"

#include "plugin/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>

#include "base/clock.h"
#include "plugin/journal_queue.h"
#include "plugin/log_limits.h"
#include "registry/limits.h"

#define NAME "p11_registry"

#define WRITE_EVERY_MS 500

/* How soon the rest follows when a transaction did not write all that waits. */
#define WRITE_REST_MS 50

/* Lines about clients that were refused: at a time, and on average in a second. */
#define REFUSED_LINES	    100
#define REFUSED_LINES_PER_S 20

/* Lines about failures of the file. */
#define FAILURE_LINES	    20
#define FAILURE_LINES_PER_S 2

/* Characters of a client id in a log line. */
#define SHOWN_MAX 200

#define DETAIL_SIZE sizeof(((struct registry_event *)0)->detail)

/* Lines that have one limit together: `left_out` since the last one. */
struct limited {
	struct limits_bucket bucket;
	unsigned long left_out;
};

/*
 * refused_of  where the last client was refused whose line was left out, without its device
 * refused_ms  when that was
 */
struct journal {
	struct journal_queue *queue;
	struct roster *roster;
	struct log_limits *limits;
	struct limited refused, failures;
	struct rules_client refused_of;
	int64_t refused_ms;
	int64_t written_ms;
	bool failing;
};

int
journal_new(struct registry *registry, struct roster *roster, struct journal **ret_journal,
	struct fault *f)
{
	AUTO(auto_journal) struct journal *journal = calloc(1, sizeof(*journal));

	if (!journal)
		return fault_nomem(f);
	journal->roster = roster;
	if (journal_queue_new(registry, roster, &journal->queue, f) ||
		log_limits_new(&journal->limits, f))
		return -1;
	*ret_journal = TAKE(journal);
	return 0;
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

/* "unrecorded=3 " when 3 lines were left out before the one that follows, or nothing. */
static const char *
tell_left_out(unsigned long left_out, char *text, size_t size)
{
	text[0] = '\0';
	if (left_out)
		snprintf(text, size, "unrecorded=%lu ", left_out);
	return text;
}

static bool
take(struct limited *lines, int64_t size, int64_t per_s, unsigned long *ret_left_out)
{
	if (!limits_take_of(&lines->bucket, size, per_s, 1, clock_ms(CLOCK_MONOTONIC_COARSE))) {
		lines->left_out++;
		return false;
	}
	*ret_left_out = lines->left_out;
	lines->left_out = 0;
	return true;
}

void
journal_failure(struct journal *journal, const char *what, const char *who, const char *reason)
{
	char shown[SHOWN_MAX + 4], before[48];
	unsigned long left_out;

	if (!take(&journal->failures, FAILURE_LINES, FAILURE_LINES_PER_S, &left_out))
		return;
	mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s client=%s %sreason=%s", what,
		plain(who, shown), tell_left_out(left_out, before, sizeof(before)), reason);
}

static const int broker_level[] = {
	[RULES_LOG_NONE] = MOSQ_LOG_DEBUG,
	[RULES_LOG_ERROR] = MOSQ_LOG_NOTICE,
	[RULES_LOG_INFO] = MOSQ_LOG_INFO,
	[RULES_LOG_DEBUG] = MOSQ_LOG_DEBUG,
};

/* Puts a line into the queue for the file; `name` is a literal. */
static void
queue_line(struct journal *journal, enum registry_class class, int64_t causer,
	const struct rules_client *of, const char *name, const char *detail)
{
	struct registry_event *event = journal_queue_event(journal->queue);

	if (!event)
		return;
	event->when = time(NULL);
	event->class = class;
	event->causer = causer;
	event->of = *of;
	event->event = name;
	snprintf(event->detail, sizeof(event->detail), "%s", detail);
}

static void
log_line(enum rules_log_level level, const struct rules_client *of, const char *name,
	const char *detail)
{
	mosquitto_log_printf(broker_level[level],
		NAME ": %s client=projects/%s/locations/%s/registries/%s/devices/%s %s", name,
		of->project, of->region, of->registry, of->device, detail);
}

void
journal_event(struct journal *journal, const struct device *device, enum rules_log_level level,
	const char *event, const char *detail, ...)
{
	const struct device *self = &device->session->self;
	const struct registry_admission *of = &device->admission;
	struct rules_client named;
	unsigned long left_out;
	char text[DETAIL_SIZE];
	size_t len;
	va_list ap;

	if (level > of->log_level ||
		!log_limits_take(journal->limits, &self->admission, level, device != self,
			clock_ms(CLOCK_MONOTONIC_COARSE), &left_out))
		return;
	len = strlen(tell_left_out(left_out, text, sizeof(text)));
	va_start(ap, detail);
	vsnprintf(text + len, sizeof(text) - len, detail, ap);
	va_end(ap);
	/* A topic may be part of it. */
	for (char *at = text; *at; at++)
		*at = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
	log_line(level, &of->client, event, text);
	named = of->client;
	strcpy(named.device, of->device_id);
	queue_line(journal, REGISTRY_DEVICE, self->admission.device_row, &named, event, text);
}

/* Reports what no other line reports, because the device caused none since. */
static void
report_left_out(struct journal *journal, int64_t now_ms)
{
	struct limited *refused = &journal->refused;
	struct log_limits_rest rest;
	char text[32];

	while (log_limits_take_rest(journal->limits, now_ms, &rest)) {
		snprintf(text, sizeof(text), "unrecorded=%lu", rest.left_out);
		log_line(RULES_LOG_ERROR, &rest.of, "left out", text);
		queue_line(journal, REGISTRY_DEVICE, rest.causer, &rest.of, "left out", text);
	}
	if (!refused->left_out || now_ms - journal->refused_ms < LOG_LIMITS_QUIET_MS)
		return;
	snprintf(text, sizeof(text), "unrecorded=%lu", refused->left_out);
	refused->left_out = 0;
	mosquitto_log_printf(MOSQ_LOG_NOTICE, NAME ": left out of refused clients %s", text);
	if (*journal->refused_of.project)
		queue_line(journal, REGISTRY_STRANGER, 0, &journal->refused_of, "left out", text);
}

void
journal_refused(struct journal *journal, const char *client_id, const char *reason)
{
	char shown[SHOWN_MAX + 4], before[48], text[DETAIL_SIZE];
	struct rules_client of;
	unsigned long left_out;
	bool named = !rules_parse_client_id(client_id, &of, NULL);

	if (!take(&journal->refused, REFUSED_LINES, REFUSED_LINES_PER_S, &left_out)) {
		journal->refused_ms = clock_ms(CLOCK_MONOTONIC_COARSE);
		if (named) {
			journal->refused_of = of;
			journal->refused_of.device[0] = '\0';
		}
		return;
	}
	snprintf(text, sizeof(text), "%sreason=%s", tell_left_out(left_out, before, sizeof(before)),
		reason);
	mosquitto_log_printf(
		MOSQ_LOG_NOTICE, NAME ": refused client=%s %s", plain(client_id, shown), text);
	if (named)
		queue_line(journal, REGISTRY_STRANGER, 0, &of, "refused", text);
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
	journal_queue_keep(journal->queue, device);
}

void
journal_tick(struct journal *journal, int64_t now_ms)
{
	struct fault f = FAULT_INIT;
	unsigned long lost;

	if (now_ms - journal->written_ms < WRITE_EVERY_MS)
		return;
	journal->written_ms = now_ms;
	report_left_out(journal, now_ms);
	if (journal_queue_is_empty(journal->queue))
		return;
	if (journal_queue_write(journal->queue, JOURNAL_QUEUE_WRITE_US, &f)) {
		if (!journal->failing)
			mosquitto_log_printf(
				MOSQ_LOG_ERR, NAME ": cannot write down what happened: %s", f.text);
		journal->failing = true;
		return;
	}
	if (!journal_queue_is_empty(journal->queue))
		journal->written_ms = now_ms - (WRITE_EVERY_MS - WRITE_REST_MS);
	journal->failing = false;
	lost = journal_queue_take_lost(journal->queue);
	if (lost)
		mosquitto_log_printf(MOSQ_LOG_WARNING,
			NAME ": %lu lines were not written to the registry: too many waited", lost);
}

void
journal_free(struct journal *journal)
{
	if (!journal)
		return;
	if (journal->queue) {
		if (journal->limits)
			report_left_out(journal, INT64_MAX);
		while (!journal_queue_is_empty(journal->queue) &&
			!journal_queue_write(journal->queue, JOURNAL_QUEUE_WRITE_US, NULL))
			continue;
	}
	journal_queue_free(journal->queue);
	log_limits_free(journal->limits);
	free(journal);
}
