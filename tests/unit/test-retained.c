#include "config.h"

#include "unit.h"

#include <stdio.h>

#include "plugin/retained.h"

#define TOPIC "/devices/one/config"
#define COST  (sizeof(TOPIC) - 1 + RETAINED_OVERHEAD)

static void
what_is_kept_is_bounded_in_bytes(void **state)
{
	struct retained retained = {0};
	size_t max = COST + 100;

	(void)state;
	assert_false(retained_replace(&retained, TOPIC, 101, max));
	assert_int_equal(retained.bytes, 0);
	assert_true(retained_replace(&retained, TOPIC, 100, max));
	assert_false(retained_replace(&retained, "x", 1, max));
	assert_int_equal(retained.bytes, max);
	retained_clear(&retained);
}

static void
a_message_takes_the_place_of_the_one_before(void **state)
{
	struct retained retained = {0};
	size_t max = COST + 100;

	(void)state;
	for (size_t len = 1; len <= 100; len++)
		assert_true(retained_replace(&retained, TOPIC, len, max));
	assert_false(retained_replace(&retained, TOPIC, 101, max));
	assert_int_equal(retained.bytes, max);
	assert_true(retained_replace(&retained, TOPIC, 1, max));
	assert_int_equal(retained.bytes, COST + 1);
	retained_clear(&retained);
}

static void
an_empty_message_makes_room(void **state)
{
	struct retained retained = {0};
	size_t max = COST + 100;

	(void)state;
	assert_true(retained_replace(&retained, TOPIC, 0, max));
	assert_true(retained_replace(&retained, TOPIC, 100, max));
	assert_true(retained_replace(&retained, TOPIC, 0, max));
	assert_int_equal(retained.bytes, 0);
	assert_true(retained_replace(&retained, "/devices/two/config", 100, max));
	retained_clear(&retained);
}

static void
many_topics_with_little_in_each_are_bounded_too(void **state)
{
	struct retained retained = {0};
	size_t max = 1024 * 1024, n = 0;
	char topic[64];

	(void)state;
	do
		snprintf(topic, sizeof(topic), "/devices/%zu/config", n++);
	while (retained_replace(&retained, topic, 1, max));
	assert_in_range(n, 1000, max / RETAINED_OVERHEAD);
	retained_clear(&retained);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_bounded_in_bytes),
		cmocka_unit_test(a_message_takes_the_place_of_the_one_before),
		cmocka_unit_test(an_empty_message_makes_room),
		cmocka_unit_test(many_topics_with_little_in_each_are_bounded_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
