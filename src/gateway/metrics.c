#include "config.h"

#include "gateway/metrics.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define AT(member) offsetof(struct metrics, member)

/* One number: rows of one name stand together. */
struct row {
	const char *name, *labels, *type;
	size_t offset;
	const char *help;
};

static const struct row about_uplink[] = {
	{"p11_gateway_start_time_seconds", "", "gauge", AT(started_at_s),
		"When the gateway was started, Unix time."},
	{"p11_gateway_settings_refused", "", "gauge", AT(settings_refused),
		"Whether the settings file was wrong at the last SIGHUP, and the older settings "
		"stay."},
	{"p11_gateway_uplink_up", "", "gauge", AT(up),
		"Whether the gateway is connected to the cloud."},
	{"p11_gateway_connects_total", "", "counter", AT(connects), "Connections to the cloud."},
	{"p11_gateway_reconnects_total", "", "counter", AT(reconnects),
		"Connections to the cloud behind the first, renewals counted."},
	{NULL},
};

static const struct row about_token[] = {
	{"p11_gateway_signatures_total", "", "counter", AT(signatures),
		"JSON Web Tokens that were signed for the gateway itself."},
	{"p11_gateway_jwt_expiry_timestamp_seconds", "", "gauge", AT(jwt_ends_at_s),
		"When the gateway's JSON Web Token ends, Unix time."},
	{"p11_gateway_jwt_renewal_failures", "", "gauge", AT(jwt_renewal_failures),
		"Failures to sign the gateway's JSON Web Token since the last success."},
	{"p11_gateway_certificate_expiry_timestamp_seconds", "", "gauge", AT(certificate_ends_at_s),
		"When the certificate beside the key ends, as read at the last signature."},
	{NULL},
};

static const struct row about_messages[] = {
	{"p11_gateway_messages_total", "direction=\"up\"", "counter", AT(acknowledged),
		"Messages that arrived: at the cloud (up), at the site's broker (down)."},
	{"p11_gateway_messages_total", "direction=\"down\"", "counter", AT(delivered), NULL},
	{"p11_gateway_messages_sent_total", "", "counter", AT(sent),
		"Messages handed to the cloud, those counted that were sent again."},
	{"p11_gateway_messages_in_flight", "", "gauge", AT(in_flight),
		"Messages that the cloud has not answered yet."},
	{"p11_gateway_messages_dropped_total", "direction=\"up\",reason=\"refused\"", "counter",
		AT(refused), "Messages that the gateway dropped."},
	{"p11_gateway_messages_dropped_total", "direction=\"up\",reason=\"unrouted\"", "counter",
		AT(unrouted), NULL},
	{"p11_gateway_messages_dropped_total", "direction=\"up\",reason=\"device\"", "counter",
		AT(held_out), NULL},
	{"p11_gateway_messages_dropped_total", "direction=\"up\",reason=\"replaced\"", "counter",
		AT(replaced), NULL},
	{"p11_gateway_messages_dropped_total", "direction=\"down\",reason=\"undelivered\"",
		"counter", AT(undelivered), NULL},
	{"p11_gateway_spool_messages", "", "gauge", AT(spool_waiting),
		"Messages in the spool that wait for this uplink."},
	{"p11_gateway_spool_oldest_age_seconds", "", "gauge", AT(spool_oldest_s),
		"How long the oldest of them has waited; 0 without one."},
	{"p11_gateway_spool_bytes", "", "gauge", AT(spool_bytes),
		"What the spool takes of the disk, for all uplinks."},
	{"p11_gateway_spool_damages_total", "", "counter", AT(damages),
		"Times that something in the spool could not be read."},
	{"p11_gateway_spool_lost_total", "", "counter", AT(spool_lost),
		"Messages in the spool that could not be read, since the uplink's cursor was "
		"made."},
	{NULL},
};

static const struct row about_site[] = {
	{"p11_gateway_devices_known", "", "gauge", AT(known), "Devices that are remembered."},
	{"p11_gateway_devices_known_max", "", "gauge", AT(known_max),
		"Devices that can be remembered at most."},
	{"p11_gateway_devices_attached", "", "gauge", AT(attached),
		"Devices attached to the cloud."},
	{"p11_gateway_devices_refused", "", "gauge", AT(refused_devices),
		"Devices that the cloud refused last."},
	{"p11_gateway_devices_waiting", "", "gauge", AT(waiting_devices),
		"Devices that wait to be attached, also for another attempt."},
	{"p11_gateway_devices_forgotten_total", "", "counter", AT(forgotten_devices),
		"Devices that were forgotten to make room for others."},
	{"p11_gateway_blocked_topics", "", "gauge", AT(blocked),
		"Topics of devices that the broker refuses."},
	{"p11_gateway_site_connected", "", "gauge", AT(site_connected),
		"Whether the gateway is connected to the site's broker."},
	{"process_start_time_seconds", "", "gauge", AT(started_at_s),
		"When the process was started, Unix time."},
	{"process_cpu_seconds_total", "", "counter", AT(cpu_s),
		"Processor time used, in user and system mode."},
	{"process_resident_memory_bytes", "", "gauge", AT(rss_bytes), "Resident memory."},
	{"process_open_fds", "", "gauge", AT(fds), "File descriptors that are open."},
	{"process_max_fds", "", "gauge", AT(fds_max), "File descriptors that may be open."},
	{NULL},
};

static void
head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
put_rows(FILE *out, const struct row *rows, const struct metrics *m)
{
	for (const struct row *row = rows; row->name; row++) {
		double value;

		memcpy(&value, (const char *)m + row->offset, sizeof(value));
		if (isnan(value))
			continue;
		if (row->help)
			head(out, row->name, row->type, row->help);
		fprintf(out, *row->labels ? "%s{%s} %.15g\n" : "%s%s %.15g\n", row->name,
			row->labels, value);
	}
}

/* A label's value: what would end it, or the line, is escaped. */
static void
put_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void
put_build(FILE *out, const struct metrics *m)
{
	head(out, "p11_gateway_build_info", "gauge", "Which version runs, for which uplink.");
	fputs("p11_gateway_build_info{version=", out);
	put_quoted(out, m->version);
	fputs(",uplink=", out);
	put_quoted(out, m->uplink);
	fputs(",profile=", out);
	put_quoted(out, m->profile);
	fputs("} 1\n", out);
}

static void
put_state(FILE *out, const struct metrics *m)
{
	static const char *const states[] = {"waiting", "signing", "connecting", "up", "renewing"};

	head(out, "p11_gateway_uplink_state", "gauge", "What the uplink does: 1 for that state.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		fprintf(out, "p11_gateway_uplink_state{state=\"%s\"} %d\n", states[i],
			!strcmp(states[i], m->state));
}

/* Kinds that never came are left out, for most never will; but the usual ones begin with 0. */
static void
put_codes(FILE *out, const char *name, const char *help, const struct tally_codes *codes)
{
	head(out, name, "counter", help);
	for (size_t i = 0; i < sizeof(codes->n) / sizeof(codes->n[0]); i++) {
		if (codes->n[i] || i == FAULT_NET || i == FAULT_AUTH)
			fprintf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", name,
				i == FAULT_NONE ? "wanted" : fault_name((enum fault_code)i),
				codes->n[i]);
	}
}

static void
put_times(FILE *out, const struct tally_times *times)
{
	static const char name[] = "p11_gateway_sign_duration_seconds";
	uint64_t n = 0;

	head(out, name, "histogram",
		"How long a signature took, the token's opening and the login counted.");
	for (size_t i = 0; i < TALLY_BOUNDS; i++) {
		n += times->n[i];
		fprintf(out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", name,
			(double)tally_bounds_ms[i] / 1000, n);
	}
	n += times->n[TALLY_BOUNDS];
	fprintf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, n);
	fprintf(out, "%s_sum %.15g\n%s_count %" PRIu64 "\n", name, (double)times->sum_us / 1e6,
		name, n);
}

static void
put_sign_faults(FILE *out, const struct tally_faults *faults)
{
	static const char name[] = "p11_gateway_sign_errors_total";

	head(out, name, "counter", "Signatures that failed, by the token's return value.");
	for (size_t i = 0; i < faults->n; i++) {
		const struct tally_fault *item = &faults->items[i];

		fprintf(out, "%s{ckr=\"%s\",fault=\"%s\"} %" PRIu64 "\n", name, item->ckr,
			item->code ? fault_name(item->code) : TALLY_OTHERS, item->n);
	}
}

static void
put_spool_drops(FILE *out, const struct metrics *m)
{
	static const char name[] = "p11_gateway_spool_dropped_total";

	head(out, name, "counter",
		"Messages that the site's broker dropped, since the spool was made.");
	for (size_t i = 0; i < m->n_spool_drops; i++)
		fprintf(out, "%s{reason=\"%s\"} %.15g\n", name, m->spool_drops[i].name,
			m->spool_drops[i].n);
}

static void
put_blocked(FILE *out, const struct metrics *m)
{
	static const char name[] = "p11_gateway_blocked_topic";

	head(out, name, "gauge", "A topic of a device that the broker refuses: 1.");
	for (size_t i = 0; i < m->n_blocked_topics; i++) {
		const struct metrics_blocked *blocked = &m->blocked_topics[i];

		fprintf(out, "%s{device=", name);
		put_quoted(out, blocked->device);
		fputs(",topic=", out);
		put_quoted(out, blocked->topic);
		fputs(",reason=", out);
		put_quoted(out, blocked->reason);
		fputs("} 1\n", out);
	}
}

int
metrics_text(const struct metrics *m, char **ret_text, size_t *ret_len, struct fault *f)
{
	AUTO(auto_free) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int failed;

	if (!out)
		return fault_nomem(f);
	put_build(out, m);
	put_rows(out, about_uplink, m);
	put_state(out, m);
	put_codes(out, "p11_gateway_disconnects_total",
		"Connections to the cloud that ended, by what they ended for.", m->disconnects);
	put_codes(out, "p11_gateway_connect_failures_total",
		"Attempts to connect that failed, by what they failed for.", m->connect_failures);
	put_rows(out, about_token, m);
	put_times(out, m->sign_times);
	put_sign_faults(out, m->sign_faults);
	put_rows(out, about_messages, m);
	put_spool_drops(out, m);
	put_rows(out, about_site, m);
	put_blocked(out, m);
	failed = ferror(out);
	if (fclose(out) || failed)
		return fault_nomem(f);
	*ret_text = TAKE(text);
	*ret_len = len;
	return 0;
}
