/* What comes over the site's socket: frames; and below a line end, a filter and a topic. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "site/filter.h"
#include "site/frame.h"

static void
frames(const uint8_t *data, size_t size)
{
	struct frame frame;
	struct fault f = FAULT_INIT;
	size_t used;

	while (!frame_read(data, size, &frame, &used, &f) && used) {
		AUTO(auto_free) uint8_t *again = malloc(used);

		if (used > size || frame_size(&frame) != used || !again)
			abort();
		frame_write(&frame, again);
		if (memcmp(again, data, used) != 0)
			abort();
		data += used;
		size -= used;
	}
}

static void
filters(const char *filter, const char *topic)
{
	if (!filter_is_valid(filter) || !filter_is_topic(topic))
		return;
	if (!strpbrk(filter, "+#") && filter_matches(filter, topic) != !strcmp(filter, topic))
		abort();
	if (!strcmp(filter, "#") && filter_matches(filter, topic) != (*topic != '$'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(auto_free) char *text = strndup((const char *)data, size);
	char *topic = text ? strchr(text, '\n') : NULL;

	frames(data, size);
	if (topic) {
		*topic++ = '\0';
		filters(text, topic);
	}
	return 0;
}
