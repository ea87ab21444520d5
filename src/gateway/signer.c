/* The token's one user: signs the gateway's JWTs, each before the last one's end, and devices'. */
#include "config.h"

#include "gateway/inside.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "gateway/template.h"
#include "token/token.h"

/* A token that takes longer for a signature than any that works. */
#define LATE_MS 30000

/* How long before its end a JWT is given up: a tenth, but room for a slow token to sign. */
static int64_t
margin_s(const struct gateway *g)
{
	int64_t lifetime = g->settings.uplink.lifetime_s, least = lifetime < 40 ? lifetime / 4 : 10;
	int64_t tenth = lifetime / 10;

	return tenth < least ? least : tenth > 300 ? 300 : tenth;
}

/* Nothing of a device's id may mean something in a URI: RFC 3986, 2.3. */
static void
escape(const char *name, char ret[3 * DEVICE_NAME_MAX + 1])
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	for (; *name; name++)
		ret += sprintf(
			ret, strchr(unreserved, *name) ? "%c" : "%%%02X", (unsigned char)*name);
	*ret = '\0';
}

/* In the worker: `busy` keeps the loop's thread from what is used here. */
static void
sign(uv_work_t *work)
{
	struct gateway *g = work->data;
	struct signer *s = &g->signer;
	AUTO(auto_free) char *uri = NULL;
	char device[3 * DEVICE_NAME_MAX + 1];

	s->failed = true;
	if (s->device) {
		const struct template_value names[] = {{"device", device}, {NULL}};

		escape(s->name, device);
		if (template_expand(g->settings.token.device_key, names, &uri, &s->fresh_fault))
			return;
	}
	s->failed = credential_sign(&g->settings, uri ? uri : g->settings.token.key, &s->fresh,
			    &s->fresh_fault) != 0;
}

static void on_signed(uv_work_t *work, int status);

static void
begin(struct gateway *g, uint32_t device)
{
	struct signer *s = &g->signer;
	const struct device *of = device ? devices_by_id(g->devices, device) : NULL;

	s->busy = true;
	s->since_ms = gateway_now_ms(g);
	s->fresh_fault = (struct fault)FAULT_INIT;
	s->device = device;
	snprintf(s->name, sizeof(s->name), "%s", of ? of->name : "");
	s->work.data = g;
	uv_queue_work(&g->loop, &s->work, sign, on_signed);
}

void
signer_sign(struct gateway *g)
{
	begin(g, 0);
}

/* Nothing can call a module back: what hangs there is said, and waited for. */
static void
look_for_late(struct gateway *g)
{
	struct signer *s = &g->signer;
	struct fault f = FAULT_INIT;

	if (!s->busy || s->late || gateway_now_ms(g) - s->since_ms < LATE_MS)
		return;
	s->late = true;
	fault_set(&f, FAULT_TOKEN, "the token has not answered for %d s", LATE_MS / 1000);
	log_error("%s: nothing is signed before it does; if it never does, restart the gateway",
		f.text);
	gateway_note(g, &s->error, &f);
}

/* Our own comes first: without it all the others are for nothing. */
void
signer_tick(struct gateway *g)
{
	struct signer *s = &g->signer;
	uint32_t device;

	look_for_late(g);
	if (s->busy || g->leaving)
		return;
	if (g->cloud.state == CLOUD_UP && gateway_settings_signs(&g->settings) &&
		time(NULL) >= s->renew_at) {
		begin(g, 0);
		return;
	}
	if (!s->n_queue)
		return;
	device = s->queue[0];
	memmove(s->queue, s->queue + 1, --s->n_queue * sizeof(*s->queue));
	begin(g, device);
}

bool
signer_has_room(const struct gateway *g)
{
	return g->signer.n_queue < SIGN_QUEUE_MAX;
}

void
signer_sign_for(struct gateway *g, uint32_t device)
{
	struct signer *s = &g->signer;

	if (signer_has_room(g))
		s->queue[s->n_queue++] = device;
	signer_tick(g);
}

void
signer_forget_devices(struct gateway *g)
{
	g->signer.n_queue = 0;
}

/* One that was issued in what is now the future was so by a clock that was wrong. */
bool
signer_has_credential(const struct gateway *g, time_t now)
{
	const struct credential *own = &g->signer.credential;

	return own->jwt && own->issued <= now + margin_s(g) && own->expires - now > margin_s(g);
}

/*
 * Some time before the connection's JWT ends: another for each gateway of a fleet. By the wall
 * clock, for a JWT's end is: a timer would sleep with the system.
 */
void
signer_plan_renewal(struct gateway *g)
{
	struct signer *s = &g->signer;
	int64_t margin = margin_s(g);

	s->renew_at = g->cloud.expires - margin - gateway_random() % (margin + 1);
}

static void
take_own(struct gateway *g)
{
	struct signer *s = &g->signer;

	if (s->failed) {
		s->failures++;
		s->unrenewed++;
		s->renew_at = time(NULL) + margin_s(g) / 10 + 1;
	} else {
		s->signatures++;
		s->unrenewed = 0;
		if (s->fresh.certificate_ends >= 0)
			s->certificate_ends = s->fresh.certificate_ends;
		credential_clear(&s->credential);
		s->credential = s->fresh;
		s->fresh = (struct credential){0};
	}
	cloud_signed(g, s->failed ? &s->fault : NULL);
}

static void
count(struct gateway *g)
{
	struct signer *s = &g->signer;

	if (!s->failed) {
		tally_time(&s->times, s->fresh.took_us);
		return;
	}
	tally_fault(&s->faults, token_fault_name(&s->fault), s->fault.code);
	gateway_note(g, &s->error, &s->fault);
}

static void
on_signed(uv_work_t *work, int status)
{
	struct gateway *g = work->data;
	struct signer *s = &g->signer;

	(void)status;
	s->busy = false;
	if (s->late)
		log_info("the token answers again");
	s->late = false;
	/* A fault is one only where something failed. */
	s->fault = s->failed ? s->fresh_fault : (struct fault)FAULT_INIT;
	count(g);
	if (s->failed && gateway_is_fatal(&s->fault)) {
		gateway_fail(g, &s->fault);
	} else if (s->device) {
		attach_signed(g, s->device, s->fresh.jwt, s->failed ? &s->fault : NULL);
		credential_clear(&s->fresh);
	} else {
		take_own(g);
	}
	if (s->device && g->cloud.state == CLOUD_SIGNING)
		cloud_begin(g); /* which waited for this one */
	gateway_cloud_is_quiet(g);
	signer_tick(g);
}

void
signer_forget(struct gateway *g)
{
	credential_clear(&g->signer.credential);
}

void
signer_close(struct gateway *g)
{
	credential_clear(&g->signer.credential);
	credential_clear(&g->signer.fresh);
}
