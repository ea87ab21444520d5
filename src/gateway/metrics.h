/* metrics: what a gateway tells of itself in numbers, as text that Prometheus reads. */
#ifndef GATEWAY_METRICS_H
#define GATEWAY_METRICS_H

#include <stddef.h>

#include "base/fault.h"
#include "gateway/tally.h"

/* What the text is, for HTTP. */
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Reasons for which a spool drops messages, and characters of one's name. */
#define METRICS_REASONS_MAX 8
#define METRICS_REASON_LEN  15

/* Blocked topics that are named; all are counted. */
#define METRICS_BLOCKED_MAX 20

/*
 * The numbers; one that is not known is NAN, and left out. The rest is borrowed.
 *
 * state           the uplink's, by its name
 * *_s             seconds; *_at_s are Unix seconds
 * settings_refused  1 while the settings file was wrong when it was read last, else 0
 * sent            messages handed to the cloud, those counted that are sent again
 * refused, unrouted, held_out, replaced  dropped on the way up: by the cloud, without a rule for
 *                 their topic, because their device was refused for too long, by a newer state
 * damages         times that part of the spool could not be read
 * spool_lost      messages that could not be read
 * blocked         topics that the broker refuses, of which some are named
 * spool_drops     what the site's broker dropped since the spool was made
 */
struct metrics {
	const char *version, *uplink, *profile, *state;
	double started_at_s, settings_refused;
	double up, connects, reconnects;
	const struct tally_codes *disconnects, *connect_failures;
	double signatures;
	const struct tally_times *sign_times;
	const struct tally_faults *sign_faults;
	double jwt_ends_at_s, jwt_renewal_failures, certificate_ends_at_s;
	double sent, in_flight, acknowledged, refused, unrouted, held_out, replaced, damages;
	double delivered, undelivered;
	double spool_waiting, spool_oldest_s, spool_bytes, spool_lost;
	struct metrics_reason {
		char name[METRICS_REASON_LEN + 1];
		double n;
	} spool_drops[METRICS_REASONS_MAX];
	size_t n_spool_drops;
	double known, known_max, attached, refused_devices, waiting_devices, forgotten_devices;
	double blocked;
	struct metrics_blocked {
		const char *device, *topic, *reason;
	} blocked_topics[METRICS_BLOCKED_MAX];
	size_t n_blocked_topics;
	double site_connected;
	double cpu_s, rss_bytes, fds, fds_max;
};

/*
 * Writes them down in Prometheus's text format 0.0.4.
 *
 * ret_text  free with free()
 *
 * Returns 0; else FAULT_NOMEM.  Threads: any.
 */
int metrics_text(const struct metrics *metrics, char **ret_text, size_t *ret_len, struct fault *f);

#endif
