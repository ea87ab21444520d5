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
 * Every call is one transaction, unless it says otherwise: when it fails, nothing has changed. All
 * return 0; else FAULT_USAGE for a bad id, FAULT_NOTFOUND naming what is not there, FAULT_EXISTS,
 * FAULT_INVALID for a key or a certificate that may not be used, FAULT_IO, FAULT_NOMEM.
 * Threads: one.
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

/*
 * What may be set of a registry; NULL and 0 leave a thing as it is.
 *
 * replace        whether `notifications`, perhaps none, take the place of those there are
 * state_topic    where states go beside their device's list; "" nowhere
 * log_level      NONE, ERROR, INFO or DEBUG
 * mqtt           1: devices may connect, -1: none may
 * jit            which name in its certificate registers an unknown device: cn, dns or uri; off
 */
struct store_registry {
	bool replace;
	const struct store_notification *notifications;
	size_t n_notifications;
	const char *state_topic;
	const char *log_level;
	int mqtt;
	const char *jit;
};

/* The same with all that may be set. */
int store_registry_create_with(struct registry *r, const struct rules_client *at,
	const struct store_registry *settings, char *const *cas, size_t n_cas, time_t now,
	struct fault *f);
int store_registry_update(struct registry *r, const struct rules_client *at,
	const struct store_registry *settings, struct fault *f);
int store_registry_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);
int store_registry_list(
	struct registry *r, const char *project, const char *region, json_t **ret, struct fault *f);

/* FAULT_EXISTS while it has devices. */
int store_registry_delete(struct registry *r, const struct rules_client *at, struct fault *f);

/*
 * A registry's CAs, counted from 0 in the order they were added. They judge credentials that come;
 * what there is already stays when one is deleted.
 */
int store_ca_create(struct registry *r, const struct rules_client *at, const char *pem, time_t now,
	struct fault *f);
int store_ca_list(struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);
int store_ca_delete(struct registry *r, const struct rules_client *at, long index, struct fault *f);

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

/*
 * A device to create.
 *
 * auth_method  as REST names it; NULL for what is no gateway
 * log_level    NONE, ERROR, INFO or DEBUG; NULL is the registry's
 * metadata     an object of texts, or NULL
 * config       version 1, RULES_CONFIG_MAX bytes at most; NULL for an empty one
 */
struct store_device {
	bool gateway;
	const char *auth_method;
	bool blocked;
	const char *log_level;
	const json_t *metadata;
	const void *config;
	size_t config_len;
};

int store_device_create(struct registry *r, const struct rules_client *at,
	const struct store_device *device, const struct store_credential *credentials,
	size_t n_credentials, time_t now, struct fault *f);
int store_device_describe(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);

/*
 * Which devices a list has; a zeroed one has all.
 *
 * after    those behind this id in the order of ids; NULL from the start
 * limit    how many at most; 0 is a thousand
 * gateway  1 gateways, -1 others
 * blocked  1 blocked ones, -1 others
 * bound    those bound to this gateway; NULL without that
 * ids      an array of texts that are ids or numbers; NULL without that; not with `bound`
 */
struct store_filter {
	const char *after;
	long limit;
	int gateway;
	int blocked;
	const char *bound;
	const json_t *ids;
};

/*
 * The registry's devices by id. The time it takes grows with what it returns, not with the
 * registry; but for gateway -1 and blocked -1, which pass by the others.
 */
int store_device_list(struct registry *r, const struct rules_client *at,
	const struct store_filter *filter, json_t **ret, struct fault *f);
int store_device_delete(struct registry *r, const struct rules_client *at, struct fault *f);

/*
 * What may be changed of a device; NULL and 0 leave a thing as it is.
 *
 * blocked      1 or -1
 * auth_method  of a gateway, as REST names it
 * log_level    NONE, ERROR, INFO or DEBUG
 * metadata     takes the place of all there is; an empty object removes it
 */
struct store_device_change {
	int blocked;
	const char *auth_method;
	const char *log_level;
	const json_t *metadata;
};

int store_device_update(struct registry *r, const struct rules_client *at,
	const struct store_device_change *change, struct fault *f);
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

/* Changes when a credential ends; expires must be after now. */
int store_credential_update(struct registry *r, const struct rules_client *at, long index,
	time_t expires, time_t now, struct fault *f);

/* Deletes all of a device's. */
int store_credential_clear(struct registry *r, const struct rules_client *at, struct fault *f);

/*
 * Gives a device its next config. The newest ten versions are kept; version 1 is there from the
 * start, empty unless the device was created with one.
 *
 * expected  the version that must be the newest; 0 takes any
 * ret       receives what it is now, as REST's DeviceConfig
 *
 * FAULT_PRECONDITION when another version is the newest, or it came in this very second.
 */
int store_config_update(struct registry *r, const struct rules_client *at, const void *data,
	size_t len, int64_t expected, time_t now, json_t **ret, struct fault *f);

/* One version, 0 the newest; FAULT_NOTFOUND when it is not kept. */
int store_config_describe(struct registry *r, const struct rules_client *at, int64_t version,
	json_t **ret, struct fault *f);

/* All that are kept, the newest first. */
int store_config_list(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);

/* What a device last reported, the newest first, as REST's DeviceState. */
int store_state_list(
	struct registry *r, const struct rules_client *at, json_t **ret, struct fault *f);

/* expires: until when a broker may send it, in Unix seconds */
struct store_command {
	const char *subfolder;
	const void *data;
	size_t len;
	time_t expires;
};

/*
 * done     0: no broker answered; 1: sent; 2: it could not be
 * outcome  the broker's words for it
 */
struct store_answer {
	int done;
	char outcome[256];
	char subfolder[RULES_SUBFOLDER_MAX + 1];
};

/*
 * Hands a command to the broker that runs on this file. Look at it until it is answered, and end it
 * in any case; registry_changed() tells when a look is worth it.
 */
int store_command_put(struct registry *r, const struct rules_client *at,
	const struct store_command *command, time_t now, int64_t *ret_id, struct fault *f);
int store_command_look(struct registry *r, int64_t id, struct store_answer *ret, struct fault *f);

/*
 * Withdraws a command if it was not answered.
 *
 * without  what the audit says then
 * ret      receives the last word
 */
int store_command_end(struct registry *r, const struct rules_client *at, int64_t id,
	const char *without, struct store_answer *ret, struct fault *f);

/*
 * Which lines of the audit.
 *
 * limit  at most so many, the newest
 * since  only from then on, in Unix seconds; 0 for all
 * class  only those that an "operator", a "device" or a "stranger" caused; NULL for all
 */
struct store_log_filter {
	long limit;
	time_t since;
	const char *class;
};

/*
 * The audit's newest lines of a project, or of the part of it that `at` names, in the order of
 * their times; each with time, event, region, registry, device, detail and class. Lines about what
 * was deleted are among them.
 */
int store_log_list(struct registry *r, const struct rules_client *at,
	const struct store_log_filter *filter, json_t **ret, struct fault *f);

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

/* FAULT_EXISTS while a subscription or a registry names it. */
int store_topic_delete(struct registry *r, const char *project, const char *topic, struct fault *f);
int store_subscription_create(struct registry *r, const char *project, const char *subscription,
	const char *topic, struct fault *f);

/*
 * Each with its topic, its state (ACTIVE, or DELETING after a deletion was interrupted), how many
 * messages and bytes wait, as struct registry_retention counts them, and how many were dropped.
 */
int store_subscription_list(struct registry *r, const char *project, json_t **ret, struct fault *f);

/* As store_subscription_list() has it. */
int store_subscription_describe(struct registry *r, const char *project, const char *subscription,
	json_t **ret, struct fault *f);

/* Called now and then with how much is done. */
typedef void store_progress_fn(void *with, int64_t done, int64_t total);

/*
 * Deletes a subscription with the messages it holds. It gets no more messages from then on. The
 * messages go in many short transactions, so that the broker never waits long. When it fails or is
 * interrupted, the same call resumes it.
 *
 * progress  may be NULL
 */
int store_subscription_delete(struct registry *r, const char *project, const char *subscription,
	store_progress_fn *progress, void *with, struct fault *f);

/* Payload that one pull returns: the message that reaches this is its last. */
#define STORE_PULL_BYTES_MAX (32 * 1024 * 1024)

/*
 * The oldest messages of a subscription, `limit` at most and as many as STORE_PULL_BYTES_MAX
 * allows, each with its ackId and as member "message": messageId, publishTime, attributes and data
 * in base64. They are pulled again until they are acknowledged.
 */
int store_pull(struct registry *r, const char *project, const char *subscription, long limit,
	json_t **ret, struct fault *f);

/*
 * Deletes messages, as store_pull() gave them; those that are gone already are skipped. Many short
 * transactions: when it fails, the oldest may be acknowledged.
 */
int store_ack(struct registry *r, const char *project, const char *subscription,
	const json_t *pulled, struct fault *f);

#endif
