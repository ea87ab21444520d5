/* store: the operator's side of the registry: what p11-registry creates, shows and deletes. */
#ifndef REGISTRY_STORE_H
#define REGISTRY_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <jansson.h>

#include "base/fault.h"
#include "registry/registry.h"

/*
 * A registry is named by project, region and its id; a device by these and its own id. What a call
 * returns as JSON has the members of Cloud IoT Core's REST resources; free with json_decref().
 *
 * Every call is one transaction: when it fails, nothing has changed. All return 0; else FAULT_USAGE
 * for a bad id, FAULT_NOTFOUND naming what is not there, FAULT_EXISTS, FAULT_INVALID for a key or a
 * certificate that may not be used, FAULT_IO, FAULT_NOMEM.  Threads: one.
 */

/* A registry's topic for a subfolder; "" is the default. */
struct store_notification {
	const char *topic;
	const char *subfolder;
};

/*
 * Creates a registry.
 *
 * notifications  at most 10; their topics must exist
 * cas            certificates in PEM, RULES_REGISTRY_CAS_MAX at most; each a CA's, valid now
 */
int store_registry_create(struct registry *r, const struct rules_client *at,
	const struct store_notification *notifications, size_t n_notifications, char *const *cas,
	size_t n_cas, time_t now, struct fault *f);
int store_registry_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);
int store_registry_list(
	struct registry *r, const char *project, const char *region, json_t **ret, struct fault *f);

/* FAULT_EXISTS while it has devices. */
int store_registry_delete(struct registry *r, const struct rules_client *at, struct fault *f);

/*
 * A device's credential.
 *
 * name     of the file it comes from, for the fault
 * type     as gcloud names it: es256, es256-pem, es256-x509-pem, rs256, rsa-pem, rsa-x509-pem
 * pem      the public key or the certificate
 * expires  Unix seconds; 0 never
 */
struct store_credential {
	const char *name;
	const char *type;
	const char *pem;
	time_t expires;
};

/* A device to create; auth_method is NULL for what is no gateway. */
struct store_device {
	bool gateway;
	const char *auth_method;
	bool blocked;
};

int store_device_create(struct registry *r, const struct rules_client *at,
	const struct store_device *device, const struct store_credential *credentials,
	size_t n_credentials, time_t now, struct fault *f);
int store_device_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);

/* The registry's devices by id, `limit` at most, those behind `after` ("" from the start). */
int store_device_list(struct registry *r, const struct rules_client *at, const char *after,
	long limit, json_t **ret, struct fault *f);
int store_device_delete(struct registry *r, const struct rules_client *at, struct fault *f);
int store_device_block(
	struct registry *r, const struct rules_client *at, bool blocked, struct fault *f);

/*
 * Credentials are counted from 0, in the order they were added. Beside gcloud's members a list
 * tells what kind of key each has, and of a certificate what cert_describe() does.
 */
int store_credential_create(struct registry *r, const struct rules_client *at,
	const struct store_credential *credential, time_t now, struct fault *f);
int store_credential_list(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);
int store_credential_delete(
	struct registry *r, const struct rules_client *at, long index, struct fault *f);

/* Binding says which devices a gateway may speak for; both are in registry `at`. */
int store_gateway_bind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f);
int store_gateway_unbind(struct registry *r, const struct rules_client *at, const char *gateway,
	const char *device, struct fault *f);
int store_gateway_list(struct registry *r, const struct rules_client *at, const char *gateway,
	json_t **ret, struct fault *f);

/* A topic is named "T", in the project given, or "projects/P/topics/T"; a subscription likewise. */
int store_topic_create(struct registry *r, const char *project, const char *topic, struct fault *f);
int store_topic_list(struct registry *r, const char *project, json_t **ret, struct fault *f);
int store_subscription_create(struct registry *r, const char *project, const char *subscription,
	const char *topic, struct fault *f);
int store_subscription_list(struct registry *r, const char *project, json_t **ret, struct fault *f);

/*
 * The oldest messages of a subscription, `limit` at most, each with its ackId and as member
 * "message": messageId, publishTime, attributes and data in base64. They are pulled again until
 * they are acknowledged.
 */
int store_pull(struct registry *r, const char *project, const char *subscription, long limit,
	json_t **ret, struct fault *f);

/* Forgets messages, as store_pull() gave them; those that are gone already are passed over. */
int store_ack(struct registry *r, const char *project, const char *subscription,
	const json_t *pulled, struct fault *f);

#endif
