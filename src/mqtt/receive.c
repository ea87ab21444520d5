#include "config.h"

#include "mqtt/mqtt.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "mqtt/inside.h"

/* Messages that there is room for at first. */
#define INBOX_FIRST 64

static void
release(struct received *received)
{
	MQTTAsync_freeMessage(&received->message);
	MQTTAsync_free(received->topic);
}

static bool
keep(struct inbox *inbox, struct received received)
{
	if (inbox->n == inbox->size) {
		size_t size = inbox->size ? 2 * inbox->size : INBOX_FIRST;
		struct received *grown = realloc(inbox->items, size * sizeof(*grown));

		if (!grown)
			return false;
		inbox->items = grown;
		inbox->size = size;
	}
	inbox->items[inbox->n++] = received;
	return true;
}

/*
 * Taken in any case: paho would offer a message that is not taken again, but only when another
 * packet comes, and has told the broker of it. len is 0 but for a topic with a NUL in it, which is
 * none.
 */
int
mqtt_take(void *with, char *topic, int len, MQTTAsync_message *message)
{
	struct received received = {topic, message};
	struct mqtt *m = with;
	bool is_topic = len <= 0 || !memchr(topic, '\0', (size_t)len);

	if (!is_topic || !keep(&m->inbox, received))
		release(&received);
	return 1;
}

static struct inbox
take_inbox(struct mqtt *m)
{
	struct inbox inbox = m->inbox;

	m->inbox = (struct inbox){0};
	return inbox;
}

static void
empty(struct inbox *inbox)
{
	for (size_t i = 0; i < inbox->n; i++)
		release(&inbox->items[i]);
	free(inbox->items);
}

void
mqtt_hand_on(struct mqtt *m)
{
	AUTO(empty) struct inbox inbox = take_inbox(m);

	for (size_t i = 0; m->receive && i < inbox.n; i++) {
		const MQTTAsync_message *message = inbox.items[i].message;
		const struct mqtt_message handed = {
			.topic = inbox.items[i].topic,
			.payload = message->payload,
			.len = (size_t)message->payloadlen,
			.qos = message->qos,
			.retained = message->retained,
		};

		m->receive(m->receive_with, &handed);
	}
}

void
mqtt_drop_inbox(struct mqtt *m)
{
	struct inbox inbox = take_inbox(m);

	empty(&inbox);
}

void
mqtt_on_message(struct mqtt *mqtt, mqtt_receive *receive, void *with)
{
	mqtt->receive = receive;
	mqtt->receive_with = with;
}
