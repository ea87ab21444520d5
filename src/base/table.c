#include "config.h"

#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SLOTS_MIN 64

void
table_clear(struct table *table)
{
	free(table->slots);
	*table = (struct table){0};
}

static size_t
index_of(const struct table *table, uint64_t hash)
{
	return hash & (table->n_slots - 1);
}

static struct table_link **
slot_of(const struct table *table, uint64_t hash)
{
	return &table->slots[index_of(table, hash)];
}

static void
insert(struct table *table, struct table_link *link)
{
	struct table_link **slot = slot_of(table, link->hash);

	link->next = *slot;
	*slot = link;
	if (index_of(table, link->hash) < table->first)
		table->first = index_of(table, link->hash);
}

static int
grow(struct table *table, struct fault *f)
{
	struct table bigger = {.n_slots = table->n_slots ? table->n_slots * 2 : SLOTS_MIN};

	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return fault_nomem(f);
	for (size_t i = 0; i < table->n_slots; i++) {
		struct table_link *link = table->slots[i];

		while (link) {
			struct table_link *next = link->next;

			insert(&bigger, link);
			link = next;
		}
	}
	bigger.n = table->n;
	free(table->slots);
	*table = bigger;
	return 0;
}

int
table_add(struct table *table, struct table_link *link, uint64_t hash, struct fault *f)
{
	if (table->n >= table->n_slots && grow(table, f))
		return -1;
	link->hash = hash;
	insert(table, link);
	table->n++;
	return 0;
}

void
table_remove(struct table *table, struct table_link *link)
{
	struct table_link **at = slot_of(table, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link->next = NULL;
	table->n--;
}

static struct table_link *
same(struct table_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

struct table_link *
table_first(const struct table *table, uint64_t hash)
{
	return table->n ? same(*slot_of(table, hash), hash) : NULL;
}

struct table_link *
table_next(const struct table_link *link)
{
	return same(link->next, link->hash);
}

struct table_link *
table_any(struct table *table)
{
	if (!table->n)
		return NULL;
	while (!table->slots[table->first])
		table->first++;
	return table->slots[table->first];
}

uint64_t
table_hash_number(uint64_t number)
{
	return hash_secret(&number, sizeof(number));
}

uint64_t
table_hash_pointer(const void *pointer)
{
	return hash_secret(&pointer, sizeof(pointer));
}

uint64_t
table_hash_text(const char *text)
{
	return hash_secret(text, strlen(text));
}
