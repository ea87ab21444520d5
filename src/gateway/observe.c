/* What a gateway does, gathered for those who look: the status and the metrics. */
#include "config.h"

#include "gateway/inside.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/auto.h"

/* Whoever is let near the metrics: the spool is read for them so often at most. */
#define LOOK_MS 1000

void
observe_tick(struct gateway *g)
{
	int64_t now_ms = gateway_now_ms(g);

	tally_sample(&g->observed.up, g->pump.arrived, now_ms);
	tally_sample(&g->observed.down, g->local.delivered, now_ms);
}

static struct metrics_reason *
reason_of(struct observed *o, const char *name)
{
	struct metrics_reason *at = o->drops;

	while (at < o->drops + o->n_drops && strcmp(at->name, name))
		at++;
	if (at == o->drops + METRICS_REASONS_MAX)
		return at - 1;
	if (at == o->drops + o->n_drops) {
		snprintf(at->name, sizeof(at->name), "%s", name);
		at->n = 0;
		o->n_drops++;
	}
	return at;
}

static int
add_drop(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	(void)device, (void)f;
	reason_of(with, reason)->n += (double)n;
	return 0;
}

static void
look(struct gateway *g)
{
	const char *path = g->settings.spool.path;
	struct observed *o = &g->observed;
	struct spool_extent extent = {0};
	uint64_t first = ledger_first(g->pump.ledger), done;
	int64_t taken_ms = 0, age_s;

	o->failed = (struct fault)FAULT_INIT;
	o->n_drops = 0;
	/* Those that are usual are there before they come. */
	reason_of(o, "age");
	reason_of(o, "full");
	if (spool_extent(path, &extent, &o->failed) == 0)
		spool_drops(path, add_drop, o, &o->failed);
	if (first < extent.first)
		first = extent.first;
	done = ledger_done_early(g->pump.ledger, first);
	o->waiting = extent.first && extent.next > first + done ? extent.next - first - done : 0;
	o->bytes = extent.bytes;
	if (o->waiting)
		spool_taken(path, first, &taken_ms, &o->failed);
	age_s = taken_ms ? time(NULL) - taken_ms / 1000 : 0;
	o->oldest_s = age_s > 0 ? age_s : 0;
}

const struct observed *
observe(struct gateway *g, int64_t age_ms)
{
	struct observed *o = &g->observed;
	int64_t now_ms = gateway_now_ms(g);

	if (!o->looked || now_ms - o->looked_ms >= age_ms) {
		look(g);
		o->looked = true;
		o->looked_ms = now_ms;
	}
	return o;
}

static double
resident_bytes(void)
{
	AUTO(auto_file) FILE *file = fopen("/proc/self/statm", "re");
	long pages;

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		return NAN;
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Without the one that is open to count them. */
static double
count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	double n = 0;

	if (!dir)
		return NAN;
	while ((entry = readdir(dir)))
		n += *entry->d_name != '.';
	closedir(dir);
	return n - 1;
}

static void
look_at_process(struct metrics *m)
{
	struct rusage usage;
	struct rlimit fds;

	m->cpu_s = m->fds_max = NAN;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		m->cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	if (getrlimit(RLIMIT_NOFILE, &fds) == 0 && fds.rlim_cur != RLIM_INFINITY)
		m->fds_max = (double)fds.rlim_cur;
	m->rss_bytes = resident_bytes();
	m->fds = count_fds();
}

static void
look_at_cloud(const struct gateway *g, struct metrics *m)
{
	const struct cloud *c = &g->cloud;

	m->state = cloud_state_name(c->state);
	m->up = c->state == CLOUD_UP;
	m->connects = (double)c->connects;
	m->reconnects = c->connects ? (double)(c->connects - 1) : 0;
	m->disconnects = &c->disconnects;
	m->connect_failures = &c->failures;
	m->in_flight = c->mqtt ? mqtt_in_flight(c->mqtt) : 0;
}

static void
look_at_signer(const struct signer *s, struct metrics *m)
{
	m->signatures = (double)s->signatures;
	m->sign_times = &s->times;
	m->sign_faults = &s->faults;
	m->jwt_ends_at_s = s->credential.jwt ? (double)s->credential.expires : NAN;
	m->jwt_renewal_failures = (double)s->unrenewed;
	m->certificate_ends_at_s = s->certificate_ends ? (double)s->certificate_ends : NAN;
}

static void
look_at_messages(struct gateway *g, struct metrics *m)
{
	const struct observed *o = observe(g, LOOK_MS);
	const struct pump *p = &g->pump;
	bool seen = o->failed.code == FAULT_NONE;

	m->sent = (double)p->sent;
	m->acknowledged = (double)p->arrived;
	m->refused = (double)p->refused;
	m->unrouted = (double)p->unrouted;
	m->held_out = (double)p->dropped;
	m->replaced = (double)p->replaced;
	m->damages = (double)p->damages;
	m->spool_lost = p->reader ? (double)spool_lost(p->reader) : NAN;
	m->delivered = (double)g->local.delivered;
	m->undelivered = (double)g->local.undelivered;
	m->spool_waiting = seen ? (double)o->waiting : NAN;
	m->spool_oldest_s = seen ? (double)o->oldest_s : NAN;
	m->spool_bytes = seen ? (double)o->bytes : NAN;
	memcpy(m->spool_drops, o->drops, sizeof(m->spool_drops));
	m->n_spool_drops = o->n_drops;
}

static void
look_at_blocked(const struct poison *poison, struct metrics *m)
{
	m->blocked = (double)poison_blocked(poison);
	for (const struct poison_topic *t = NULL;
		(t = poison_next(poison, t)) && m->n_blocked_topics < METRICS_BLOCKED_MAX;)
		m->blocked_topics[m->n_blocked_topics++] =
			(struct metrics_blocked){t->device, *t->topic ? t->topic : "#", t->reason};
}

void
observe_metrics(struct gateway *g, struct metrics *ret)
{
	const struct devices_counts counts = devices_count(g->devices);

	*ret = (struct metrics){
		.version = PACKAGE_VERSION,
		.uplink = g->settings.uplink.name,
		.profile = g->settings.uplink.profile,
		.started_at_s = (double)g->started,
		.settings_refused = *g->reload_error.text != '\0',
		.known = (double)counts.known,
		.known_max = DEVICES_MAX,
		.attached = (double)counts.attached,
		.refused_devices = (double)counts.refused,
		.waiting_devices = (double)counts.waiting,
		.forgotten_devices = (double)counts.forgotten,
		.site_connected = g->local.channel != NULL,
	};
	look_at_blocked(g->pump.poison, ret);
	look_at_signer(&g->signer, ret);
	look_at_cloud(g, ret);
	look_at_messages(g, ret);
	look_at_process(ret);
}
