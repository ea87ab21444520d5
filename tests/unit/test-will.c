#include "config.h"

#include "unit.h"

#include <stdlib.h>

#include "plugin/will.h"

#define EVENTS "/devices/one/events"

static int one, two;

static void
a_will_comes_right_after_its_client(void **state)
{
	struct will will = {0};

	(void)state;
	assert_false(will_is_from(&will, &one));
	will_note_end(&will, &one);
	assert_true(will_is_from(&will, &one));
	assert_false(will_is_from(&will, &two));
	assert_false(will_next_event(&will, NULL));
	assert_false(will_is_from(&will, &one));
	will_clear(&will);
}

static void
a_message_follows_its_question(void **state)
{
	struct will will = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(will_note_asked(&will, &one, EVENTS, true, &f), &f);
	assert_true(will_is_on(&will, EVENTS));
	assert_false(will_next_event(&will, &one));
	assert_false(will_is_on(&will, EVENTS));
	assert_false(will_next_event(&will, NULL));
	will_clear(&will);
}

static void
a_question_without_a_message_was_a_will(void **state)
{
	const void *const next[] = {NULL, &two};
	struct will will = {0};
	struct fault f = FAULT_INIT;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(next); i++) {
		assert_ok(will_note_asked(&will, &one, EVENTS, true, &f), &f);
		assert_true(will_is_on(&will, EVENTS));
		assert_false(will_is_on(&will, EVENTS "/x"));
		assert_true(will_next_event(&will, next[i]));
		assert_string_equal(will.topic, EVENTS);
		assert_true(will.retain);
		will_clear(&will);
		assert_false(will_is_on(&will, EVENTS));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_will_comes_right_after_its_client),
		cmocka_unit_test(a_message_follows_its_question),
		cmocka_unit_test(a_question_without_a_message_was_a_will),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
