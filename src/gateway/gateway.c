#include "config.h"

#include "gateway/gateway.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "gateway/inside.h"

#define TICK_MS 1000

/* Longer than an end takes that nothing holds up: what is in flight, a farewell, a signature. */
#define LEAVE_MOST_MS 12000

/* What other users of the gateway's group may do with what we make: read it. */
#define UMASK 027

int64_t
gateway_now_ms(const struct gateway *g)
{
	return (int64_t)uv_now(&g->loop);
}

uint32_t
gateway_random(void)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)clock();
	return number;
}

void
gateway_free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void
close_each(uv_handle_t *handle, void *with)
{
	(void)with;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Everything is closed that has the loop run; what is under way was waited for. */
void
gateway_cloud_is_quiet(struct gateway *g)
{
	if (!g->leaving || g->left || g->cloud.state != CLOUD_WAITING || g->signer.busy ||
		g->cloud.clearing)
		return;
	g->left = true;
	local_drop(g);
	status_close(g);
	scrape_close(g);
	uv_walk(&g->loop, close_each, NULL);
}

bool
gateway_is_fatal(const struct fault *f)
{
	return f->code == FAULT_PIN || f->code == FAULT_LOCKED;
}

void
gateway_note(const struct gateway *g, struct mishap *mishap, const struct fault *why)
{
	snprintf(mishap->text, sizeof(mishap->text), "%s", why->text);
	mishap->at_ms = gateway_now_ms(g);
}

void
gateway_leave(struct gateway *g)
{
	if (g->leaving)
		return;
	g->leaving = true;
	g->leaving_ms = gateway_now_ms(g);
	notify("STOPPING=1");
	cloud_end(g);
	gateway_cloud_is_quiet(g);
}

void
gateway_fail(struct gateway *g, const struct fault *f)
{
	if (!g->fatal.code)
		g->fatal = *f;
	if (g->cloud.state == CLOUD_SIGNING)
		g->cloud.state = CLOUD_WAITING;
	gateway_leave(g);
}

/*
 * A worker that is held up, by a module that does not return or a look for a name, can be neither
 * called back nor waited for: not by us, and not by what exit() would have run.
 */
static void
leave_now(struct gateway *g)
{
	log_warn("stopped without waiting for %s",
		g->signer.busy ? "the token, which does not answer" : "the network");
	if (g->fatal.code)
		log_error("%s", g->fatal.text);
	pump_close(g);
	status_close(g);
	_exit(g->fatal.code ? fault_exit_status(g->fatal.code) : EXIT_SUCCESS);
}

static void
set_level(const char *name)
{
	log_set_level(!strcmp(name, "error")  ? LOG_LEVEL_ERROR
		      : !strcmp(name, "warn") ? LOG_LEVEL_WARN
		      : !strcmp(name, "info") ? LOG_LEVEL_INFO
					      : LOG_LEVEL_DEBUG);
}

static struct devices_options
devices_options(const struct gateway_settings *s)
{
	return (struct devices_options){
		.attaches = gateway_settings_attaches(s),
		.gateway = s->uplink.device,
		.policy = !strcmp(s->site.attach, "own")       ? ATTACH_OWN
			  : !strcmp(s->site.attach, "connect") ? ATTACH_CONNECT
							       : ATTACH_FIRST_MESSAGE,
		.attach_max = s->site.attach_max,
		.attach_rate = s->site.attach_rate,
		.idle_ms = s->site.idle_s * 1000,
		.hold_ms = s->site.refused_hold_s * 1000,
		.state_interval_ms = s->site.state_interval_ms,
		.timeout_ms = s->uplink.timeout_s * 1000,
	};
}

/* Either both are read, or none. */
static int
read_routes(struct gateway *g, const struct gateway_settings *s, struct fault *f)
{
	AUTO(routes_clear) struct routes out = {NULL, 0};

	if (routes_parse(&s->site.out, &out, f) || routes_parse(&s->site.in, &g->in, f))
		return -1;
	routes_clear(&g->out);
	g->out = out;
	out = (struct routes){NULL, 0};
	return 0;
}

/* What of [uplink] is looked at where it is used, and so needs no other connection. */
static const char *const looked_up[] = {"uplink.retry-max", "uplink.drain-rate",
	"uplink.device-rate", "uplink.device-byte-rate", NULL};

/* What changed is begun anew, and nothing else; where things are cannot change while we run. */
static void
apply(struct gateway *g, struct gateway_settings *newer)
{
	struct gateway_settings older = g->settings;
	struct devices_options options;
	bool who = !gateway_settings_same(&older, newer, "uplink", looked_up) ||
		   !gateway_settings_same(&older, newer, "token", NULL);
	bool wants = !gateway_settings_same(&older, newer, "site.in", NULL);

	g->settings = *newer;
	*newer = (struct gateway_settings){0};
	options = devices_options(&g->settings);
	devices_configure(g->devices, &options);
	poison_configure(g->pump.poison, options.hold_ms);
	set_level(g->settings.log.level);
	if (who) {
		signer_forget(g);
		g->cloud.url = 0;
	}
	if (who || wants)
		cloud_end(g);
	log_info("the settings were read again: %s",
		who || wants ? "connecting anew" : "the connection stays");
	if (strcmp(older.site.socket, g->settings.site.socket))
		local_drop(g);
	gateway_settings_clear(&older);
}

/* The settings anew, and whether a gateway that runs can take them over. */
static int
read_newer(struct gateway *g, struct gateway_settings *newer, struct fault *f)
{
	if (g->reload(g->reload_with, newer, f))
		return -1;
	if (!gateway_settings_same(&g->settings, newer, "spool", NULL) ||
		!gateway_settings_same(&g->settings, newer, "status", NULL) ||
		strcmp(g->settings.uplink.name, newer->uplink.name))
		return fault_set(
			f, FAULT_CONFIG, "[spool], [status] and the uplink's name take a restart");
	return read_routes(g, newer, f);
}

static void
reload(struct gateway *g)
{
	struct gateway_settings newer = {0};
	struct fault f = FAULT_INIT;

	/* A worker reads the settings: they stay until it has done. */
	if (g->signer.busy || g->cloud.clearing) {
		g->reload_due = true;
		return;
	}
	g->reload_due = false;
	notify("RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_us(CLOCK_MONOTONIC));
	g->reload_error = (struct mishap){0};
	if (read_newer(g, &newer, &f)) {
		log_error("the old settings stay: %s", f.text);
		gateway_note(g, &g->reload_error, &f);
	} else {
		apply(g, &newer);
	}
	gateway_settings_clear(&newer);
	notify("READY=1");
}

/* Those who look must not keep messages from passing: what cannot be opened is tried again. */
static void
open_view(struct gateway *g, int (*open)(struct gateway *g, struct fault *f), const char *what,
	struct fault *failed)
{
	struct fault f = FAULT_INIT;

	if (open(g, &f) && strcmp(f.text, failed->text) != 0)
		log_error("%s not served, which is tried again: %s", what, f.text);
	else if (!f.code && failed->code)
		log_info("%s served now", what);
	*failed = f;
}

static void
open_views(struct gateway *g)
{
	open_view(g, status_open, "the status is", &g->unserved_status);
	open_view(g, scrape_open, "the metrics are", &g->unserved_metrics);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct gateway *g = handle->data;

	if (number == SIGHUP && !g->leaving) {
		reload(g);
	} else if (number != SIGHUP) {
		log_info("stopping");
		gateway_leave(g);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	struct gateway *g = timer->data;

	cloud_tick(g);
	signer_tick(g);
	if (g->leaving && gateway_now_ms(g) - g->leaving_ms > LEAVE_MOST_MS)
		leave_now(g);
	if (g->leaving)
		return;
	local_tick(g);
	attach_tick(g);
	observe_tick(g);
	status_tick(g);
	open_views(g);
	pump_tick(g);
	if (g->reload_due && !g->leaving)
		reload(g);
}

/* The loop turns: what hangs in it is what the watchdog is for. */
static void
on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	notify("WATCHDOG=1");
}

static void
be_watched(struct gateway *g)
{
	int64_t every_ms = notify_watchdog_ms();

	uv_timer_init(&g->loop, &g->watchdog);
	if (every_ms > 0)
		uv_timer_start(&g->watchdog, on_watchdog, 0, (uint64_t)every_ms);
}

static void
watch_signal(struct gateway *g, uv_signal_t *handle, int number)
{
	uv_signal_init(&g->loop, handle);
	handle->data = g;
	uv_signal_start(handle, on_signal, number);
}

static int
open_all(struct gateway *g, struct fault *f)
{
	const struct devices_options options = devices_options(&g->settings);

	if (read_routes(g, &g->settings, f) || devices_new(&options, &g->devices, f) ||
		pump_open(g, f))
		return -1;
	poison_configure(g->pump.poison, options.hold_ms);
	open_views(g);
	local_open(g);
	cloud_open(g);
	watch_signal(g, &g->hup, SIGHUP);
	watch_signal(g, &g->term, SIGTERM);
	watch_signal(g, &g->interrupt, SIGINT);
	uv_timer_init(&g->loop, &g->tick);
	g->tick.data = g;
	uv_timer_start(&g->tick, on_tick, TICK_MS, TICK_MS);
	be_watched(g);
	return 0;
}

static void
close_all(struct gateway *g)
{
	local_drop(g);
	status_close(g);
	scrape_close(g);
	uv_walk(&g->loop, close_each, NULL);
	uv_run(&g->loop, UV_RUN_DEFAULT);
	/* What is left is not interrupted by who asks for the end once more, or for a reload. */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	cloud_close(g);
	signer_close(g);
	pump_close(g);
	devices_free(g->devices);
	uv_loop_close(&g->loop);
	/* The worker's threads end here, and what OpenSSL has kept for them is freed. */
	uv_library_shutdown();
	routes_clear(&g->out);
	routes_clear(&g->in);
	gateway_settings_clear(&g->settings);
}

int
gateway_run(struct gateway_settings *settings, gateway_reload_fn *reload_with_name, void *with,
	struct fault *f)
{
	AUTO(auto_free) struct gateway *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return fault_nomem(f);
	umask(UMASK);
	if (uv_loop_init(&g->loop))
		return fault_set(f, FAULT_IO, "the system has no descriptor left");
	g->settings = *settings;
	*settings = (struct gateway_settings){0};
	g->reload = reload_with_name;
	g->reload_with = with;
	g->started = time(NULL);
	set_level(g->settings.log.level);
	rc = open_all(g, f);
	if (!rc) {
		notify("READY=1");
		cloud_begin(g);
		uv_run(&g->loop, UV_RUN_DEFAULT);
	}
	close_all(g);
	if (!rc && g->fatal.code) {
		if (f)
			*f = g->fatal;
		rc = -1;
	}
	return rc;
}
