/* journal: what happened, to the broker's log at once and to the registry's file in bundles. */
#ifndef PLUGIN_JOURNAL_H
#define PLUGIN_JOURNAL_H

#include "plugin/roster.h"
#include "plugin/sessions.h"
#include "registry/registry.h"

struct journal;

int journal_new(struct registry *registry, struct roster *roster, struct journal **ret_journal,
	struct fault *f);

/* Writes down what waits, if it can. NULL is allowed. */
void journal_free(struct journal *journal);

AUTO_DEFINE(journal, struct journal, journal_free);

/*
 * A line about a device, if its log level asks for it. Lines are limited by the device that has the
 * connection (log_limits.h): a line that is over its limit is counted, and the next one says how
 * many were left out.
 *
 * device  whose session is the connection that caused the line
 * level   how serious it is: RULES_LOG_ERROR goes to the broker's log as a notice, RULES_LOG_INFO
 *         as information, RULES_LOG_DEBUG for debugging
 * detail  key=value pairs or reason=TEXT; never a piece of a token or a payload
 */
void journal_event(struct journal *journal, const struct device *device, enum rules_log_level level,
	const char *event, const char *detail, ...) __attribute__((format(printf, 5, 6)));

/* A line about a client that was refused; its id is not trusted. All such lines have one limit. */
void journal_refused(struct journal *journal, const char *client_id, const char *reason);

/*
 * A line for the broker's log alone, about the registry's file: the operator must act. All such
 * lines have one limit.
 */
void journal_failure(
	struct journal *journal, const char *what, const char *who, const char *reason);

/* Notes that a device did something, to be written down with the next bundle. */
void journal_heard(struct journal *journal, struct device *device);
void journal_sent_event(struct journal *journal, struct device *device);
void journal_got_config(struct journal *journal, struct device *device, int64_t version);
void journal_failed(struct journal *journal, struct device *device, const char *reason);

/* Keeps what is noted of a device that is about to go. */
void journal_keep(struct journal *journal, struct device *device);

/* Writes down what waits, now and then. */
void journal_tick(struct journal *journal, int64_t now_ms);

#endif
