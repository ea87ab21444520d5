#include "config.h"

#include "unit.h"

#include "gateway/suspects.h"

/* lost: the connection ended with one message in flight, and nothing was acknowledged */
static int64_t
lost(struct suspects *suspects, uint64_t seq, int64_t now_ms)
{
	return suspects_lost(suspects, false, 1, seq, now_ms);
}

static void
message_that_ends_connections_is_left_out(void **state)
{
	struct suspects suspects = {.fruitless = 0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(suspects_alone(&suspects));
		assert_int_equal(suspects_lost(&suspects, false, 100, 7, 0), 0);
	}
	assert_true(suspects_alone(&suspects));
	assert_int_equal(lost(&suspects, 7, 1000), 0);
	assert_int_equal(lost(&suspects, 7, 2000), 60000);
	assert_true(suspects_has(&suspects, 7, 61999));
	assert_false(suspects_has(&suspects, 8, 2000));
	assert_false(suspects_due(&suspects, 61999));
	assert_true(suspects_due(&suspects, 62000));
	assert_false(suspects_due(&suspects, 62000));
	assert_false(suspects_has(&suspects, 7, 62000));
	/* Others pass meanwhile, which says nothing for this one. */
	suspects_clear(&suspects, 8);
	assert_false(suspects_alone(&suspects));
	for (int i = 0; i < 3; i++)
		assert_int_equal(lost(&suspects, 7, 70000), 0);
	assert_int_equal(lost(&suspects, 7, 70000), 120000);
	for (int i = 0; i < 20; i++)
		lost(&suspects, 7, 80000);
	assert_int_equal(lost(&suspects, 7, 80000), 3600000);
	suspects_clear(&suspects, 7);
	assert_false(suspects_has(&suspects, 7, 80000));
}

static void
nobody_is_suspected_while_things_arrive(void **state)
{
	struct suspects suspects = {.fruitless = 0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(suspects_lost(&suspects, true, 1, 7, 0), 0);
	assert_false(suspects_alone(&suspects));
	/* A connection on which nothing was sent proves nothing. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(suspects_lost(&suspects, false, 0, 0, 0), 0);
	assert_false(suspects_alone(&suspects));
}

static void
many_are_left_out_at_once(void **state)
{
	struct suspects suspects = {.fruitless = 3};

	(void)state;
	for (uint64_t seq = 1; seq <= SUSPECTS_MAX + 1; seq++) {
		lost(&suspects, seq, (int64_t)seq);
		assert_int_equal(lost(&suspects, seq, (int64_t)seq), 60000);
	}
	assert_false(suspects_has(&suspects, 1, 100));
	for (uint64_t seq = 2; seq <= SUSPECTS_MAX + 1; seq++)
		assert_true(suspects_has(&suspects, seq, 100));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_that_ends_connections_is_left_out),
		cmocka_unit_test(nobody_is_suspected_while_things_arrive),
		cmocka_unit_test(many_are_left_out_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
