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

struct status {
	uv_pipe_t pipe;
	char *path;
};

/* One who asked: the answer and its way. */
struct asker {
	uv_pipe_t pipe;
	uv_write_t write;
	char *text;
};

static json_t *
about_uplink(const struct gateway *g)
{
	const struct cloud *c = &g->cloud;
	const struct pump *p = &g->pump;
	bool up = c->state == CLOUD_UP;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:i, s:I, s:I, s:I, s:I}", "name",
		g->settings.uplink.name, "profile", g->settings.uplink.profile, "url",
		g->settings.uplink.url.items[c->url], "state", cloud_state_name(c->state), "up_s",
		(json_int_t)(up ? (gateway_now_ms(g) - c->since_ms) / 1000 : 0), "last_error",
		c->why.text, "connects", (json_int_t)c->connects, "in_flight",
		c->mqtt ? mqtt_window(c->mqtt) - mqtt_room(c->mqtt) : 0, "sent",
		(json_int_t)p->sent, "acknowledged", (json_int_t)p->arrived, "refused",
		(json_int_t)p->refused, "unrouted", (json_int_t)p->unrouted);
}

static json_t *
about_token(const struct gateway *g)
{
	const struct cloud *c = &g->cloud;
	const struct credential *jwt = &c->credential;
	time_t left = jwt->jwt ? jwt->expires - time(NULL) : 0;

	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "jwt_seconds_left",
		(json_int_t)(left > 0 ? left : 0), "signatures", (json_int_t)c->signatures,
		"sign_failures", (json_int_t)c->sign_failures, "last_sign_ms",
		(json_int_t)jwt->took_ms, "last_error", c->sign_fault.text);
}

static json_t *
about_site(const struct gateway *g)
{
	return json_pack("{s:b, s:I, s:I}", "connected", g->local.channel != NULL, "delivered",
		(json_int_t)g->local.delivered, "undelivered", (json_int_t)g->local.undelivered);
}

static json_t *
about_spool(const struct gateway *g)
{
	struct spool_extent extent = {0};
	struct fault f = FAULT_INIT;
	uint64_t first = g->pump.ledger ? ledger_first(g->pump.ledger) : 0;
	int64_t age_s;

	spool_extent(g->settings.spool.path, &extent, &f);
	if (first < extent.first)
		first = extent.first;
	age_s = extent.oldest_ms ? time(NULL) - extent.oldest_ms / 1000 : 0;
	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "waiting",
		(json_int_t)(extent.next > first ? extent.next - first : 0), "bytes",
		(json_int_t)extent.bytes, "oldest_s", (json_int_t)(age_s > 0 ? age_s : 0),
		"damaged", (json_int_t)g->pump.lost, "last_error", f.text);
}

static json_t *
about_devices(const struct gateway *g)
{
	static const char *const states[] = {"detached", "attaching", "attached"};
	json_t *list = json_array();
	size_t n = 0;

	for (struct device *d = NULL; (d = devices_next(g->devices, d)) && n < LISTED_MAX; n++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:b, s:b, s:I, s:I, s:I, s:s}", "id", d->name,
				      "state", states[d->state], "present", d->present, "refused",
				      d->refused, "sent", (json_int_t)d->sent, "received",
				      (json_int_t)d->received, "dropped", (json_int_t)d->dropped,
				      "last_error", d->reason));
	return json_pack("{s:I, s:I, s:o}", "known", (json_int_t)devices_count(g->devices),
		"attached", (json_int_t)devices_attached(g->devices), "list", list);
}

static char *
make_text(const struct gateway *g)
{
	json_t *all = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "version", PACKAGE_VERSION,
		"uptime_s", (json_int_t)(time(NULL) - g->started), "uplink", about_uplink(g),
		"token", about_token(g), "site", about_site(g), "spool", about_spool(g), "devices",
		about_devices(g));
	char *text = json_dumps(all, JSON_COMPACT | JSON_PRESERVE_ORDER);

	json_decref(all);
	return text;
}

static void
on_asker_closed(uv_handle_t *handle)
{
	struct asker *asker = handle->data;

	free(asker->text);
	free(asker);
}

static void
on_written(uv_write_t *write, int status)
{
	struct asker *asker = write->data;

	(void)status;
	uv_close((uv_handle_t *)&asker->pipe, on_asker_closed);
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
	if (uv_accept(listening, (uv_stream_t *)&asker->pipe) == 0)
		asker->text = make_text(g);
	buf = uv_buf_init(asker->text, asker->text ? (unsigned)strlen(asker->text) : 0);
	if (!asker->text ||
		uv_write(&asker->write, (uv_stream_t *)&asker->pipe, &buf, 1, on_written))
		uv_close((uv_handle_t *)&asker->pipe, on_asker_closed);
}

int
status_open(struct gateway *g, struct fault *f)
{
	struct status *status;
	int fd;

	if (!*g->settings.status.socket)
		return 0;
	if (channel_listen(g->settings.status.socket, &fd, f))
		return fault_prefix(f, "status.socket");
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

	if (!status)
		return;
	unlink(status->path);
	uv_close((uv_handle_t *)&status->pipe, on_closed);
}
