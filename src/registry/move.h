/* move: a registry and its devices as JSON that another registry, or another broker, can take. */
#ifndef REGISTRY_MOVE_H
#define REGISTRY_MOVE_H

#include <jansson.h>

#include "registry/store.h"

/*
 * A registry is an object {"p11-registry": 1, "registry": {...}} with REST's members. A device has
 * those of REST's Device: id, numId, blocked, logLevel, metadata, gatewayConfig, credentials, and
 * beside REST's `config` its newest `configs`, its `states`, and of a gateway `boundDevices`, a
 * list of ids. JSON is freed with json_decref(). Telemetry that waits in subscriptions does not
 * move.
 */

/* How many devices move_out_devices() returns at most. */
#define MOVE_BATCH 200

int move_out_registry(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);

/*
 * The registry's devices after an id, in the order of ids, MOVE_BATCH at most, and fewer when they
 * take long to read; none at the end.
 *
 * after  the id; "" from the start
 */
int move_out_devices(struct registry *r, const struct rules_client *at, const char *after,
	json_t **ret, struct fault *f);

/* Creates the registry, unless it is there already, and topics of its that are not there. */
int move_in_registry(struct registry *r, const struct rules_client *at, const json_t *line,
	time_t now, struct fault *f);

enum move_existing { MOVE_REFUSE, MOVE_SKIP, MOVE_UPDATE };
enum move_result { MOVE_CREATED, MOVE_UPDATED, MOVE_SKIPPED };

/*
 * Takes one device in, within a transaction of the caller's, as batch_run() has one; when it
 * fails, nothing of it is there.
 *
 * existing     what to do with a device that is there: states and numbers are never changed
 * ret_expired  how many of its credentials have expired: these are left out
 *
 * Returns 0; else FAULT_INVALID or FAULT_USAGE when it is not what it must be, FAULT_EXISTS, or
 * what credentials_add() gives; FAULT_IO and FAULT_NOMEM, after which the rest need not be tried.
 */
int move_in_device(struct registry *r, const struct rules_client *at, const json_t *device,
	enum move_existing existing, time_t now, enum move_result *ret_result, int *ret_expired,
	struct fault *f);

/*
 * Binds a device to a gateway, within a transaction of the caller's.
 *
 * ret_bound  false when one of them does not exist or may not be bound
 *
 * Returns 0; else FAULT_IO or FAULT_NOMEM.
 */
int move_in_binding(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, bool *ret_bound, struct fault *f);

/*
 * EMQX's gcp_device authenticator: {deviceid, project, location, registry, keys: [{key, key_type,
 * expires_at}], blocked, config}. It has no gateways, bindings, metadata or states.
 */
int move_to_emqx(
	const json_t *device, const struct rules_client *at, json_t **ret, struct fault *f);

/*
 * The same way back. EMQX keeps a device once more by its number: *ret is NULL for such an entry.
 *
 * Returns 0; else FAULT_INVALID for what is no such entry, or of another registry than `at`.
 */
int move_from_emqx(
	const json_t *entry, const struct rules_client *at, json_t **ret, struct fault *f);

#endif
