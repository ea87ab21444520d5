#include "config.h"

#include "registry/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "registry/admit.h"
#include "registry/attach.h"
#include "registry/changes.h"

/* What a gateway's auth method asks of its devices. */
struct method {
	bool needs_binding;
	bool needs_token;
};

/* FAULT_AUTH when the gateway has none, which says nothing about any device. */
static int
read_method(struct registry *r, int64_t gateway, struct method *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	const char *name;
	bool row;

	if (db_prepare(r, "SELECT coalesce(auth_method, '') FROM devices WHERE id = ? AND gateway",
		    &q, f, "i", gateway) ||
		db_step(r, q, &row, f))
		return -1;
	name = row ? db_text(q, 0) : "";
	ret->needs_binding = strstr(name, "ASSOCIATION") != NULL;
	ret->needs_token = strstr(name, "DEVICE_AUTH_TOKEN") != NULL;
	if (!ret->needs_binding && !ret->needs_token)
		return fault_set(f, FAULT_AUTH,
			"the gateway has no auth method: 'devices update --auth-method' gives it "
			"one");
	return 0;
}

static int
read_binding(struct registry *r, int64_t gateway, int64_t device, bool *ret_bound, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;

	if (db_prepare(r, "SELECT 1 FROM bindings WHERE gateway = ? AND device = ?", &q, f, "ii",
		    gateway, device))
		return -1;
	return db_step(r, q, ret_bound, f);
}

/* Whether a fault is the file's, and no answer to what was asked. */
static bool
failed(int rc, const struct fault *why)
{
	return rc && why->code != FAULT_AUTH;
}

/*
 * Judges the device itself. Each step is done whether or not the ones before it succeeded, so that
 * the time an answer takes tells little about devices that the gateway may not see.
 *
 * jwt  the device's token; used when the method needs one
 */
static int
judge(struct registry *r, const struct registry_admission *gateway, const struct method *method,
	const struct jwt *jwt, time_t now, struct registry_admission *admission, struct fault *f)
{
	struct fault device = FAULT_INIT, token = FAULT_INIT;
	int no_device = admit_device(r, admission, &device), no_token = 0;
	bool bound = false, seen;

	if (failed(no_device, &device))
		return fault_set(f, device.code, "%s", device.text);
	if (method->needs_binding &&
		read_binding(r, gateway->device_row, admission->device_row, &bound, f))
		return -1;
	if (method->needs_token) {
		/* In place of an unknown device the gateway's own credentials cost the time. */
		no_token = admit_signature(r,
			admission->device_row ? admission->device_row : gateway->device_row, jwt,
			now, admission->credential, &token);
		if (failed(no_token, &token))
			return fault_set(f, token.code, "%s", token.text);
	}
	seen = admission->device_row && (method->needs_binding ? bound : !no_token);
	if (!seen)
		return fault_set(f, FAULT_NOTFOUND, "%s",
			!admission->device_row	? device.text
			: method->needs_binding ? "the device is not bound to the gateway"
						: token.text);
	if (admission->gateway)
		return fault_set(f, FAULT_AUTH, "a gateway does not attach: it connects by itself");
	if (no_device || no_token)
		return fault_set(f, FAULT_AUTH, "%s", no_device ? device.text : token.text);
	return 0;
}

int
registry_attach(struct registry *registry, const struct registry_admission *gateway,
	const char *device, const void *payload, size_t len, time_t now,
	struct registry_admission *ret_admission, struct fault *f)
{
	AUTO(auto_secret) char *token = NULL;
	AUTO(jwt_clear) struct jwt jwt = {0};
	AUTO(db_auto) struct registry *open = registry;
	struct registry_admission admission = {.client = gateway->client};
	struct method method;

	(void)open;
	snprintf(admission.client.device, sizeof(admission.client.device), "%s", device);
	if (attach_parse(payload, len, &token, f) || db_begin_read(registry, f) ||
		changes_see(registry, f) || read_method(registry, gateway->device_row, &method, f))
		return -1;
	if (method.needs_token && !*token)
		return fault_set(f, FAULT_AUTH,
			"the gateway wants a token of the device in 'authorization'");
	if (method.needs_token && admit_read_token(registry, admission.client.project, token,
					  strlen(token), now, &jwt, &admission.until, f))
		return -1;
	if (judge(registry, gateway, &method, &jwt, now, &admission, f))
		return -1;
	admission.by_token = method.needs_token;
	*ret_admission = admission;
	return 0;
}

int
registry_may_stay_attached(struct registry *registry, const struct registry_admission *gateway,
	struct registry_admission *device, struct fault *f)
{
	struct method method;
	bool bound;

	if (registry_may_stay(registry, device, f) ||
		read_method(registry, gateway->device_row, &method, f))
		return -1;
	if (device->gateway)
		return fault_set(f, FAULT_AUTH, "a gateway does not attach: it connects by itself");
	if (method.needs_binding) {
		if (read_binding(registry, gateway->device_row, device->device_row, &bound, f))
			return -1;
		if (!bound)
			return fault_set(f, FAULT_AUTH, "the device is not bound to the gateway");
	}
	/* One that came without a token has no credential that could vouch for it now. */
	if (method.needs_token && !device->by_token)
		return fault_set(f, FAULT_AUTH, "the gateway wants a token of the device now");
	return 0;
}
