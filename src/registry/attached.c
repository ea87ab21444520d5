#include "config.h"

#include "registry/registry.h"

#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "registry/admit.h"
#include "registry/attach.h"

/* What a gateway asks of its devices: the columns of query_pair(). */
struct pair {
	bool is_gateway; /* the device is one itself */
	bool may_use;	 /* the gateway has a method at all */
	bool needs_binding;
	bool needs_token;
	bool bound;
};

static int
query_pair(struct registry *r, int64_t gateway, int64_t device, struct pair *ret, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	const char *method;
	bool row;

	if (db_prepare(r,
		    "SELECT coalesce(g.auth_method, ''), g.gateway, d.gateway,"
		    " EXISTS (SELECT 1 FROM bindings WHERE gateway = ?1 AND device = ?2)"
		    " FROM devices g, devices d WHERE g.id = ?1 AND d.id = ?2",
		    &q, f, "ii", gateway, device) ||
		db_step(r, q, &row, f))
		return -1;
	*ret = (struct pair){0};
	if (!row || !sqlite3_column_int(q, 1))
		return 0;
	method = db_text(q, 0);
	ret->is_gateway = sqlite3_column_int(q, 2);
	ret->bound = sqlite3_column_int(q, 3);
	ret->needs_binding = strstr(method, "ASSOCIATION") != NULL;
	ret->needs_token = strstr(method, "DEVICE_AUTH_TOKEN") != NULL;
	ret->may_use = ret->needs_binding || ret->needs_token;
	return 0;
}

static int
check_pair(struct registry *r, const struct registry_admission *gateway,
	const struct registry_admission *device, struct pair *pair, struct fault *f)
{
	if (query_pair(r, gateway->device_row, device->device_row, pair, f))
		return -1;
	if (pair->is_gateway)
		return fault_set(f, FAULT_AUTH, "a gateway does not attach: it connects by itself");
	if (!pair->may_use)
		return fault_set(f, FAULT_AUTH,
			"the gateway has no auth method: 'devices update --auth-method' gives it "
			"one");
	if (pair->needs_binding && !pair->bound)
		return fault_set(f, FAULT_AUTH, "the device is not bound to the gateway");
	return 0;
}

int
registry_attach(struct registry *registry, const struct registry_admission *gateway,
	const char *device, const void *payload, size_t len, time_t now,
	struct registry_admission *ret_admission, struct fault *f)
{
	AUTO(auto_secret) char *token = NULL;
	struct registry_admission admission = {.client = gateway->client};
	struct pair pair;

	snprintf(admission.client.device, sizeof(admission.client.device), "%s", device);
	if (attach_parse(payload, len, &token, f) || admit_device(registry, &admission, f) ||
		check_pair(registry, gateway, &admission, &pair, f))
		return -1;
	if (!pair.needs_token) {
		admission.until = 0;
	} else if (!*token) {
		return fault_set(f, FAULT_AUTH,
			"the gateway wants a token of the device in 'authorization'");
	} else if (admit_token(registry, &admission, token, strlen(token), now, f)) {
		return -1;
	}
	*ret_admission = admission;
	return 0;
}

int
registry_may_stay_attached(struct registry *registry, const struct registry_admission *gateway,
	struct registry_admission *device, struct fault *f)
{
	struct pair pair;

	if (registry_may_stay(registry, device, f) ||
		check_pair(registry, gateway, device, &pair, f))
		return -1;
	/* One that came without a token has no credential that could vouch for it now. */
	if (pair.needs_token && !device->credential_row)
		return fault_set(f, FAULT_AUTH, "the gateway wants a token of the device now");
	return 0;
}
