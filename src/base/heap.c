#include "config.h"

#include "base/heap.h"

#include <stdlib.h>

#define ROOM_MIN 64

void
heap_clear(struct heap *heap)
{
	free(heap->links);
	*heap = (struct heap){0};
}

int
heap_reserve(struct heap *heap, size_t n, struct fault *f)
{
	struct heap_link **links;
	size_t room = heap->room ? heap->room : ROOM_MIN;

	while (room < n)
		room *= 2;
	if (room == heap->room)
		return 0;
	links = reallocarray(heap->links, room, sizeof(struct heap_link *));
	if (!links)
		return fault_nomem(f);
	heap->links = links;
	heap->room = room;
	return 0;
}

static void
set(struct heap *heap, size_t at, struct heap_link *link)
{
	heap->links[at - 1] = link;
	link->at = at;
}

static int64_t
key_of(const struct heap *heap, size_t at)
{
	return heap->links[at - 1]->key;
}

/* Moves a link towards the first place, or away from it, to where its key belongs. */
static void
sift(struct heap *heap, struct heap_link *link)
{
	size_t at = link->at, child;

	while (at > 1 && link->key < key_of(heap, at / 2)) {
		set(heap, at, heap->links[at / 2 - 1]);
		at /= 2;
	}
	while ((child = 2 * at) <= heap->n) {
		if (child < heap->n && key_of(heap, child + 1) < key_of(heap, child))
			child++;
		if (link->key <= key_of(heap, child))
			break;
		set(heap, at, heap->links[child - 1]);
		at = child;
	}
	set(heap, at, link);
}

void
heap_put(struct heap *heap, struct heap_link *link, int64_t key)
{
	if (!link->at)
		set(heap, ++heap->n, link);
	else if (link->key == key)
		return;
	link->key = key;
	sift(heap, link);
}

void
heap_remove(struct heap *heap, struct heap_link *link)
{
	struct heap_link *last;

	if (!link->at)
		return;
	last = heap->links[heap->n-- - 1];
	if (last != link) {
		set(heap, link->at, last);
		sift(heap, last);
	}
	link->at = 0;
}

struct heap_link *
heap_first(const struct heap *heap)
{
	return heap->n ? heap->links[0] : NULL;
}
