#include "config.h"

#include "plugin/name_limit.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/table.h"
#include "registry/limits.h"

#define MINUTE_MS 60000

/* Names of a minute that were taken and have not flowed back, times MINUTE_MS. All-zero: none. */
struct bucket {
	int64_t used, at_ms;
};

/* attaches: what the device has used of NAME_LIMIT_ATTACHES, over all its connections */
struct known {
	struct table_link by_name;
	struct list_link by_use;
	struct limits_bucket attaches;
	char name[];
};

/* A network address, or an IPv6 network. */
struct source {
	struct table_link by_address;
	struct list_link by_use;
	struct in6_addr address;
	struct bucket bucket;
};

/*
 * known_by_use, sources_by_use  the one that was used longest ago comes first
 * added  how many names became known; known_size: bytes of the known ones, each with its line end
 */
struct name_limit {
	struct name_limit_options options;
	struct bucket all;
	struct table known, sources;
	struct list known_by_use, sources_by_use;
	uint64_t added;
	size_t known_size;
};

int
name_limit_new(
	const struct name_limit_options *options, struct name_limit **ret_limit, struct fault *f)
{
	struct name_limit *limit = calloc(1, sizeof(*limit));

	if (!limit)
		return fault_nomem(f);
	limit->options = *options;
	*ret_limit = limit;
	return 0;
}

static void
forget_name(struct name_limit *limit, struct known *known)
{
	limit->known_size -= strlen(known->name) + 1;
	table_remove(&limit->known, &known->by_name);
	list_remove(&known->by_use);
	free(known);
}

static void
forget_source(struct name_limit *limit, struct source *source)
{
	table_remove(&limit->sources, &source->by_address);
	list_remove(&source->by_use);
	free(source);
}

void
name_limit_free(struct name_limit *limit)
{
	if (!limit)
		return;
	while (limit->known_by_use.head)
		forget_name(limit, CONTAINER(limit->known_by_use.head, struct known, by_use));
	while (limit->sources_by_use.head)
		forget_source(limit, CONTAINER(limit->sources_by_use.head, struct source, by_use));
	table_clear(&limit->known);
	table_clear(&limit->sources);
	free(limit);
}

static struct known *
find_name(const struct name_limit *limit, const char *name)
{
	uint64_t hash = table_hash_text(name);

	for (struct table_link *l = table_first(&limit->known, hash); l; l = table_next(l)) {
		struct known *known = CONTAINER(l, struct known, by_name);

		if (!strcmp(known->name, name))
			return known;
	}
	return NULL;
}

static int
add_name(struct name_limit *limit, const char *name, struct fault *f)
{
	size_t size = strlen(name) + 1;
	struct known *known = calloc(1, sizeof(*known) + size);

	if (!known)
		return fault_nomem(f);
	memcpy(known->name, name, size);
	if (limit->known.n >= NAME_LIMIT_KNOWN_MAX)
		forget_name(limit, CONTAINER(limit->known_by_use.head, struct known, by_use));
	if (table_add(&limit->known, &known->by_name, table_hash_text(name), f)) {
		free(known);
		return -1;
	}
	list_append(&limit->known_by_use, &known->by_use);
	limit->added++;
	limit->known_size += size;
	return 0;
}

/* Returns whether the limit of an address applies; then *ret is what it is counted by. */
static bool
parse_address(const char *text, struct in6_addr *ret)
{
	static const struct in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!text)
		return false;
	memcpy(ret->s6_addr, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, ret->s6_addr + sizeof(mapped)) != 1 &&
		inet_pton(AF_INET6, text, ret) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(ret))
		return ret->s6_addr[sizeof(mapped)] != 127;
	if (!memcmp(ret, &loopback, sizeof(loopback)))
		return false;
	/* Hosts choose the other half; but that is all that tells link-local ones apart. */
	if (!IN6_IS_ADDR_LINKLOCAL(ret))
		memset(ret->s6_addr + 8, 0, 8);
	return true;
}

static uint64_t
hash_of(const struct in6_addr *address)
{
	uint64_t halves[2];

	memcpy(halves, address, sizeof(halves));
	return table_hash_number(halves[0] ^ table_hash_number(halves[1]));
}

static struct source *
find_source(const struct name_limit *limit, const struct in6_addr *address)
{
	uint64_t hash = hash_of(address);

	for (struct table_link *l = table_first(&limit->sources, hash); l; l = table_next(l)) {
		struct source *source = CONTAINER(l, struct source, by_address);

		if (!memcmp(&source->address, address, sizeof(*address)))
			return source;
	}
	return NULL;
}

/* Made when it is not there: the one that was used longest ago makes room. */
static struct source *
meet_source(struct name_limit *limit, const struct in6_addr *address, struct fault *f)
{
	struct source *source = find_source(limit, address);

	if (!source) {
		source = calloc(1, sizeof(*source));
		if (!source ||
			table_add(&limit->sources, &source->by_address, hash_of(address), f)) {
			free(source);
			fault_nomem(f);
			return NULL;
		}
		source->address = *address;
	}
	list_append(&limit->sources_by_use, &source->by_use);
	if (limit->sources.n > NAME_LIMIT_ADDRESSES_MAX)
		forget_source(limit, CONTAINER(limit->sources_by_use.head, struct source, by_use));
	return source;
}

/* Lets flow back what does by now. Returns whether there is room for a name; limit 0: always. */
static bool
has_room(struct bucket *bucket, long limit, int64_t now_ms)
{
	int64_t passed_ms = now_ms - bucket->at_ms;

	bucket->at_ms = now_ms;
	bucket->used -= passed_ms < MINUTE_MS ? passed_ms * limit : bucket->used;
	if (bucket->used < 0)
		bucket->used = 0;
	return !limit || bucket->used + MINUTE_MS <= (int64_t)limit * MINUTE_MS;
}

/* Returns whether it is known; notes that it was seen. */
static bool
see(struct name_limit *limit, const char *name)
{
	struct known *known = find_name(limit, name);

	if (known)
		list_append(&limit->known_by_use, &known->by_use);
	return known;
}

int
name_limit_remember(struct name_limit *limit, const char *name, struct fault *f)
{
	return see(limit, name) ? 0 : add_name(limit, name, f);
}

int
name_limit_accept(struct name_limit *limit, const char *name, const char *address, int64_t now_ms,
	struct fault *f)
{
	const struct name_limit_options *o = &limit->options;
	struct source *source = NULL;
	struct in6_addr parsed;

	if (see(limit, name))
		return 0;
	if (!has_room(&limit->all, o->per_minute, now_ms))
		return fault_set(f, FAULT_PRECONDITION,
			"more than %ld new devices in a minute (max_new_devices_per_min)",
			o->per_minute);
	if (parse_address(address, &parsed)) {
		source = meet_source(limit, &parsed, f);
		if (!source)
			return -1;
		if (!has_room(&source->bucket, o->per_address, now_ms))
			return fault_set(f, FAULT_PRECONDITION,
				"more than %ld new devices in a minute from %s "
				"(max_new_devices_per_address)",
				o->per_address, address);
	}
	if (add_name(limit, name, f))
		return -1;
	limit->all.used += MINUTE_MS;
	if (source)
		source->bucket.used += MINUTE_MS;
	return 0;
}

int
name_limit_attach(struct name_limit *limit, const char *name, int64_t now_ms, struct fault *f)
{
	if (name_limit_remember(limit, name, f))
		return -1;
	if (limits_take_of(&find_name(limit, name)->attaches, NAME_LIMIT_ATTACHES,
		    NAME_LIMIT_ATTACHES_PER_S, 1, now_ms))
		return 0;
	return fault_set(f, FAULT_PRECONDITION,
		"the device asks to be attached or detached more often than once a second");
}

uint64_t
name_limit_added(const struct name_limit *limit)
{
	return limit->added;
}

int
name_limit_text(const struct name_limit *limit, char **ret_text, size_t *ret_len, struct fault *f)
{
	char *text = malloc(limit->known_size + 1), *end = text;

	if (!text)
		return fault_nomem(f);
	for (const struct list_link *l = limit->known_by_use.head; l; l = l->next) {
		end = stpcpy(end, CONTAINER(l, struct known, by_use)->name);
		*end++ = '\n';
	}
	*end = '\0';
	*ret_text = text;
	*ret_len = limit->known_size;
	return 0;
}
