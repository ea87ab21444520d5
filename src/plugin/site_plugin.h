/* site_plugin: what the parts of p11_site.so share: its state, and what each part does. */
#ifndef PLUGIN_SITE_PLUGIN_H
#define PLUGIN_SITE_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "plugin/door.h"
#include "plugin/name_file.h"
#include "plugin/name_limit.h"
#include "plugin/retained.h"
#include "plugin/site_options.h"
#include "plugin/speakers.h"
#include "plugin/will.h"
#include "registry/limits.h"
#include "spool/timely.h"

/* The plugin's name, with which its log lines begin. */
#define SITE_PLUGIN "p11_site"

/* Size of the buffer for a client ID or a topic in a log line. */
#define SITE_SHOWN_SIZE 300

/*
 * A condition that is logged immediately and then at a bounded rate.
 *
 * logged_ms  when it was last logged, by the monotonic clock; 0: never, or it has ended since
 * refused    how many messages or names were refused because of it, until it ended
 */
struct complaint {
	int64_t logged_ms;
	unsigned long refused;
};

/*
 * door                 the socket where gateways connect
 * polled_ms            when the plugin last polled the socket, by the monotonic clock
 * spool_failed         the spool does not accept messages: it is full or the disk fails
 * attaches_full        there is no room to keep another attach request for gateways
 * names_limited        new devices have to wait
 * retained_full        the retained messages from gateways have reached their limit
 * retained             the retained messages from gateways
 * will                 what is known of the last will that the broker may publish next
 * refusal_lines        the rate limit for log lines about refused messages
 * unrecorded           how many of these lines were left out since the last one
 * identity_unsafe      the broker does not check user names since a reload: no client is a device
 * tick_failed          the spool's last housekeeping failed, and the log says so
 * ticks                the broker sends tick events to the plugin
 * missing_tick_logged  the log says that it does not
 */
struct site {
	mosquitto_plugin_id_t *id;
	struct site_options options;
	struct timely *spool;
	struct speakers *speakers;
	struct name_limit *name_limit;
	struct name_file *name_file;
	struct door *door;
	int64_t polled_ms;
	struct complaint spool_failed, attaches_full, names_limited, retained_full;
	struct retained retained;
	struct will will;
	struct limits_bucket refusal_lines;
	unsigned long unrecorded;
	bool identity_unsafe;
	bool tick_failed;
	bool ticks, missing_tick_logged;
};

/* site_log: logs complaints and refusals at a bounded rate. */

/* Counts a refusal; logs what fails and why, at most once a minute. Returns whether it logged. */
bool site_log_complaint(struct complaint *complaint, const char *what, const char *why);

/* Logs that a complaint has ended, and how many refusals it had; resets it. */
void site_log_complaint_end(struct complaint *complaint, const char *what);

/*
 * Logs that a client's message was refused, unless there were too many such lines.
 *
 * id  the client ID; NULL for a client that is not connected any more
 */
void site_log_refusal(struct site *site, const char *id, const char *topic, const char *why);

/* site_identity: which device a client is. */

/* Returns 0; else FAULT_CONFIG when the broker does not check the user names that name devices. */
int site_identity_check(const struct site *site, struct fault *f);

/* Returns the name of the device that a client is, or NULL. Called for each message. */
const char *site_identity_name(const struct site *site, const struct mosquitto *client);

/* Returns whether a client may publish for every device. */
bool site_identity_is_trusted(const struct site *site, const struct mosquitto *client);

/* Returns whether site_identity_add() has added a client that is still connected. */
bool site_identity_is_known(const struct site *site, const struct mosquitto *client);

/*
 * Returns whether a device's name is known, or may be new now; logs a complaint otherwise.
 *
 * address  the client's network address; NULL for a trusted client
 */
bool site_identity_accept_name(struct site *site, const char *name, const char *address);

/*
 * Returns a client's entry, added at its first use, when gateways are also told of its device. NULL
 * when memory ran out, the client has no client ID, or its device is new and has to wait.
 */
struct speaker *site_identity_add(struct site *site, const struct mosquitto *client);

/* site_accept: whether a client's message or subscription is accepted; appends to the spool. */

/* Decides about a publish, a subscription or a delivery. Returns what the callback must return. */
int site_accept_acl(struct site *site, const struct mosquitto_evt_acl_check *acl);

/* Appends a message to the spool, or refuses it. Returns what the callback must return. */
int site_accept_message(struct site *site, struct mosquitto_evt_message *message);

/* Handles a last will that was published before this event. message_of: see will_next_event(). */
void site_accept_next_event(struct site *site, const struct mosquitto *message_of);

/* site_deliver: publishes a config, a command or another message that a gateway hands over. */
door_deliver_fn site_deliver;

#endif
