#include "config.h"

#include "unit.h"

#include "base/heap.h"

#define N 1000

struct item {
	struct heap_link link;
	int64_t wanted; /* -1: not in the heap */
};

/* A number that looks like any other, and is the same in each run. */
static uint32_t
next_number(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 16;
}

static int64_t
smallest(const struct item *items)
{
	int64_t least = INT64_MAX;

	for (size_t i = 0; i < N; i++) {
		if (items[i].wanted >= 0 && items[i].wanted < least)
			least = items[i].wanted;
	}
	return least;
}

static void
first_has_the_smallest_key(void **state)
{
	static struct item items[N];
	struct heap heap = {0};
	struct fault f = FAULT_INIT;
	uint32_t number = 1;
	int64_t last = -1;

	(void)state;
	assert_ok(heap_reserve(&heap, N, &f), &f);
	assert_null(heap_first(&heap));
	for (size_t i = 0; i < N; i++)
		items[i].wanted = -1;
	for (int i = 0; i < 10000; i++) {
		struct item *item = &items[next_number(&number) % N];

		if (next_number(&number) % 4) {
			item->wanted = next_number(&number) % 100;
			heap_put(&heap, &item->link, item->wanted);
		} else {
			item->wanted = -1;
			heap_remove(&heap, &item->link);
		}
		if (heap.n)
			assert_int_equal(heap_first(&heap)->key, smallest(items));
	}
	while (heap.n) {
		struct heap_link *first = heap_first(&heap);

		assert_true(first->key >= last);
		last = first->key;
		heap_remove(&heap, first);
		assert_int_equal(first->at, 0);
	}
	heap_clear(&heap);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_has_the_smallest_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
