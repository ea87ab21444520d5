#include "config.h"

#include "plugin/door.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "site/channel.h"

/* Frames taken from one gateway at once, so that the broker's other clients have their turn. */
#define FRAMES_AT_ONCE 256

/*
 * more  a gateway had more to say than was listened to
 * deaf  one that comes cannot be let in, which was said
 */
struct door {
	char *path;
	int listening;
	const struct speakers *speakers;
	door_deliver_fn *deliver;
	door_say_fn *say;
	void *with;
	struct channel *channels[DOOR_GATEWAYS_MAX];
	size_t n;
	bool more, deaf;
};

int
door_new(const char *path, const struct speakers *speakers, door_deliver_fn *deliver,
	door_say_fn *say, void *with, struct door **ret_door, struct fault *f)
{
	AUTO(auto_door) struct door *door = calloc(1, sizeof(*door));

	if (!door)
		return fault_nomem(f);
	door->listening = -1;
	door->path = strdup(path);
	if (!door->path)
		return fault_nomem(f);
	if (channel_listen(path, &door->listening, f))
		return -1;
	door->speakers = speakers;
	door->deliver = deliver;
	door->say = say;
	door->with = with;
	*ret_door = TAKE(door);
	return 0;
}

void
door_free(struct door *door)
{
	if (!door)
		return;
	for (size_t i = 0; i < door->n; i++)
		channel_close(door->channels[i]);
	if (door->listening >= 0) {
		close(door->listening);
		unlink(door->path);
	}
	free(door->path);
	free(door);
}

static int
tell(struct channel *channel, enum frame_kind kind, const char *device, const void *body,
	size_t len, struct fault *f)
{
	const struct frame frame = {
		.kind = kind, .device = device, .topic = "", .payload = body, .len = len};

	return channel_send(channel, &frame, f);
}

/* A gateway that comes is told of everyone who is there already. */
static int
introduce(const struct door *door, struct channel *channel, struct fault *f)
{
	const struct resident *device = NULL;

	while ((device = speakers_next(door->speakers, device))) {
		if (tell(channel, FRAME_PRESENT, device->name, NULL, 0, f))
			return -1;
		if (device->asked && tell(channel, FRAME_ATTACH, device->name, device->body,
					     device->body_len, f))
			return -1;
	}
	return 0;
}

static void
drop(struct door *door, size_t i, const char *why)
{
	channel_close(door->channels[i]);
	door->channels[i] = door->channels[--door->n];
	door->say(door->with, false, why);
}

/* Returns whether there may be more. */
static bool
take_one(struct door *door)
{
	AUTO(auto_channel) struct channel *channel = NULL;
	struct fault f = FAULT_INIT;

	if (channel_accept(door->listening, &channel, &f)) {
		if (!door->deaf)
			door->say(door->with, false, f.text);
		door->deaf = true;
		return false;
	}
	door->deaf = false;
	if (!channel)
		return false;
	if (door->n == DOOR_GATEWAYS_MAX) {
		door->say(door->with, false, "a gateway more than there is room for");
		return true;
	}
	if (introduce(door, channel, &f)) {
		door->say(door->with, false, f.text);
		return true;
	}
	door->channels[door->n++] = TAKE(channel);
	door->say(door->with, true, "a gateway has come");
	return true;
}

/* Returns -1 when this gateway is to be dropped. */
static int
hear(struct door *door, struct channel *channel, struct fault *f)
{
	struct frame frame;
	bool any = true;

	for (int i = 0; any && i < FRAMES_AT_ONCE; i++) {
		if (channel_next(channel, &frame, &any, f))
			return -1;
		if (!any)
			break;
		if (frame.kind != FRAME_DELIVER)
			return fault_set(
				f, FAULT_INVALID, "a gateway says what only a broker says");
		door->deliver(door->with, &frame);
	}
	door->more |= any;
	return channel_is_waiting(channel) ? channel_flush(channel, f) : 0;
}

/* One question for all of them: nearly always nobody wants anything. */
static bool
is_wanted(const struct door *door)
{
	struct pollfd fds[DOOR_GATEWAYS_MAX + 1];

	for (size_t i = 0; i < door->n; i++)
		fds[i] = (struct pollfd){
			.fd = channel_fd(door->channels[i]),
			.events = (short)(channel_is_waiting(door->channels[i]) ? POLLIN | POLLOUT
										: POLLIN),
		};
	fds[door->n] = (struct pollfd){.fd = door->listening, .events = POLLIN};
	return poll(fds, door->n + 1, 0) != 0;
}

void
door_poll(struct door *door)
{
	if (!door->more && !is_wanted(door))
		return;
	door->more = false;
	while (take_one(door))
		continue;
	for (size_t i = door->n; i-- > 0;) {
		struct fault f = FAULT_INIT;

		if (hear(door, door->channels[i], &f))
			drop(door, i, f.text);
	}
}

void
door_tell(struct door *door, enum frame_kind kind, const char *device, const void *body, size_t len)
{
	for (size_t i = door->n; i-- > 0;) {
		struct fault f = FAULT_INIT;

		if (tell(door->channels[i], kind, device, body, len, &f))
			drop(door, i, f.text);
	}
}
