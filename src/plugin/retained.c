#include "config.h"

#include "plugin/retained.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"

struct entry {
	struct table_link by_topic;
	size_t bytes;
	char topic[];
};

static struct entry *
find(const struct retained *retained, const char *topic, uint64_t hash)
{
	for (struct table_link *l = table_first(&retained->topics, hash); l; l = table_next(l)) {
		struct entry *entry = CONTAINER(l, struct entry, by_topic);

		if (!strcmp(entry->topic, topic))
			return entry;
	}
	return NULL;
}

static struct entry *
add(struct retained *retained, const char *topic, uint64_t hash)
{
	size_t size = strlen(topic) + 1;
	AUTO(auto_free) struct entry *entry = calloc(1, sizeof(*entry) + size);

	if (!entry || table_add(&retained->topics, &entry->by_topic, hash, NULL))
		return NULL;
	memcpy(entry->topic, topic, size);
	return TAKE(entry);
}

static void
drop(struct retained *retained, struct entry *entry)
{
	table_remove(&retained->topics, &entry->by_topic);
	retained->bytes -= entry->bytes;
	free(entry);
}

bool
retained_replace(struct retained *retained, const char *topic, size_t len, size_t max_bytes)
{
	uint64_t hash = table_hash_text(topic);
	struct entry *entry = find(retained, topic, hash);
	size_t old = entry ? entry->bytes : 0;
	size_t bytes = len + strlen(topic) + RETAINED_OVERHEAD;

	if (len == 0) {
		if (entry)
			drop(retained, entry);
		return true;
	}
	if (retained->bytes - old + bytes > max_bytes)
		return false;
	if (!entry)
		entry = add(retained, topic, hash);
	if (!entry)
		return false;
	retained->bytes += bytes - old;
	entry->bytes = bytes;
	return true;
}

void
retained_clear(struct retained *retained)
{
	struct table_link *link;

	while ((link = table_any(&retained->topics)))
		drop(retained, CONTAINER(link, struct entry, by_topic));
	table_clear(&retained->topics);
}
