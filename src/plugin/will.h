/*
 * will: tells a client's last will from a message. mosquitto asks plugins about both in the same
 * way, but a will is published without MOSQ_EVT_MESSAGE: it would not get into the spool. Pure.
 */
#ifndef PLUGIN_WILL_H
#define PLUGIN_WILL_H

#include <stdbool.h>

#include "base/fault.h"

/*
 * left    the client whose end was the last event: what it publishes now is its will
 * asked   a client that may publish to `topic`, of which no message has come yet
 * topic   the device's topic of `asked`; NULL without one; freed by will_clear()
 * retain  whether `asked` wants it to be retained
 */
struct will {
	const void *left;
	const void *asked;
	char *topic;
	bool retain;
};

/* Notes that a client's connection has ended. */
void will_note_end(struct will *will, const void *client);

/*
 * Notes that a client that is not known may publish to a topic. Its message is the next event. When
 * another event comes first, it was the will of a client that had ended before.
 *
 * Returns 0; else FAULT_NOMEM.
 */
int will_note_asked(
	struct will *will, const void *client, const char *topic, bool retain, struct fault *f);

/* Whether what a client asks to publish is its will: it has just ended. */
bool will_is_from(const struct will *will, const void *client);

/* Whether what goes out on a topic is a will: the client that asked has sent no message. */
bool will_is_on(const struct will *will, const char *topic);

/*
 * Another event has come.
 *
 * message_of  the client whose message it is; NULL for any other event
 *
 * Returns whether a will was published to `topic`, retained if `retain`. The caller then empties
 * the struct with will_clear(); otherwise it is empty.
 */
bool will_next_event(struct will *will, const void *message_of);

void will_clear(struct will *will);

#endif
