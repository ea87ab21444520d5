/* plugin: what the callbacks of p11_registry.so share. */
#ifndef PLUGIN_PLUGIN_H
#define PLUGIN_PLUGIN_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "base/base64url.h"
#include "plugin/journal.h"
#include "plugin/registry_options.h"
#include "plugin/sessions.h"
#include "plugin/waker.h"
#include "registry/registry.h"
#include "registry/topic.h"

/* Room for each topic that a device may publish to. */
#define TOPIC_KEPT_MAX 1024

/* Bytes that nobody guesses. */
#define MARK_BYTES 16

/*
 * gone_mark   the user's name that a device's connection has for the broker once it has ended: none
 *             that anybody knows, and so none that a CONNECT brings
 * looked_ms   when the file was last asked for changes, by the monotonic clock
 * crls_ms     when the files of revoked certificates were
 * swept_ms    when stale devices were last looked at
 * failing     the file failed when it was last asked about a device: say so once
 * reading     there may be more changes than were read
 * reading_failed  they could not be read when that was last tried: say so once
 * topic       the one that was published to last, and its text: it is asked for twice a message
 */
struct plugin {
	mosquitto_plugin_id_t *id;
	struct registry_options options;
	struct registry *registry;
	struct sessions *sessions;
	struct roster *roster;
	struct journal *journal;
	struct waker *waker;
	char gone_mark[BASE64URL_LEN(MARK_BYTES) + 1];
	int64_t looked_ms;
	int64_t crls_ms;
	int64_t swept_ms;
	bool failing;
	bool reading, reading_failed;
	struct topic topic;
	char topic_text[TOPIC_KEPT_MAX];
};

/* By a clock that never goes back; cheap. */
int64_t plugin_now_ms(void);

/*
 * Ends a device's connection for a reason that is logged; the broker closes it at its next pass,
 * and until then the device may do nothing more.
 */
void plugin_end(struct plugin *plugin, struct session *session, const char *reason);

/* Tells the waker when something is due. */
void plugin_set_due(struct plugin *plugin);

/* Whether a session may still do anything at all; ends it when not. Looks for changes too. */
bool plugin_may_go_on(struct plugin *plugin, struct session *session);

/* uplink: what devices publish. Returns what the broker's callback is to return. */
int uplink_check(
	struct plugin *plugin, struct session *session, const struct mosquitto_evt_acl_check *acl);

/*
 * Counts a filter of a SUBSCRIBE or an UNSUBSCRIBE as one of the connection's messages. Returns
 * what the broker's callback is to return, an error when there were too many.
 */
int uplink_count_filter(struct plugin *plugin, struct session *session);
int uplink_take(
	struct plugin *plugin, struct session *session, struct mosquitto_evt_message *message);

/*
 * downlink: what devices subscribe to: their config and commands, sent to their connection alone,
 * so that registries with the same device ids never meet.
 */
int downlink_subscribe(
	struct plugin *plugin, struct session *session, const struct mosquitto_evt_acl_check *acl);
void downlink_unsubscribe(struct plugin *plugin, struct session *session, const char *filter);

/* Sends the newest config when it was subscribed to and not sent yet. */
void downlink_renew_config(struct plugin *plugin, struct device *device);

/* Answers the commands that wait in the registry. */
void downlink_answer_commands(struct plugin *plugin);

/* gateway: devices that speak through another's connection. */
int gateway_attach(struct plugin *plugin, struct session *session, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl);
int gateway_detach(struct plugin *plugin, struct session *session, const struct topic *topic,
	const struct mosquitto_evt_acl_check *acl);

/*
 * Refuses a gateway's message whose topic has an invalid device id, on the errors topic.
 *
 * topic  from topic_parse_invalid_device()
 *
 * Returns what the ACL callback must return.
 */
int gateway_refuse_invalid_device(struct plugin *plugin, struct session *session,
	const struct topic *topic, const struct mosquitto_evt_acl_check *acl);

/*
 * The device of that name that speaks through a session: its own, or an attached one, which is
 * detached when its token's time is over; NULL then, or when there is none.
 */
struct device *gateway_device(struct plugin *plugin, struct session *session, const char *name);

/* Says on the errors topic that a device is not attached; what the ACL callback is to return. */
int gateway_not_attached(struct plugin *plugin, struct session *session, const char *device,
	const char *message_type, const char *topic);

/* Detaches a device that its gateway did not ask for, and tells it. */
void gateway_drop(struct plugin *plugin, struct device *device, const char *reason);

/* Ends what else speaks for the device: it has one way to us, the newest. */
void gateway_take_over(struct plugin *plugin, const struct device *newest);

/* watch: what others change in the registry's file, and what time brings. */
void watch_look(struct plugin *plugin, int64_t now_ms);

/*
 * Looks again at a device; one that was stale is sent its newest config. 0, with the device gone or
 * not; -1 when the file failed: it is as stale as before then.
 */
int watch_recheck(struct plugin *plugin, struct device *device);

/* Once for each pass of the broker's loop, up to 100,000 times a second: nearly always nothing. */
void watch_tick(struct plugin *plugin);

#endif
