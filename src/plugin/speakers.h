/* speakers: who is connected to the site's broker, as which device, and what each may do. Pure. */
#ifndef PLUGIN_SPEAKERS_H
#define PLUGIN_SPEAKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/table.h"
#include "registry/topic.h"

/* Bytes that a device may ask to be attached with: a token, as long as the cloud's broker takes. */
#define SPEAKERS_BODY_MAX (17 * 1024)

/*
 * Bytes of the frames that tell a gateway who is there and what each asked: what comes while it
 * reads them has to fit behind them into CHANNEL_OUT_MAX.
 */
#define SPEAKERS_TOLD_MAX (6 * 1024 * 1024)

/*
 * A device with a connection here.
 *
 * connections    how many
 * asked          it asked to be attached; body is what it said, `body_len` bytes
 * the rest is private to speakers.c
 */
struct resident {
	char name[RULES_ID_MAX + 1];
	size_t connections;
	bool asked;
	void *body;
	size_t body_len;
	struct table_link by_name;
	struct list_link among;
};

/*
 * A connection.
 *
 * device   which it is; NULL for one that is none
 * trusted  it may speak for every device
 * the rest is private to speakers.c
 */
struct speaker {
	struct resident *device;
	bool trusted;
	char *client_id;
	const void *client;
	struct table_link by_client;
};

struct speakers;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time but for growth. */
int speakers_new(struct speakers **ret_speakers, struct fault *f);

/* NULL is allowed. */
void speakers_free(struct speakers *speakers);

AUTO_DEFINE(speakers, struct speakers, speakers_free);

/*
 * The device that a client id stands for: itself, or what it names as devices' programs do at
 * Cloud IoT Core, "projects/P/locations/R/registries/G/devices/D", whatever the first three are.
 *
 * Returns D, within the client id; NULL for one that begins so and is none.
 */
const char *speaker_name(const char *client_id);

/*
 * The one that a client was added as; NULL when it was not.
 *
 * client     the broker's; its memory may since have become another client's
 * client_id  that client's, by which one is told from the other
 */
struct speaker *speakers_find(
	const struct speakers *speakers, const void *client, const char *client_id);

/*
 * Adds a client, in place of one that was there under the same pointer.
 *
 * device        its name; NULL, or one that no topic can have, for none
 * ret_speaker   its `device` has one connection when it was not there before
 *
 * Returns 0; else FAULT_NOMEM.
 */
int speakers_add(struct speakers *speakers, const void *client, const char *client_id,
	const char *device, bool trusted, struct speaker **ret_speaker, struct fault *f);

/*
 * Removes a client, if it is there.
 *
 * ret_gone  RULES_ID_MAX + 1 bytes: the device that has no connection any more, or ""
 */
void speakers_remove(struct speakers *speakers, const void *client, char *ret_gone);

/* The devices that are there; NULL begins, NULL ends. */
struct resident *speakers_next(const struct speakers *speakers, const struct resident *after);

/*
 * Notes that a device asked to be attached, and with what.
 *
 * body  copied; NULL when len is 0
 *
 * Returns 0; else, with nothing changed, FAULT_INVALID for more than SPEAKERS_BODY_MAX,
 * FAULT_PRECONDITION when all that is kept were more than SPEAKERS_TOLD_MAX then, FAULT_NOMEM.
 */
int speakers_note_attach(struct speakers *speakers, struct resident *device, const void *body,
	size_t len, struct fault *f);

/* Notes that a device does not want to be attached. */
void speakers_note_detach(struct speakers *speakers, struct resident *device);

enum speaker_verdict {
	SPEAKER_ALLOWED,
	SPEAKER_DENIED,
	SPEAKER_DEFERRED, /* not a device's topic: the broker's own rules decide */
};

/*
 * Whether one may publish to a topic, subscribe to a filter, or be sent what is published.
 *
 * name     the device that it is; NULL for none
 * trusted  publishes for every device; what it reads is left to the broker's own rules
 * text     the topic or filter
 * topic    the same, taken apart
 */
enum speaker_verdict speaker_may_publish(
	const char *name, bool trusted, const char *text, const struct topic *topic);
enum speaker_verdict speaker_may_subscribe(
	const char *name, bool trusted, const char *text, const struct topic *topic);
enum speaker_verdict speaker_may_read(
	const char *name, bool trusted, const char *text, const struct topic *topic);

#endif
