/* Complaints and refusals, which the plugin logs at a bounded rate. */
#include "config.h"

#include "plugin/site_plugin.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

/* The shortest time between two lines about the same complaint. */
#define COMPLAIN_MS 60000

/* Lines a second about refused messages, on average; a burst has up to five times as many. */
#define LINES_PER_S 10

bool
site_log_complaint(struct complaint *complaint, const char *what, const char *why)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC_COARSE);

	complaint->refused++;
	if (complaint->logged_ms && now_ms - complaint->logged_ms < COMPLAIN_MS)
		return false;
	mosquitto_log_printf(
		MOSQ_LOG_ERR, SITE_PLUGIN ": %s: %s refused=%lu", what, why, complaint->refused);
	complaint->logged_ms = now_ms;
	return true;
}

void
site_log_complaint_end(struct complaint *complaint, const char *what)
{
	mosquitto_log_printf(
		MOSQ_LOG_NOTICE, SITE_PLUGIN ": %s refused=%lu", what, complaint->refused);
	*complaint = (struct complaint){0, 0};
}

/* Without the limit, a client's refused messages could fill the disk with log lines. */
void
site_log_refusal(struct site *site, const char *id, const char *topic, const char *why)
{
	char left_out[48] = "", shown_id[SITE_SHOWN_SIZE], shown_topic[SITE_SHOWN_SIZE];

	if (!limits_take(&site->refusal_lines, LINES_PER_S, 1, clock_ms(CLOCK_MONOTONIC_COARSE))) {
		site->unrecorded++;
		return;
	}
	if (site->unrecorded)
		snprintf(left_out, sizeof(left_out), " unrecorded=%lu", site->unrecorded);
	site->unrecorded = 0;
	text_show(id ? id : "", shown_id, sizeof(shown_id));
	text_show(topic, shown_topic, sizeof(shown_topic));
	mosquitto_log_printf(MOSQ_LOG_NOTICE,
		SITE_PLUGIN ": refused client=%s topic=%s reason=%s%s", shown_id, shown_topic, why,
		left_out);
}
