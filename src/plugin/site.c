/* The site's broker: takes local devices' messages into the spool, and brings them what comes. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mosquitto.h>
#include <mosquitto_broker.h>
#include <mosquitto_plugin.h>

#include "base/text.h"
#include "plugin/broker_config.h"
#include "plugin/broker.h"
#include "plugin/door.h"
#include "plugin/name_file.h"
#include "plugin/name_limit.h"
#include "plugin/retained.h"
#include "plugin/site_options.h"
#include "plugin/speakers.h"
#include "plugin/will.h"
#include "registry/limits.h"
#include "registry/rules.h"
#include "registry/topic.h"
#include "site/filter.h"
#include "spool/timely.h"

#define NAME "p11_site"

/* How often the socket is looked at, at most. */
#define POLL_MS 4

/* What is refused for want of room, or because the disk fails, is said once and then so often. */
#define COMPLAIN_MS 60000

/* Bytes of a client ID or a topic in a log line. */
#define SHOWN_SIZE 300

/* Why a last will is refused: it would not get into the spool. */
#define REASON_WILL "a last will does not go to the cloud"

/* Lines about clients that are refused, on average; five times as many at once. */
#define LINES_PER_S 10

/*
 * since_ms  when it was last said that messages are not taken; 0: never, or they are again
 * refused   how many were not until now
 */
struct complaint {
	int64_t since_ms;
	unsigned long refused;
};

/*
 * polled_ms      when the socket was last looked at
 * full           of the spool
 * wishes         of what is kept for gateways that come later
 * names          of new devices that have to wait
 * lines          of clients that are refused; unrecorded: those left out since the last one
 * retained       the retained messages from gateways; crowded: the log says that they are too many
 * will           what is known of the last will that may be published next
 * unproven       since a reload the broker does not check user names: no client is a device
 * tick_failed    the spool's housekeeping failed, which was said
 * ticks          the broker gives us time; told: it was said that it does not
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
	struct complaint full, wishes, names, crowded;
	struct retained retained;
	struct will will;
	struct limits_bucket lines;
	unsigned long unrecorded;
	bool unproven;
	bool tick_failed;
	bool ticks, told;
};

static void
site_free(struct site *site)
{
	if (!site)
		return;
	door_free(site->door);
	name_file_close(site->name_file);
	name_limit_free(site->name_limit);
	speakers_free(site->speakers);
	timely_close(site->spool);
	will_clear(&site->will);
	retained_clear(&site->retained);
	site_options_clear(&site->options);
	free(site);
}

AUTO_DEFINE(site, struct site, site_free);

static int64_t
clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Which device a client says it is, or NULL. Asked for each message, and each who is sent it. */
static const char *
name_of(const struct site *site, const struct mosquitto *client)
{
	const struct speaker *speaker;
	const char *id;

	if (!strcmp(site->options.identity, "username"))
		return site->unproven ? NULL : mosquitto_client_username(client);
	id = mosquitto_client_id(client);
	if (!id || !rules_is_device_client(id))
		return id;
	/* What is long to read was read when it was met. */
	speaker = speakers_find(site->speakers, client, id);
	if (!speaker)
		return speaker_name(id);
	return speaker->device ? speaker->device->name : NULL;
}

static bool
is_trusted(const struct site *site, const struct mosquitto *client)
{
	const char *username = mosquitto_client_username(client);

	for (size_t i = 0; username && i < site->options.trusted.n; i++) {
		if (!strcmp(site->options.trusted.items[i], username))
			return true;
	}
	return false;
}

/* Logs immediately, and once a minute while it lasts. Returns whether it did. */
static bool
complain(struct complaint *complaint, const char *what, const char *why)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC_COARSE);

	complaint->refused++;
	if (complaint->since_ms && now_ms - complaint->since_ms < COMPLAIN_MS)
		return false;
	mosquitto_log_printf(
		MOSQ_LOG_ERR, NAME ": %s: %s refused=%lu", what, why, complaint->refused);
	complaint->since_ms = now_ms;
	return true;
}

/*
 * Whether a device's name is known, or may be new now. Names that no device can have cost a gateway
 * nothing. mosquitto tells plugins of a CONNECT only when they decide about passwords, and then
 * refuses user names that nobody decides about; so a name is counted when it is first used.
 *
 * address  NULL for a client that may speak for every device
 */
static bool
accept_name(struct site *site, const char *name, const char *address)
{
	struct fault f = FAULT_INIT;

	if (!rules_is_device(name, strlen(name)) ||
		name_limit_accept(
			site->name_limit, name, address, clock_ms(CLOCK_MONOTONIC_COARSE), &f) == 0)
		return true;
	complain(&site->names, "new devices are refused", f.text);
	return false;
}

/* NULL when memory ran out, the client has no id, or its device is new and has to wait. */
static struct speaker *
meet(struct site *site, const struct mosquitto *client)
{
	const char *id = mosquitto_client_id(client), *name;
	struct speaker *speaker;
	struct fault f = FAULT_INIT;
	bool trusted;

	if (!id)
		return NULL;
	speaker = speakers_find(site->speakers, client, id);
	if (speaker)
		return speaker;
	name = name_of(site, client);
	trusted = is_trusted(site, client);
	if (name && !accept_name(site, name, trusted ? NULL : mosquitto_client_address(client)))
		return NULL;
	if (speakers_add(site->speakers, client, id, name, trusted, &speaker, &f)) {
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s", f.text);
		return NULL;
	}
	if (speaker->device && speaker->device->connections == 1)
		door_tell(site->door, FRAME_PRESENT, speaker->device->name, NULL, 0);
	return speaker;
}

/*
 * What is not taken must not look as if it were: MQTT 5 can say so in the PUBACK, for 3.1.1 there
 * is only the end of the connection. A message of QoS 0 is given up by who sends it.
 */
static int
refuse(const struct mosquitto *client, int qos)
{
	bool can_tell = mosquitto_client_protocol_version(client) == 5;

	return can_tell || qos == 0 ? MOSQ_ERR_ACL_DENIED : MOSQ_ERR_AUTH;
}

/* What one client does wrong comes as fast as its messages, and would fill the disk. */
static void
note_refusal(struct site *site, const char *id, const char *topic, const char *why)
{
	char left_out[48] = "", shown_id[SHOWN_SIZE], shown_topic[SHOWN_SIZE];

	if (!limits_take(&site->lines, LINES_PER_S, 1, clock_ms(CLOCK_MONOTONIC_COARSE))) {
		site->unrecorded++;
		return;
	}
	if (site->unrecorded)
		snprintf(left_out, sizeof(left_out), " unrecorded=%lu", site->unrecorded);
	site->unrecorded = 0;
	text_show(id ? id : "", shown_id, sizeof(shown_id));
	text_show(topic, shown_topic, sizeof(shown_topic));
	mosquitto_log_printf(MOSQ_LOG_NOTICE, NAME ": refused client=%s topic=%s reason=%s%s",
		shown_id, shown_topic, why, left_out);
}

static int
refuse_because(struct site *site, const struct mosquitto *client, int qos, const char *topic,
	const char *why)
{
	note_refusal(site, mosquitto_client_id(client), topic, why);
	return refuse(client, qos);
}

/* These refusals may come by the thousand. The gateways show the reason in their status. */
static int
refuse_for_now(struct site *site, struct complaint *complaint, const struct mosquitto *client,
	int qos, const char *why)
{
	if (complain(complaint, "messages are not taken", why))
		door_tell(site->door, FRAME_REFUSING, "", why, strlen(why));
	return refuse(client, qos);
}

static void
say_taken_again(struct site *site)
{
	mosquitto_log_printf(
		MOSQ_LOG_NOTICE, NAME ": messages are taken again refused=%lu", site->full.refused);
	site->full = (struct complaint){0, 0};
	door_tell(site->door, FRAME_REFUSING, "", NULL, 0);
}

static size_t
max_of(const struct topic *topic)
{
	switch (topic->kind) {
	case TOPIC_EVENTS:
		return RULES_TELEMETRY_MAX;
	case TOPIC_ATTACH:
	case TOPIC_DETACH:
		return SPEAKERS_BODY_MAX;
	default:
		return RULES_STATE_MAX;
	}
}

/*
 * Another event has come: see will_next_event(). A delayed will was published, but nobody was sent
 * it. When it was retained, an empty message removes it from the broker's memory.
 */
static void
pass_event(struct site *site, const struct mosquitto *message_of)
{
	if (!will_next_event(&site->will, message_of))
		return;
	note_refusal(site, NULL, site->will.topic, REASON_WILL);
	if (site->will.retain)
		mosquitto_broker_publish(NULL, site->will.topic, 0, NULL, 0, true, NULL);
	will_clear(&site->will);
}

/* Whether a client is known to be connected. */
static bool
is_known(const struct site *site, const struct mosquitto *client)
{
	const char *id = mosquitto_client_id(client);

	return id && speakers_find(site->speakers, client, id);
}

static int
on_write(struct site *site, const struct mosquitto_evt_acl_check *acl, const struct topic *topic)
{
	const char *name = name_of(site, acl->client);
	/* Without ticks, a new client may have got the memory of the one that left. */
	bool is_will = site->ticks && will_is_from(&site->will, acl->client);
	struct fault f = FAULT_INIT;

	pass_event(site, NULL);
	switch (speaker_may_publish(name, is_trusted(site, acl->client), acl->topic, topic)) {
	case SPEAKER_DEFERRED:
		return MOSQ_ERR_PLUGIN_DEFER;
	case SPEAKER_DENIED:
		return refuse_because(site, acl->client, acl->qos, acl->topic,
			"it is not this client's to publish to");
	case SPEAKER_ALLOWED:
		break;
	}
	/* What the cloud would end the gateway's connection for must not get that far. */
	if (topic_check_publish(topic, acl->topic, acl->payloadlen, max_of(topic), acl->qos, &f))
		return refuse_because(site, acl->client, acl->qos, acl->topic, f.text);
	if (is_will)
		return refuse_because(site, acl->client, acl->qos, acl->topic, REASON_WILL);
	if (!is_known(site, acl->client) &&
		will_note_asked(&site->will, acl->client, acl->topic, acl->retain, &f))
		return refuse_because(site, acl->client, acl->qos, acl->topic, f.text);
	return MOSQ_ERR_SUCCESS;
}

/*
 * Whether what a client would be sent is a will, or the empty message that removes a retained one:
 * no other message that a device publishes is retained.
 */
static bool
is_part_of_will(const struct site *site, const struct mosquitto_evt_acl_check *acl,
	const struct topic *topic)
{
	return will_is_on(&site->will, acl->topic) ||
	       (acl->retain && (topic->kind == TOPIC_EVENTS || topic->kind == TOPIC_STATE ||
				       topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH));
}

static int
on_acl_check(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_acl_check *acl = event_data;
	struct site *site = userdata;
	const char *name = name_of(site, acl->client);
	enum speaker_verdict verdict;
	struct topic topic;

	(void)event;
	topic_parse(acl->topic, &topic);
	switch (acl->access) {
	case MOSQ_ACL_WRITE:
		return on_write(site, acl, &topic);
	case MOSQ_ACL_SUBSCRIBE:
		pass_event(site, NULL);
		verdict = speaker_may_subscribe(
			name, is_trusted(site, acl->client), acl->topic, &topic);
		/* One that goes on without its subscription would not come back for it. */
		if (!meet(site, acl->client) && verdict == SPEAKER_ALLOWED)
			return MOSQ_ERR_AUTH;
		break;
	case MOSQ_ACL_UNSUBSCRIBE:
		return MOSQ_ERR_SUCCESS;
	default:
		if (is_part_of_will(site, acl, &topic))
			return MOSQ_ERR_ACL_DENIED;
		verdict = speaker_may_read(name, is_trusted(site, acl->client), acl->topic, &topic);
		break;
	}
	switch (verdict) {
	case SPEAKER_ALLOWED:
		return MOSQ_ERR_SUCCESS;
	case SPEAKER_DENIED:
		return MOSQ_ERR_ACL_DENIED;
	default:
		return MOSQ_ERR_PLUGIN_DEFER;
	}
}

static int
append(struct site *site, const struct mosquitto_evt_message *message, const char *device)
{
	const struct spool_message record = {
		.qos = message->qos ? 1 : 0,
		.device = device,
		.topic = message->topic,
		.payload = message->payload,
		.len = message->payloadlen,
	};
	struct fault f = FAULT_INIT;

	if (timely_append(site->spool, &record, &f))
		return refuse_for_now(site, &site->full, message->client, message->qos, f.text);
	if (site->full.since_ms)
		say_taken_again(site);
	return MOSQ_ERR_SUCCESS;
}

/*
 * Who is to be attached is told to the gateways at once, and kept for those that come later: by
 * the time a backlog has gone, what it says may be over.
 */
static int
take_wish(struct site *site, struct mosquitto_evt_message *message, struct speaker *speaker,
	enum topic_kind kind, const char *device)
{
	bool attach = kind == TOPIC_ATTACH;
	bool own = speaker->device && !strcmp(speaker->device->name, device);
	struct fault f = FAULT_INIT;

	if (name_limit_attach(site->name_limit, device, clock_ms(CLOCK_MONOTONIC_COARSE), &f))
		return refuse_because(site, message->client, message->qos, message->topic, f.text);
	if (own && attach &&
		speakers_note_attach(
			site->speakers, speaker->device, message->payload, message->payloadlen, &f))
		return refuse_for_now(site, &site->wishes, message->client, message->qos, f.text);
	if (own && !attach)
		speakers_note_detach(site->speakers, speaker->device);
	door_tell(site->door, attach ? FRAME_ATTACH : FRAME_DETACH, device, message->payload,
		message->payloadlen);
	return broker_swallow(message, &f) ? MOSQ_ERR_NOMEM : MOSQ_ERR_SUCCESS;
}

static int
take_device(struct site *site, struct mosquitto_evt_message *message, const struct topic *topic)
{
	struct speaker *speaker = meet(site, message->client);
	const char *name = speaker && speaker->device ? speaker->device->name : NULL;

	if (!speaker)
		return refuse(message->client, message->qos);
	/* A bridge's messages come here without having been asked about. */
	if (speaker_may_publish(name, speaker->trusted, message->topic, topic) != SPEAKER_ALLOWED ||
		topic_check_publish(topic, message->topic, message->payloadlen, max_of(topic),
			message->qos, NULL))
		return refuse_because(site, message->client, message->qos, message->topic,
			"it is not this client's to publish");
	if (speaker->trusted && !accept_name(site, topic->device, NULL))
		return refuse(message->client, message->qos);
	if (topic->kind == TOPIC_ATTACH || topic->kind == TOPIC_DETACH)
		return take_wish(site, message, speaker, topic->kind, topic->device);
	message->retain = false;
	return append(site, message, topic->device);
}

/* What a gateway brings is published as the broker's own: no client can be taken for it. */
static void
deliver(void *with, const struct frame *frame)
{
	struct site *site = with;
	char shown[SHOWN_SIZE];
	void *copy = NULL;

	if (!filter_is_topic(frame->topic)) {
		text_show(frame->topic, shown, sizeof(shown));
		mosquitto_log_printf(MOSQ_LOG_ERR,
			NAME ": a gateway brought a message for '%s', which is no topic", shown);
		return;
	}
	if (frame->retain && !retained_replace(&site->retained, frame->topic, frame->len,
				     (size_t)site->options.max_retained_size)) {
		complain(&site->crowded, "messages of a gateway are not delivered",
			"the retained messages have reached plugin_opt_max_retained_size");
		return;
	}
	if (frame->len) {
		copy = mosquitto_malloc(frame->len);
		if (copy)
			memcpy(copy, frame->payload, frame->len);
	}
	if ((frame->len && !copy) || mosquitto_broker_publish(NULL, frame->topic, (int)frame->len,
					     copy, frame->qos, frame->retain, NULL)) {
		mosquitto_free(copy);
		text_show(frame->topic, shown, sizeof(shown));
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": no memory to deliver to %s", shown);
	}
}

static void
say(void *with, bool good, const char *text)
{
	(void)with;
	mosquitto_log_printf(good ? MOSQ_LOG_INFO : MOSQ_LOG_NOTICE, NAME ": %s", text);
}

static void
keep_house(struct site *site)
{
	struct fault f = FAULT_INIT;
	bool failed = timely_tick(site->spool, clock_ms(CLOCK_BOOTTIME), &f) != 0;

	if (failed && !site->tick_failed)
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s", f.text);
	site->tick_failed = failed;
	if (name_file_tick(site->name_file, clock_ms(CLOCK_MONOTONIC_COARSE), &f))
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s", f.text);
}

/* Called up to 100,000 times a second: nearly always for nothing. */
static void
look(struct site *site)
{
	int64_t now_ms = clock_ms(CLOCK_MONOTONIC_COARSE);

	if (now_ms - site->polled_ms < POLL_MS)
		return;
	site->polled_ms = now_ms;
	door_poll(site->door);
	keep_house(site);
}

static int
on_tick(int event, void *event_data, void *userdata)
{
	struct site *site = userdata;

	(void)event;
	(void)event_data;
	site->ticks = true;
	pass_event(site, NULL);
	look(site);
	return MOSQ_ERR_SUCCESS;
}

/*
 * A connection is accepted in one pass of the broker's loop, and read in a later one: there would
 * have been a tick before a message. Without one messages are all the time there is.
 */
static void
look_without_tick(struct site *site)
{
	if (!site->told)
		mosquitto_log_printf(MOSQ_LOG_ERR,
			NAME ": this broker gives plugins no time with per_listener_settings true "
			     "(2.0.15 and later do): config and commands wait for a message to "
			     "come");
	site->told = true;
	look(site);
}

static int
take_message(struct site *site, struct mosquitto_evt_message *message)
{
	struct topic topic;

	if (!strncmp(message->topic, "/devices/", strlen("/devices/"))) {
		topic_parse(message->topic, &topic);
		return take_device(site, message, &topic);
	}
	for (size_t i = 0; i < site->options.topic.n; i++) {
		if (filter_matches(site->options.topic.items[i], message->topic)) {
			struct speaker *speaker = meet(site, message->client);

			if (!speaker)
				return refuse(message->client, message->qos);
			return append(site, message, speaker->device ? speaker->device->name : "");
		}
	}
	return MOSQ_ERR_SUCCESS;
}

/* The message is in the spool before its sender has its PUBACK. */
static int
on_message(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_message *message = event_data;
	struct site *site = userdata;
	int rc;

	(void)event;
	pass_event(site, message->client);
	rc = take_message(site, message);
	if (!site->ticks)
		look_without_tick(site);
	return rc;
}

static int
on_disconnect(int event, void *event_data, void *userdata)
{
	struct mosquitto_evt_disconnect *disconnect = event_data;
	struct site *site = userdata;
	char gone[RULES_ID_MAX + 1];

	(void)event;
	pass_event(site, NULL);
	will_note_end(&site->will, disconnect->client);
	speakers_remove(site->speakers, disconnect->client, gone);
	if (!*gone)
		return MOSQ_ERR_SUCCESS;
	/* Seen just now: it may have been connected for months. */
	if (rules_is_device(gone, strlen(gone)))
		name_limit_remember(site->name_limit, gone, NULL);
	door_tell(site->door, FRAME_GONE, gone, NULL, 0);
	return MOSQ_ERR_SUCCESS;
}

/*
 * A broker that accepts clients without a password does not check user names. When its file cannot
 * be read, the plugin only logs that, so that a site that is set up well still starts.
 */
static int
check_identity(const struct site *site, struct fault *f)
{
	struct fault why = FAULT_INIT;
	struct broker_config config;

	if (strcmp(site->options.identity, "username") != 0)
		return 0;
	if (broker_config_read_own(NAME ".so", &config, &why)) {
		mosquitto_log_printf(MOSQ_LOG_WARNING,
			NAME ": cannot check that allow_anonymous is false, which "
			     "plugin_opt_identity username needs: %s",
			why.text);
		return 0;
	}
	return config.allow_anonymous
		       ? fault_set(f, FAULT_CONFIG,
				 "plugin_opt_identity username needs 'allow_anonymous false' in "
				 "mosquitto.conf: with 'true' a client may give any user name and "
				 "is that device; set it to false, with a password_file, or use "
				 "plugin_opt_identity client-id")
		       : 0;
}

/* mosquitto reads its file again: see check_identity(). */
static int
on_reload(int event, void *event_data, void *userdata)
{
	struct site *site = userdata;
	struct fault f = FAULT_INIT;

	(void)event;
	(void)event_data;
	site->unproven = check_identity(site, &f) != 0;
	if (site->unproven)
		mosquitto_log_printf(
			MOSQ_LOG_ERR, NAME ": no client is accepted as a device: %s", f.text);
	return MOSQ_ERR_SUCCESS;
}

static const struct {
	int event;
	MOSQ_FUNC_generic_callback callback;
} callbacks[] = {
	{MOSQ_EVT_ACL_CHECK, on_acl_check},
	{MOSQ_EVT_MESSAGE, on_message},
	{MOSQ_EVT_TICK, on_tick},
	{MOSQ_EVT_DISCONNECT, on_disconnect},
	{MOSQ_EVT_RELOAD, on_reload},
};

#define N_CALLBACKS (sizeof(callbacks) / sizeof(callbacks[0]))

static void
unregister(struct site *site)
{
	for (size_t i = 0; i < N_CALLBACKS; i++)
		mosquitto_callback_unregister(
			site->id, callbacks[i].event, callbacks[i].callback, NULL);
}

static int
start(struct site *site, const struct mosquitto_opt *options, int n, struct fault *f)
{
	struct spool_options spool;

	if (site_options_read(&site->options, options, n, f) || check_identity(site, f))
		return -1;
	spool = site_options_spool(&site->options);
	if (timely_open(site->options.spool, &spool, (int)site->options.disk_timeout_ms,
		    &site->spool, f) ||
		speakers_new(&site->speakers, f) ||
		name_limit_new(&site->options.new_devices, &site->name_limit, f) ||
		name_file_open(site->options.spool, site->name_limit, &site->name_file, f) ||
		door_new(site->options.socket, site->speakers, deliver, say, site, &site->door, f))
		return -1;
	for (size_t i = 0; i < N_CALLBACKS; i++) {
		int rc = mosquitto_callback_register(
			site->id, callbacks[i].event, callbacks[i].callback, NULL, site);

		if (rc) {
			unregister(site);
			return fault_set(f, FAULT_CONFIG,
				"the broker takes no callback for event %d", callbacks[i].event);
		}
	}
	mosquitto_log_printf(MOSQ_LOG_INFO, NAME ": messages go to %s%s%s, gateways come to %s",
		site->options.spool, spool.front ? ", first to memory in " : "",
		spool.front ? spool.front : "", site->options.socket);
	return 0;
}

int
mosquitto_plugin_version(int supported_version_count, const int *supported_versions)
{
	for (int i = 0; i < supported_version_count; i++) {
		if (supported_versions[i] == MOSQ_PLUGIN_VERSION)
			return MOSQ_PLUGIN_VERSION;
	}
	return -1;
}

int
mosquitto_plugin_init(mosquitto_plugin_id_t *identifier, void **userdata,
	struct mosquitto_opt *options, int option_count)
{
	AUTO(auto_site) struct site *site = calloc(1, sizeof(*site));
	struct fault f = FAULT_INIT;

	if (!site)
		return MOSQ_ERR_NOMEM;
	site->id = identifier;
	if (start(site, options, option_count, &f)) {
		mosquitto_log_printf(MOSQ_LOG_ERR, NAME ": %s", f.text);
		return MOSQ_ERR_UNKNOWN;
	}
	*userdata = TAKE(site);
	return MOSQ_ERR_SUCCESS;
}

int
mosquitto_plugin_cleanup(void *userdata, struct mosquitto_opt *options, int option_count)
{
	struct site *site = userdata;

	(void)options;
	(void)option_count;
	if (site)
		unregister(site);
	site_free(site);
	return MOSQ_ERR_SUCCESS;
}
