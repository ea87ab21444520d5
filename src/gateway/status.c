/* What the gateway tells of itself, to whoever connects to its socket: one JSON object. */
#include "config.h"

#include "gateway/inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "base/auto.h"
#include "base/log.h"

/* Devices that are listed; all are counted. */
#define LISTED_MAX 2000

/* Blocked topics that are listed; all are counted. */
#define BLOCKED_MAX 100

/* The spool is looked at so often at most, whoever asks. */
#define LOOK_MS 100

/* Who asks at once, and how long each may take to read the answer. */
#define ASKERS_MAX 8
#define ANSWER_MS  10000

struct status {
	uv_pipe_t pipe;
	char *path;
};

struct asker {
	uv_pipe_t pipe;
	uv_write_t write;
	struct list_link among;
	int64_t since_ms;
	char *text;
};

/* What the site's broker dropped of each device, sorted by name. */
struct dropped {
	struct dropped_device {
		char *name;
		uint64_t n;
	} * devices;
	size_t n;
};

static void
dropped_clear(struct dropped *dropped)
{
	for (size_t i = 0; i < dropped->n; i++)
		free(dropped->devices[i].name);
	free(dropped->devices);
}

static int
compare(const void *a, const void *b)
{
	const struct dropped_device *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* A device's reasons stand together. */
static int
add_dropped(void *with, const char *device, const char *reason, uint64_t n, struct fault *f)
{
	struct dropped *dropped = with;
	struct dropped_device *more;

	(void)reason;
	if (dropped->n && !strcmp(dropped->devices[dropped->n - 1].name, device)) {
		dropped->devices[dropped->n - 1].n += n;
		return 0;
	}
	more = reallocarray(dropped->devices, dropped->n + 1, sizeof(*more));
	if (!more)
		return fault_nomem(f);
	dropped->devices = more;
	more += dropped->n;
	more->n = n;
	more->name = strdup(device);
	if (!more->name)
		return fault_nomem(f);
	dropped->n++;
	return 0;
}

/* Without them, when they cannot be read: that is said of the whole spool. */
static void
dropped_read(const char *path, struct dropped *ret)
{
	spool_drops(path, add_dropped, ret, NULL);
	if (ret->n)
		qsort(ret->devices, ret->n, sizeof(*ret->devices), compare);
}

static uint64_t
dropped_of(const struct dropped *dropped, const char *device)
{
	const struct dropped_device wanted = {.name = (char *)(uintptr_t)device};
	const struct dropped_device *found =
		dropped->n ? bsearch(&wanted, dropped->devices, dropped->n, sizeof(wanted), compare)
			   : NULL;

	return found ? found->n : 0;
}

/* Seconds since something of the loop's clock; null when it never was. */
static json_t *
seconds_since(const struct gateway *g, bool was, int64_t at_ms)
{
	return was ? json_integer((gateway_now_ms(g) - at_ms) / 1000) : json_null();
}

static json_t *
about_settings(const struct gateway *g)
{
	return json_pack("{s:s, s:s, s:o}", "file", g->settings.file ? g->settings.file : "",
		"last_error", g->reload_error.text, "last_error_s",
		seconds_since(g, *g->reload_error.text, g->reload_error.at_ms));
}

static json_t *
about_uplink(const struct gateway *g)
{
	const struct cloud *c = &g->cloud;
	const struct pump *p = &g->pump;
	bool up = c->state == CLOUD_UP;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:I, s:i, s:I, s:I, s:I, s:I, s:I, "
			 "s:I, s:I, s:s}",
		"name", g->settings.uplink.name, "profile", g->settings.uplink.profile, "url",
		g->settings.uplink.url.items[c->url], "state", cloud_state_name(c->state), "up_s",
		(json_int_t)(up ? (gateway_now_ms(g) - c->since_ms) / 1000 : 0), "last_error",
		c->error.text, "last_error_s", seconds_since(g, *c->error.text, c->error.at_ms),
		"connects", (json_int_t)c->connects, "in_flight",
		c->mqtt ? mqtt_in_flight(c->mqtt) : 0, "sent", (json_int_t)p->sent, "acknowledged",
		(json_int_t)p->arrived, "refused", (json_int_t)p->refused, "unrouted",
		(json_int_t)p->unrouted, "held_out", (json_int_t)p->dropped, "replaced",
		(json_int_t)p->replaced, "subscriptions_refused", (json_int_t)c->refused,
		"subscription_error", c->refusal);
}

static json_t *
about_certificate(const struct signer *s)
{
	time_t left = s->certificate_ends - time(NULL);

	if (!s->certificate_ends)
		return json_null();
	/* Rounded down: one that ended an hour ago has -1. */
	return json_pack("{s:I, s:I}", "ends", (json_int_t)s->certificate_ends, "days_left",
		(json_int_t)(left < 0 ? -1 - (-1 - left) / 86400 : left / 86400));
}

static json_t *
about_token(const struct gateway *g)
{
	const struct signer *s = &g->signer;
	const struct credential *jwt = &s->credential;
	time_t left = jwt->jwt ? jwt->expires - time(NULL) : 0;

	return json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:o}", "used",
		gateway_settings_signs(&g->settings), "jwt_seconds_left",
		(json_int_t)(left > 0 ? left : 0), "signatures", (json_int_t)s->signatures,
		"sign_failures", (json_int_t)s->failures, "renewal_failures",
		(json_int_t)s->unrenewed, "last_sign_ms", (json_int_t)(jwt->took_us / 1000),
		"certificate", about_certificate(s), "last_error", s->error.text, "last_error_s",
		seconds_since(g, *s->error.text, s->error.at_ms));
}

static json_t *
about_site(const struct gateway *g)
{
	const struct mishap *refusal = &g->local.refusal;

	return json_pack("{s:b, s:I, s:I, s:s, s:o}", "connected", g->local.channel != NULL,
		"delivered", (json_int_t)g->local.delivered, "undelivered",
		(json_int_t)g->local.undelivered, "refusing", refusal->text, "refusing_s",
		seconds_since(g, *refusal->text, refusal->at_ms));
}

/* Messages a second that arrived, over the last ten seconds and the last minute. */
static json_t *
about_rates(const struct gateway *g)
{
	const struct observed *o = &g->observed;

	return json_pack("{s:f, s:f, s:f, s:f}", "up_10s", tally_per_s(&o->up, 10), "up_60s",
		tally_per_s(&o->up, 60), "down_10s", tally_per_s(&o->down, 10), "down_60s",
		tally_per_s(&o->down, 60));
}

static json_t *
about_spool(struct gateway *g)
{
	const struct observed *o = observe(g, LOOK_MS);
	const struct pump *p = &g->pump;
	json_t *drops = json_object();
	double dropped = 0;

	for (size_t i = 0; i < o->n_drops; i++) {
		dropped += o->drops[i].n;
		json_object_set_new(
			drops, o->drops[i].name, json_integer((json_int_t)o->drops[i].n));
	}
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "waiting",
		(json_int_t)o->waiting, "bytes", (json_int_t)o->bytes, "oldest_s",
		(json_int_t)o->oldest_s, "damaged", (json_int_t)p->damages, "lost",
		p->reader ? (json_int_t)spool_lost(p->reader) : 0, "dropped", (json_int_t)dropped,
		"drops", drops, "last_error", o->failed.code ? o->failed.text : p->absent.text);
}

static json_t *
about_blocked_topic(const struct gateway *g, const struct poison_topic *t)
{
	int64_t left_ms = t->due_ms - gateway_now_ms(g);

	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:I}", "device", t->device, "topic",
		*t->topic ? t->topic : "#", "reason", t->reason, "code", (json_int_t)t->code,
		"since_s", seconds_since(g, true, t->since_ms), "attempts", (json_int_t)t->failures,
		"next_attempt_s", (json_int_t)(left_ms > 0 ? (left_ms + 999) / 1000 : 0), "dropped",
		(json_int_t)t->dropped);
}

/* What the broker refuses of a device, so that it is not sent. */
static json_t *
about_blocked(const struct gateway *g)
{
	const struct poison *poison = g->pump.poison;
	json_t *list = json_array();

	for (const struct poison_topic *t = NULL;
		(t = poison_next(poison, t)) && json_array_size(list) < BLOCKED_MAX;)
		json_array_append_new(list, about_blocked_topic(g, t));
	return json_pack("{s:I, s:I, s:o}", "topics", (json_int_t)poison_blocked(poison), "listed",
		(json_int_t)json_array_size(list), "list", list);
}

static json_t *
about_device(const struct gateway *g, const struct device *d, const struct dropped *dropped)
{
	static const char *const states[] = {"detached", "attaching", "attached"};

	return json_pack("{s:s, s:s, s:b, s:b, s:o, s:I, s:I, s:I, s:I, s:s}", "id", d->name,
		"state", states[d->state], "present", d->present, "refused", d->refused,
		"refused_s", seconds_since(g, d->refused, d->refused_ms), "sent",
		(json_int_t)d->sent, "received", (json_int_t)d->received, "dropped",
		(json_int_t)d->dropped, "spool_dropped", (json_int_t)dropped_of(dropped, d->name),
		"last_error", d->reason);
}

static json_t *
about_devices(const struct gateway *g)
{
	AUTO(dropped_clear) struct dropped dropped = {NULL, 0};
	struct devices_counts counts = devices_count(g->devices);
	json_t *list = json_array();

	dropped_read(g->settings.spool.path, &dropped);
	for (struct device *d = NULL;
		json_array_size(list) < LISTED_MAX && (d = devices_next(g->devices, d));)
		json_array_append_new(list, about_device(g, d, &dropped));
	return json_pack("{s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "known",
		(json_int_t)counts.known, "known_max", DEVICES_MAX, "attached",
		(json_int_t)counts.attached, "refused", (json_int_t)counts.refused, "waiting",
		(json_int_t)counts.waiting, "forgotten", (json_int_t)counts.forgotten, "listed",
		(json_int_t)json_array_size(list), "list", list);
}

static char *
make_text(struct gateway *g)
{
	json_t *all = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		PACKAGE_VERSION, "uptime_s", (json_int_t)(time(NULL) - g->started), "settings",
		about_settings(g), "uplink", about_uplink(g), "token", about_token(g), "rates",
		about_rates(g), "site", about_site(g), "spool", about_spool(g), "blocked",
		about_blocked(g), "devices", about_devices(g));
	char *text = json_dumps(all, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));

	json_decref(all);
	return text;
}

static void
on_asker_closed(uv_handle_t *handle)
{
	struct asker *asker = handle->data;

	list_remove(&asker->among);
	free(asker->text);
	free(asker);
}

static void
dismiss(struct asker *asker)
{
	if (!uv_is_closing((uv_handle_t *)&asker->pipe))
		uv_close((uv_handle_t *)&asker->pipe, on_asker_closed);
}

static void
on_written(uv_write_t *write, int status)
{
	(void)status;
	dismiss(write->data);
}

static size_t
count_askers(const struct gateway *g)
{
	size_t n = 0;

	for (const struct list_link *l = g->askers.head; l; l = l->next)
		n++;
	return n;
}

static void
on_connection(uv_stream_t *listening, int failed)
{
	struct gateway *g = listening->data;
	struct asker *asker = failed ? NULL : calloc(1, sizeof(*asker));
	uv_buf_t buf;

	if (!asker)
		return;
	uv_pipe_init(&g->loop, &asker->pipe, 0);
	asker->pipe.data = asker->write.data = asker;
	asker->since_ms = gateway_now_ms(g);
	if (uv_accept(listening, (uv_stream_t *)&asker->pipe) == 0 && count_askers(g) < ASKERS_MAX)
		asker->text = make_text(g);
	list_append(&g->askers, &asker->among);
	buf = uv_buf_init(asker->text, asker->text ? (unsigned)strlen(asker->text) : 0);
	if (!asker->text ||
		uv_write(&asker->write, (uv_stream_t *)&asker->pipe, &buf, 1, on_written))
		dismiss(asker);
}

void
status_tick(struct gateway *g)
{
	for (struct list_link *l = g->askers.head; l; l = l->next) {
		struct asker *asker = CONTAINER(l, struct asker, among);

		if (gateway_now_ms(g) - asker->since_ms > ANSWER_MS)
			dismiss(asker); /* which goes from the list later */
	}
}

int
status_open(struct gateway *g, struct fault *f)
{
	struct status *status;
	int fd;

	if (g->status || !*g->settings.status.socket)
		return 0;
	if (channel_listen(g->settings.status.socket, &fd, f))
		return gateway_settings_blame(&g->settings, "status.socket", 0, f);
	status = calloc(1, sizeof(*status));
	if (status)
		status->path = strdup(g->settings.status.socket);
	if (!status || !status->path) {
		free(status);
		close(fd);
		return fault_nomem(f);
	}
	uv_pipe_init(&g->loop, &status->pipe, 0);
	status->pipe.data = g;
	uv_pipe_open(&status->pipe, fd);
	uv_listen((uv_stream_t *)&status->pipe, 8, on_connection);
	g->status = status;
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct status *status = (struct status *)(void *)handle;

	free(status->path);
	free(status);
}

void
status_close(struct gateway *g)
{
	struct status *status = TAKE(g->status);

	for (struct list_link *l = g->askers.head; l; l = l->next)
		dismiss(CONTAINER(l, struct asker, among));
	if (!status)
		return;
	unlink(status->path);
	uv_close((uv_handle_t *)&status->pipe, on_closed);
}
