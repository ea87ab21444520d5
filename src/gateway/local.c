/* The way to the site's broker: who is there, and what is brought to them. */
#include "config.h"

#include "gateway/inside.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "registry/rules.h"

/* Messages that are dropped may be many: it is said once, and then so often. */
#define COMPLAIN_MS 60000

static void watch(struct gateway *g);

void
local_drop(struct gateway *g)
{
	struct local *local = &g->local;

	if (!local->channel)
		return;
	uv_close((uv_handle_t *)TAKE(local->poll), gateway_free_handle);
	channel_close(local->channel);
	local->channel = NULL;
	local->refusal.text[0] = '\0';
	devices_site_lost(g->devices);
}

static void
lose(struct gateway *g, const struct fault *f)
{
	log_warn("the site's broker is not there: %s", f->text);
	g->local.said = true;
	local_drop(g);
}

/* Its log says it too; here those see it who ask the gateway. */
static void
note_refusal(struct gateway *g, const struct frame *frame)
{
	struct fault why = FAULT_INIT;

	if (frame->len)
		fault_set(&why, FAULT_IO, "%.*s", (int)frame->len, (const char *)frame->payload);
	if (frame->len && !*g->local.refusal.text)
		log_warn("the site's broker accepts no messages: %s", why.text);
	else if (!frame->len)
		log_info("the site's broker accepts messages again");
	gateway_note(g, &g->local.refusal, &why);
}

static void
hear(struct gateway *g, const struct frame *frame)
{
	int64_t now_ms = gateway_now_ms(g);

	if (frame->kind == FRAME_REFUSING) {
		note_refusal(g, frame);
		return;
	}
	/* The cloud ends the connection of a gateway that attaches what cannot be a device. */
	if (!rules_is_device(frame->device, strlen(frame->device)))
		return;
	switch (frame->kind) {
	case FRAME_PRESENT:
		devices_present(g->devices, frame->device, now_ms);
		break;
	case FRAME_GONE:
		devices_gone(g->devices, frame->device, now_ms);
		break;
	case FRAME_ATTACH:
		devices_ask(g->devices, frame->device, frame->payload, frame->len, now_ms);
		break;
	case FRAME_DETACH:
		devices_ask_not(g->devices, frame->device);
		break;
	default:
		break;
	}
}

/* It may be restarted after us in an upgrade: it is looked at again each second, and said once. */
static void
turn_away(struct gateway *g, const struct fault *f)
{
	if (!g->local.foreign)
		log_error("%s", f->text);
	g->local.foreign = true;
	local_drop(g);
}

static void
welcome(struct gateway *g)
{
	if (g->local.foreign)
		log_info("the site's broker is of our version");
	g->local.foreign = false;
	watch(g);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct gateway *g = poll->data;
	struct channel *channel = g->local.channel;
	struct frame frame;
	struct fault f = FAULT_INIT;
	bool any = true;
	int rc = 0;

	(void)status, (void)events;
	if (channel_is_waiting(channel))
		rc = channel_flush(channel, &f);
	while (!rc && any) {
		rc = channel_next(channel, &frame, &any, &f);
		if (!rc && any)
			hear(g, &frame);
	}
	if (rc && f.code == FAULT_CONFIG)
		turn_away(g, &f);
	else if (rc)
		lose(g, &f);
	else
		welcome(g);
	attach_work(g);
}

static void
watch(struct gateway *g)
{
	struct local *local = &g->local;
	int events = UV_READABLE | (channel_is_waiting(local->channel) ? UV_WRITABLE : 0);

	uv_poll_start(local->poll, events, on_poll);
}

static int
enter(struct gateway *g, struct fault *f)
{
	struct local *local = &g->local;

	local->poll = malloc(sizeof(*local->poll));
	if (!local->poll)
		return fault_nomem(f);
	if (channel_connect(g->settings.site.socket, &local->channel, f)) {
		free(TAKE(local->poll));
		return -1;
	}
	uv_poll_init(&g->loop, local->poll, channel_fd(local->channel));
	local->poll->data = g;
	watch(g);
	if (!local->foreign)
		log_info("the site's broker is there socket=%s", g->settings.site.socket);
	local->said = false;
	devices_set_all_configs_due(g->devices);
	local->own_due = true;
	return 0;
}

/* Nobody there yet is no failure: it is tried each second. */
void
local_open(struct gateway *g)
{
	struct fault why = FAULT_INIT;

	if (!*g->settings.site.socket || enter(g, &why) == 0)
		return;
	log_warn("the site's broker is not there yet: %s", why.text);
	g->local.said = true;
}

void
local_tick(struct gateway *g)
{
	struct fault f = FAULT_INIT;

	if (g->local.channel || !*g->settings.site.socket || g->leaving)
		return;
	if (enter(g, &f) && !g->local.said)
		lose(g, &f);
}

void
local_discard(struct gateway *g, const char *topic, const char *why)
{
	struct local *local = &g->local;
	int64_t now_ms = gateway_now_ms(g);

	local->undelivered++;
	if (local->complained_ms && now_ms - local->complained_ms < COMPLAIN_MS)
		return;
	local->complained_ms = now_ms;
	log_warn("a message for topic=%s is dropped: %s undelivered=%" PRIu64, topic, why,
		local->undelivered);
}

bool
local_deliver(struct gateway *g, const char *device, const char *topic, const void *payload,
	size_t len, int qos, bool retain)
{
	const struct frame frame = {
		.kind = FRAME_DELIVER,
		.qos = qos,
		.retain = retain,
		.device = device,
		.topic = topic,
		.payload = payload,
		.len = len,
	};
	struct local *local = &g->local;
	struct fault f = FAULT_INIT;

	if (!local->channel) {
		local_discard(g, topic, "the site's broker is not there");
		return false;
	}
	if (channel_send(local->channel, &frame, &f) == 0) {
		local->delivered++;
		watch(g);
		return true;
	}
	local_discard(g, topic, f.text);
	if (f.code == FAULT_NET)
		lose(g, &f);
	return false;
}
