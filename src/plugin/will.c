#include "config.h"

#include "plugin/will.h"

#include <stdlib.h>
#include <string.h>

void
will_note_end(struct will *will, const void *client)
{
	will->left = client;
}

int
will_note_asked(
	struct will *will, const void *client, const char *topic, bool retain, struct fault *f)
{
	char *copy = strdup(topic);

	if (!copy)
		return fault_nomem(f);
	free(will->topic);
	will->topic = copy;
	will->asked = client;
	will->retain = retain;
	return 0;
}

bool
will_is_from(const struct will *will, const void *client)
{
	return will->left == client;
}

bool
will_is_on(const struct will *will, const char *topic)
{
	return will->topic && strcmp(will->topic, topic) == 0;
}

bool
will_next_event(struct will *will, const void *message_of)
{
	will->left = NULL;
	if (!will->topic)
		return false;
	if (message_of != will->asked)
		return true;
	will_clear(will);
	return false;
}

void
will_clear(struct will *will)
{
	free(will->topic);
	*will = (struct will){.topic = NULL};
}
