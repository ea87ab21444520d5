/* How many log lines a device may cause. */
#include "config.h"

#include "unit.h"

#include "plugin/log_limits.h"

static struct log_limits *
fresh(void)
{
	struct log_limits *limits;
	struct fault f = FAULT_INIT;

	assert_ok(log_limits_new(&limits, &f), &f);
	return limits;
}

static struct registry_admission
device(int64_t row, const char *id)
{
	struct registry_admission admission = {.device_row = row};

	strcpy(admission.client.project, "p");
	strcpy(admission.client.device, "17");
	strcpy(admission.device_id, id);
	return admission;
}

/* How many of n lines are written. */
static int
lines(struct log_limits *limits, const struct registry_admission *by, enum rules_log_level level,
	bool attached, int64_t now_ms, int n)
{
	unsigned long left_out;
	int taken = 0;

	while (n-- > 0)
		taken += log_limits_take(limits, by, level, attached, now_ms, &left_out);
	return taken;
}

static void
each_device_and_level_has_its_own_lines(void **state)
{
	AUTO(auto_log_limits) struct log_limits *limits = fresh();
	const struct registry_admission loud = device(7, "loud"), quiet = device(8, "quiet");

	(void)state;
	assert_int_equal(lines(limits, &loud, RULES_LOG_DEBUG, false, 1000, 500), LOG_LIMITS_LINES);
	assert_int_equal(lines(limits, &loud, RULES_LOG_INFO, false, 1000, 500), LOG_LIMITS_LINES);
	assert_int_equal(lines(limits, &loud, RULES_LOG_ERROR, false, 1000, 500), LOG_LIMITS_LINES);
	assert_int_equal(
		lines(limits, &loud, RULES_LOG_INFO, true, 1000, 5000), LOG_LIMITS_ATTACHED_LINES);
	assert_int_equal(lines(limits, &quiet, RULES_LOG_INFO, false, 1000, 5), 5);
	assert_int_equal(
		lines(limits, &loud, RULES_LOG_INFO, false, 3000, 500), 2 * LOG_LIMITS_LINES_PER_S);
	assert_int_equal(lines(limits, &loud, RULES_LOG_INFO, true, 3000, 500),
		2 * LOG_LIMITS_ATTACHED_LINES_PER_S);
}

static void
the_next_line_says_how_many_were_left_out(void **state)
{
	AUTO(auto_log_limits) struct log_limits *limits = fresh();
	const struct registry_admission loud = device(7, "loud");
	struct log_limits_rest rest;
	unsigned long left_out = 99;

	(void)state;
	assert_true(log_limits_take(limits, &loud, RULES_LOG_INFO, false, 1000, &left_out));
	assert_int_equal(left_out, 0);
	lines(limits, &loud, RULES_LOG_INFO, false, 1000, LOG_LIMITS_LINES - 1 + 30);
	assert_true(log_limits_take(limits, &loud, RULES_LOG_INFO, false, 1200, &left_out));
	assert_int_equal(left_out, 30);
	assert_true(log_limits_take(limits, &loud, RULES_LOG_INFO, false, 1400, &left_out));
	assert_int_equal(left_out, 0);
	assert_false(log_limits_take_rest(limits, INT64_MAX, &rest));
}

static void
what_nothing_else_reports_is_reported_once(void **state)
{
	AUTO(auto_log_limits) struct log_limits *limits = fresh();
	const struct registry_admission one = device(7, "one"), two = device(8, "two");
	struct log_limits_rest rest;

	(void)state;
	lines(limits, &one, RULES_LOG_INFO, false, 1000, LOG_LIMITS_LINES + 3);
	lines(limits, &two, RULES_LOG_INFO, false, 2000, LOG_LIMITS_LINES + 4);
	assert_false(log_limits_take_rest(limits, 1000 + LOG_LIMITS_QUIET_MS - 1, &rest));
	assert_true(log_limits_take_rest(limits, 1000 + LOG_LIMITS_QUIET_MS, &rest));
	assert_int_equal(rest.left_out, 3);
	assert_int_equal(rest.causer, 7);
	assert_string_equal(rest.of.device, "one");
	assert_string_equal(rest.of.project, "p");
	assert_false(log_limits_take_rest(limits, 1000 + LOG_LIMITS_QUIET_MS, &rest));
	/* At the end, all of it. */
	assert_true(log_limits_take_rest(limits, INT64_MAX, &rest));
	assert_string_equal(rest.of.device, "two");
	assert_int_equal(rest.left_out, 4);
	assert_false(log_limits_take_rest(limits, INT64_MAX, &rest));
}

/* However long a device stays away, it comes back to no more than full buckets. */
static void
a_device_is_forgotten_when_that_gives_it_nothing(void **state)
{
	AUTO(auto_log_limits) struct log_limits *limits = fresh();
	const struct registry_admission gateway = device(7, "gateway");
	struct log_limits_rest rest;

	(void)state;
	for (int64_t row = 100; row < 1100; row++) {
		const struct registry_admission other = device(row, "other");

		lines(limits, &other, RULES_LOG_INFO, false, 1000, 1);
	}
	lines(limits, &gateway, RULES_LOG_INFO, true, 1000, LOG_LIMITS_ATTACHED_LINES);
	assert_int_equal(log_limits_count(limits), 1001);
	assert_false(log_limits_take_rest(limits, 1000 + 99999, &rest));
	assert_int_equal(log_limits_count(limits), 1001);
	assert_in_range(lines(limits, &gateway, RULES_LOG_INFO, true, 1000 + 99950, 5000), 1,
		LOG_LIMITS_ATTACHED_LINES);
	while (log_limits_take_rest(limits, 1000 + 100000 + 99950, &rest))
		continue;
	assert_int_equal(log_limits_count(limits), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_device_and_level_has_its_own_lines),
		cmocka_unit_test(the_next_line_says_how_many_were_left_out),
		cmocka_unit_test(what_nothing_else_reports_is_reported_once),
		cmocka_unit_test(a_device_is_forgotten_when_that_gives_it_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
