/* registry: the file of registries, devices and telemetry as the broker uses it. Knows SQLite. */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/auto.h"
#include "base/fault.h"
#include "registry/rules.h"

struct registry;

/*
 * Opens the registry's file, creating it with its schema, for its owner alone, when it is not
 * there.
 *
 * path          the file; its folder must be writable (the file's journal stands beside it)
 * ret_registry  close with registry_close()
 *
 * Returns 0; else FAULT_IO when it cannot be opened or written, FAULT_CONFIG when it is no registry
 * or a newer program's, FAULT_NOMEM.  Blocks: on the disk; up to a second while another process
 * writes.  Threads: one.
 */
int registry_open(const char *path, struct registry **ret_registry, struct fault *f);

void registry_close(struct registry *registry);

AUTO_DEFINE(registry, struct registry, registry_close);

/*
 * How long a call may wait while another process writes, in milliseconds: a second without this.
 * One that waited in vain makes those of the next second not wait at all.
 */
void registry_set_patience(struct registry *registry, int ms);

/*
 * What each subscription keeps at most. Of a message that count as bytes: its payload, its
 * attributes, and RETENTION_ROW_BYTES for what the file needs beside them.
 *
 * messages      in number
 * bytes         of all its messages
 * device_bytes  of one device's messages; at most its own oldest ones are dropped for that
 * age_s         of a message, in seconds
 */
struct registry_retention {
	int64_t messages;
	int64_t bytes;
	int64_t device_bytes;
	int64_t age_s;
};

#define RETENTION_ROW_BYTES 128

/* Default: 1,000,000 messages, 1 GiB, 64 MiB a device, 7 days. */
void registry_set_retention(struct registry *registry, const struct registry_retention *retention);

/* How far devices' clocks may differ from ours: 0 to RULES_SKEW_S, which it is without this. */
void registry_set_skew(struct registry *registry, long skew_s);

/*
 * Whether tokens must be RFC 7515 and RFC 7519 to the letter, see jwt_parse() and
 * rules_check_claims(). Default: false, as Cloud IoT Core.
 */
void registry_set_strict(struct registry *registry, bool strict);

/*
 * Whether another connection changed the file since the last call (the first call says yes). A few
 * microseconds.
 */
bool registry_changed(struct registry *registry);

/*
 * Names a PEM file of certificate revocation lists; may be called for several. A list counts for
 * the certificates of the CA that signed it: one of any registry's CAs, or one whose certificate
 * stands in the same file. It counts even when it should have been replaced by a newer one.
 *
 * Returns 0; else FAULT_CONFIG when the file cannot be read or holds no usable lists, FAULT_IO when
 * the registry cannot be read, FAULT_NOMEM.  Blocks: on the disk.
 */
int registry_set_crl_file(struct registry *registry, const char *path, struct fault *f);

/*
 * Reads the files again that changed; a stat() a file when none did. What cannot be used does not
 * take the place of what was read before.
 *
 * now          for saying that a list should have been replaced
 * ret_changed  whether devices that were let in must be looked at again; set in any case
 *
 * Returns 0; else a fault for the log: each is told once, one a call. FAULT_IO when the registry
 * cannot be read; it is told until it can.  Blocks: on the disk when a file changed.
 */
int registry_reread_crls(struct registry *registry, time_t now, bool *ret_changed, struct fault *f);

/* SHA-256. */
#define REGISTRY_CREDENTIAL_LEN 32

/*
 * Who was let in.
 *
 * client          as the device named itself: client.device is its id or its number
 * device_id       its id
 * device_num_id   its number as Cloud IoT Core has one
 * registry_row    names the registry in this file
 * device_row      names the device in this file; never used again for another device, not even when
 *                 the file is restored from a copy
 * by_token        whether a token of its own was judged; false only for a device that a gateway
 *                 attached without one
 * credential      SHA-256 of the credential's PEM that verified the token; valid with by_token
 * gateway         whether others may attach to it
 * log_level       the device's, or its registry's
 * until           when the token's time is over and the connection ends, in Unix seconds
 */
struct registry_admission {
	struct rules_client client;
	char device_id[RULES_ID_MAX + 1];
	char device_num_id[24];
	int64_t registry_row;
	int64_t device_row;
	bool by_token;
	unsigned char credential[REGISTRY_CREDENTIAL_LEN];
	bool gateway;
	enum rules_log_level log_level;
	time_t until;
};

/*
 * Judges a CONNECT: the client id names a registered device that is not blocked, and the token was
 * signed by one of its credentials that has neither expired nor been revoked, with that key's
 * algorithm, with claims that rules_check_claims() takes. A registry may take a device that is not
 * registered by the certificate that its token brings (x5c): it is registered then.
 *
 * token  the password; not NUL-terminated; need not be trusted
 *
 * Returns 0; else FAULT_AUTH with the reason for the broker's log (no piece of the token),
 * FAULT_IO when the file fails.
 */
int registry_admit(struct registry *registry, const char *client_id, const char *token, size_t len,
	time_t now, struct registry_admission *ret_admission, struct fault *f);

/*
 * Whether a device that was let in may stay: it is still registered, not blocked, and the
 * credential that verified its token is still one of the device's and not revoked. That a
 * credential has expired since does not matter: expiry counts for new connections, as in Cloud IoT
 * Core. Updates what may change of the device: whether it is a gateway, and its log level.
 *
 * Returns 0; else FAULT_AUTH with the reason, FAULT_IO when the file fails.
 */
int registry_may_stay(
	struct registry *registry, struct registry_admission *admission, struct fault *f);

/*
 * A device's message.
 *
 * gateway    the id of the gateway that carries it; NULL for none
 * subfolder  of events; "" without one, and for state
 */
struct registry_message {
	const struct registry_admission *from;
	const char *gateway;
	const char *subfolder;
	const void *payload;
	size_t len;
};

/*
 * Takes a device's telemetry (`/devices/D/events[/SUBFOLDER]`): finds the registry's topic for the
 * subfolder and keeps the message in each of that topic's subscriptions. It is in the file when
 * this returns. Topics and subscriptions are those of the last registry_changed(). A subscription
 * that is full drops some of its oldest messages; when it is still too full, it drops this one.
 *
 * ret_backend  receives "projects/P/topics/T/registries/G", what the broker's own subscribers know
 *              the topic by; borrowed until the next call
 *
 * Returns 0; else FAULT_CONFIG when the registry has no topic for it, FAULT_IO when the file fails.
 */
int registry_telemetry(struct registry *registry, const struct registry_message *message,
	time_t now, const char **ret_backend, struct fault *f);

/*
 * Keeps a device's state, the newest ten, and a copy in each subscription of the registry's topic
 * for states, if it has one.
 *
 * ret_backend  as registry_telemetry(); "" when the registry has no topic for states
 *
 * Returns as registry_telemetry(); FAULT_AUTH when the device is not there any more.
 */
int registry_state(struct registry *registry, const struct registry_message *message, time_t now,
	const char **ret_backend, struct fault *f);

/*
 * Tells which devices were changed by others since the last call: blocked, deleted, unbound, given
 * a new config, or deprived of a credential.
 *
 * rows    receives their device_row, each perhaps several times
 * ret_n   how many; when it is `size` there may be more
 * ret_all whether all must be looked at: a whole registry changed, more than the file remembers,
 *         or the file was restored from a copy
 *
 * Returns 0; else FAULT_IO when the file fails.
 */
int registry_changes(struct registry *registry, int64_t *rows, size_t size, size_t *ret_n,
	bool *ret_all, struct fault *f);

/*
 * A device's newest config; version 1 is empty unless it was given one.
 *
 * data  free with free(); NULL when empty
 */
struct registry_config {
	int64_t version;
	void *data;
	size_t len;
};

int registry_config(struct registry *registry, int64_t device_row, struct registry_config *ret,
	struct fault *f);

/* A command that waits for the broker; empty it with registry_command_clear(). */
struct registry_command {
	int64_t id;
	int64_t device_row;
	char *subfolder;
	void *data;
	size_t len;
};

void registry_command_clear(struct registry_command *command);

/*
 * The oldest command that was not handed out before, that nobody answered and that has not expired.
 * Each is handed out once, even when its answer cannot be written.
 */
int registry_next_command(struct registry *registry, time_t now, struct registry_command *ret,
	bool *ret_there, struct fault *f);

/* Whether any command waits. */
int registry_commands_wait(struct registry *registry, time_t now, bool *ret_waits, struct fault *f);

/* Answers it: whether it was sent, and what was done or why not, for who sent it. */
int registry_answer_command(
	struct registry *registry, int64_t id, bool sent, const char *outcome, struct fault *f);

/*
 * What is known of a device's doings; times in Unix seconds, 0 where there is nothing new.
 *
 * config_version  what was sent at config_sent
 * error_text      why it was refused or closed; NULL without one; free()d by who holds this
 */
struct registry_activity {
	int64_t heartbeat;
	int64_t event;
	int64_t config_sent;
	int64_t config_version;
	int64_t error;
	char *error_text;
};

/* Who caused a line of the audit: an operator, a device that was let in, or any other client. */
enum registry_class { REGISTRY_OPERATOR, REGISTRY_DEVICE, REGISTRY_STRANGER };

/*
 * A line of the audit.
 *
 * causer  device_row of the device whose connection caused it; 0 for none
 * of      the device that it is about
 */
struct registry_event {
	time_t when;
	enum registry_class class;
	int64_t causer;
	struct rules_client of;
	const char *event;
	char detail[160];
};

/*
 * Several things written in one transaction: registry_begin(), any of the two below, and
 * registry_commit(); registry_rollback() gives them up. A device that is gone is passed over.
 */
int registry_begin(struct registry *registry, struct fault *f);
int registry_commit(struct registry *registry, struct fault *f);
void registry_rollback(struct registry *registry);
int registry_keep_activity(struct registry *registry, int64_t device_row,
	const struct registry_activity *activity, struct fault *f);
int registry_keep_event(
	struct registry *registry, const struct registry_event *event, struct fault *f);

/*
 * Judges a device's attach through a gateway: it is in the gateway's registry, no gateway, not
 * blocked; bound to it and with a token of its own as far as the gateway's auth method asks.
 *
 * device   its id or number, as in the topic
 * payload  JSON with "authorization", or empty
 *
 * Returns 0; else FAULT_AUTH with the reason, which the gateway may know; FAULT_NOTFOUND when the
 * gateway may not know whether the device exists, with a reason for the operator alone; FAULT_IO
 * when the file fails.
 */
int registry_attach(struct registry *registry, const struct registry_admission *gateway,
	const char *device, const void *payload, size_t len, time_t now,
	struct registry_admission *ret_admission, struct fault *f);

/* Whether an attached device may stay so. As registry_may_stay(). */
int registry_may_stay_attached(struct registry *registry, const struct registry_admission *gateway,
	struct registry_admission *device, struct fault *f);

#endif
