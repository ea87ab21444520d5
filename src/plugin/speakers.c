#include "config.h"

#include "plugin/speakers.h"

#include <stdlib.h>
#include <string.h>

#include "site/frame.h"

#define DEVICES "/devices/"

/* told: bytes of the frames that tell a gateway of all devices */
struct speakers {
	struct table clients;
	struct table devices;
	struct list residents;
	size_t told;
};

static size_t
frame_of(const struct resident *device, size_t body_len)
{
	return frame_size(&(struct frame){.device = device->name, .topic = "", .len = body_len});
}

/* Bytes of the frames that tell of a device. */
static size_t
told_of(const struct resident *device)
{
	return frame_of(device, 0) + (device->asked ? frame_of(device, device->body_len) : 0);
}

const char *
speaker_name(const char *client_id)
{
	struct rules_client client;

	if (!rules_is_device_client(client_id))
		return client_id;
	return rules_parse_client_id(client_id, &client, NULL) ? NULL : strrchr(client_id, '/') + 1;
}

int
speakers_new(struct speakers **ret_speakers, struct fault *f)
{
	struct speakers *speakers = calloc(1, sizeof(*speakers));

	if (!speakers)
		return fault_nomem(f);
	*ret_speakers = speakers;
	return 0;
}

static struct speaker *
of_client(const struct speakers *speakers, const void *client)
{
	uint64_t hash = table_hash_pointer(client);

	for (struct table_link *l = table_first(&speakers->clients, hash); l; l = table_next(l)) {
		struct speaker *speaker = CONTAINER(l, struct speaker, by_client);

		if (speaker->client == client)
			return speaker;
	}
	return NULL;
}

struct speaker *
speakers_find(const struct speakers *speakers, const void *client, const char *client_id)
{
	struct speaker *speaker = of_client(speakers, client);

	return speaker && !strcmp(speaker->client_id, client_id) ? speaker : NULL;
}

static struct resident *
find_device(const struct speakers *speakers, const char *name)
{
	uint64_t hash = table_hash_text(name);

	for (struct table_link *l = table_first(&speakers->devices, hash); l; l = table_next(l)) {
		struct resident *device = CONTAINER(l, struct resident, by_name);

		if (!strcmp(device->name, name))
			return device;
	}
	return NULL;
}

static void
resident_free(struct resident *device)
{
	if (!device)
		return;
	if (device->body)
		OPENSSL_cleanse(device->body, device->body_len);
	free(device->body);
	free(device);
}

AUTO_DEFINE(resident, struct resident, resident_free);

static void
speaker_free(struct speaker *speaker)
{
	if (!speaker)
		return;
	free(speaker->client_id);
	free(speaker);
}

AUTO_DEFINE(speaker, struct speaker, speaker_free);

/* A device by its name, made when it is not there. */
static int
take_device(
	struct speakers *speakers, const char *name, struct resident **ret_device, struct fault *f)
{
	AUTO(auto_resident) struct resident *made = NULL;
	struct resident *device = find_device(speakers, name);

	if (!device) {
		made = calloc(1, sizeof(*made));
		if (!made)
			return fault_nomem(f);
		memcpy(made->name, name, strlen(name) + 1);
		if (table_add(&speakers->devices, &made->by_name, table_hash_text(name), f))
			return -1;
		list_append(&speakers->residents, &made->among);
		speakers->told += told_of(made);
		device = TAKE(made);
	}
	device->connections++;
	*ret_device = device;
	return 0;
}

/* Returns whether it was its last connection. */
static bool
leave_device(struct speakers *speakers, struct resident *device)
{
	if (--device->connections)
		return false;
	speakers->told -= told_of(device);
	table_remove(&speakers->devices, &device->by_name);
	list_remove(&device->among);
	resident_free(device);
	return true;
}

/* Whether topics can have a device of this name. */
static bool
is_name(const char *name)
{
	return name && *name && strlen(name) <= RULES_ID_MAX && !strpbrk(name, "/+#");
}

int
speakers_add(struct speakers *speakers, const void *client, const char *client_id,
	const char *device, bool trusted, struct speaker **ret_speaker, struct fault *f)
{
	AUTO(auto_speaker) struct speaker *speaker = calloc(1, sizeof(*speaker));
	char gone[RULES_ID_MAX + 1];

	if (!speaker)
		return fault_nomem(f);
	speaker->client_id = strdup(client_id);
	if (!speaker->client_id)
		return fault_nomem(f);
	speaker->client = client;
	speaker->trusted = trusted;
	speakers_remove(speakers, client, gone);
	if (is_name(device) && take_device(speakers, device, &speaker->device, f))
		return -1;
	if (table_add(&speakers->clients, &speaker->by_client, table_hash_pointer(client), f)) {
		if (speaker->device)
			leave_device(speakers, speaker->device);
		return -1;
	}
	*ret_speaker = TAKE(speaker);
	return 0;
}

void
speakers_remove(struct speakers *speakers, const void *client, char *ret_gone)
{
	struct speaker *speaker = of_client(speakers, client);

	*ret_gone = '\0';
	if (!speaker)
		return;
	if (speaker->device) {
		char name[RULES_ID_MAX + 1];

		memcpy(name, speaker->device->name, sizeof(name));
		if (leave_device(speakers, speaker->device))
			memcpy(ret_gone, name, sizeof(name));
	}
	table_remove(&speakers->clients, &speaker->by_client);
	speaker_free(speaker);
}

void
speakers_free(struct speakers *speakers)
{
	char gone[RULES_ID_MAX + 1];
	struct table_link *link;

	if (!speakers)
		return;
	while ((link = table_any(&speakers->clients)))
		speakers_remove(speakers, CONTAINER(link, struct speaker, by_client)->client, gone);
	table_clear(&speakers->clients);
	table_clear(&speakers->devices);
	free(speakers);
}

struct resident *
speakers_next(const struct speakers *speakers, const struct resident *after)
{
	struct list_link *link = after ? after->among.next : speakers->residents.head;

	return link ? CONTAINER(link, struct resident, among) : NULL;
}

/* What a device wants from now on; body becomes its own. */
static void
set_wish(struct speakers *speakers, struct resident *device, bool asked, void *body, size_t len)
{
	speakers->told -= told_of(device);
	if (device->body)
		OPENSSL_cleanse(device->body, device->body_len);
	free(device->body);
	device->asked = asked;
	device->body = body;
	device->body_len = len;
	speakers->told += told_of(device);
}

int
speakers_note_attach(struct speakers *speakers, struct resident *device, const void *body,
	size_t len, struct fault *f)
{
	size_t others = speakers->told - told_of(device);
	void *copy = NULL;

	if (len > SPEAKERS_BODY_MAX)
		return fault_set(f, FAULT_INVALID, "an attach of %zu bytes is over the limit of %d",
			len, SPEAKERS_BODY_MAX);
	if (others + frame_of(device, 0) + frame_of(device, len) > SPEAKERS_TOLD_MAX)
		return fault_set(f, FAULT_PRECONDITION,
			"all that devices ask to be attached with is over the limit of %d bytes",
			SPEAKERS_TOLD_MAX);
	if (len) {
		copy = malloc(len);
		if (!copy)
			return fault_nomem(f);
		memcpy(copy, body, len);
	}
	set_wish(speakers, device, true, copy, len);
	return 0;
}

void
speakers_note_detach(struct speakers *speakers, struct resident *device)
{
	set_wish(speakers, device, false, NULL, 0);
}

static bool
is_devices(const char *text)
{
	return !strncmp(text, DEVICES, strlen(DEVICES));
}

static bool
is_own(const char *name, const struct topic *topic)
{
	return name && topic->kind != TOPIC_OTHER && !strcmp(name, topic->device);
}

enum speaker_verdict
speaker_may_publish(const char *name, bool trusted, const char *text, const struct topic *topic)
{
	if (!is_devices(text))
		return SPEAKER_DEFERRED;
	switch (topic->kind) {
	case TOPIC_EVENTS:
	case TOPIC_STATE:
	case TOPIC_ATTACH:
	case TOPIC_DETACH:
		return trusted || is_own(name, topic) ? SPEAKER_ALLOWED : SPEAKER_DENIED;
	default:
		return SPEAKER_DENIED;
	}
}

enum speaker_verdict
speaker_may_subscribe(const char *name, bool trusted, const char *text, const struct topic *topic)
{
	if (trusted || !is_devices(text))
		return SPEAKER_DEFERRED;
	return is_own(name, topic) && topic_is_filter(topic) ? SPEAKER_ALLOWED : SPEAKER_DENIED;
}

enum speaker_verdict
speaker_may_read(const char *name, bool trusted, const char *text, const struct topic *topic)
{
	if (trusted || !is_devices(text))
		return SPEAKER_DEFERRED;
	switch (topic->kind) {
	case TOPIC_CONFIG:
	case TOPIC_COMMANDS:
	case TOPIC_ERRORS:
		return is_own(name, topic) ? SPEAKER_ALLOWED : SPEAKER_DENIED;
	default:
		return SPEAKER_DENIED;
	}
}
