/* heap: a priority queue of links that stand inside what they order. Knows only keys. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

/* Stands inside the thing that is ordered; all-zero is in no heap. */
struct heap_link {
	int64_t key;
	size_t at; /* index in the heap, counted from 1; 0: in no heap */
};

/* All-zero is an empty one. */
struct heap {
	struct heap_link **links;
	size_t n, room;
};

/* Frees the heap's own memory, not what it orders. */
void heap_clear(struct heap *heap);

/*
 * Makes room for n links, so that heap_put() cannot fail.
 *
 * Returns 0; else FAULT_NOMEM.
 */
int heap_reserve(struct heap *heap, size_t n, struct fault *f);

/* Adds a link, or moves one that is in this heap already. Time: logarithmic. */
void heap_put(struct heap *heap, struct heap_link *link, int64_t key);

/* Takes a link out of the heap, if it is in it. */
void heap_remove(struct heap *heap, struct heap_link *link);

/* The link with the smallest key; NULL when the heap is empty. */
struct heap_link *heap_first(const struct heap *heap);

#endif
