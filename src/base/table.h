/* table: a hash table of links that stand inside what they find. Knows only hashes. */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* Stands inside the thing that is found; empty until table_add(). */
struct table_link {
	struct table_link *next;
	uint64_t hash;
};

/*
 * All-zero is an empty one.
 *
 * n_slots  a power of two, or 0
 * first    all slots before this one are empty
 * n        links in the table
 */
struct table {
	struct table_link **slots;
	size_t n_slots, first;
	size_t n;
};

/* Frees the table's own memory, not what it finds. */
void table_clear(struct table *table);

/*
 * Adds a link, which must be in no table; others with the same hash stay.
 *
 * Returns 0; else FAULT_NOMEM, with nothing changed.
 */
int table_add(struct table *table, struct table_link *link, uint64_t hash, struct fault *f);

/* Takes out a link that is in the table. */
void table_remove(struct table *table, struct table_link *link);

/* The links with this hash, in no order: for (l = table_first(t, h); l; l = table_next(l)). */
struct table_link *table_first(const struct table *table, uint64_t hash);
struct table_link *table_next(const struct table_link *link);

/*
 * Any link of the table, or NULL when it is empty. To empty a table this way takes time in
 * proportion to its slots.
 */
struct table_link *table_any(struct table *table);

/*
 * The hashes of keys, with a random secret of this process: whoever chooses the keys cannot make
 * them meet in one slot, so each chain stays short. The order of a table differs between processes.
 */
uint64_t table_hash_pointer(const void *pointer);
uint64_t table_hash_number(uint64_t number);
uint64_t table_hash_text(const char *text);

#endif
