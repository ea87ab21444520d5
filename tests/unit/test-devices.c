#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/devices.h"

static struct devices_options defaults = {
	.attaches = true,
	.gateway = "gw1",
	.policy = ATTACH_FIRST_MESSAGE,
	.attach_max = 3,
	.attach_rate = 100,
	.idle_ms = 60000,
	.hold_ms = 10000,
	.state_interval_ms = 1000,
	.timeout_ms = 5000,
};

static struct devices *
devices_of(const struct devices_options *options)
{
	struct devices *devices = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(devices_new(options, &devices, &f), &f);
	return devices;
}

static struct device *
attached(struct devices *devices, const char *name, int64_t now_ms)
{
	struct device *device = devices_meet(devices, name, now_ms);

	assert_int_equal(devices_judge(devices, device, false, now_ms), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, now_ms), device);
	assert_false(devices_answered(devices, device, now_ms));
	assert_true(devices_answered(devices, device, now_ms));
	assert_true(devices_ready(devices, now_ms));
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, false, now_ms), DEVICE_SEND);
	return device;
}

static void
device_is_attached_for_its_first_message(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device;

	(void)state;
	devices_present(devices, "thermo", 1);
	assert_null(devices_take_attach(devices, 1));
	device = attached(devices, "thermo", 2);
	assert_int_equal(devices_attached(devices), 1);
	assert_int_equal(device->state, DEVICE_ATTACHED);
	assert_null(devices_take_attach(devices, 3));
	assert_null(devices_take_detach(devices, 3));
}

static void
gateway_itself_needs_no_attaching(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *self = devices_meet(devices, "gw1", 1);

	(void)state;
	assert_int_equal(devices_judge(devices, self, false, 1), DEVICE_SEND);
	devices_ask(devices, "gw1", "", 0, 1);
	assert_null(devices_take_attach(devices, 1));
}

/* Held messages go in their order: what came behind one waits for the next pass with it. */
static void
message_that_is_held_holds_those_behind_it(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = attached(devices, "thermo", 1);

	(void)state;
	assert_int_equal(devices_judge(devices, device, true, 5000), DEVICE_SEND);
	devices_sent(devices, device, true, 5000);
	assert_int_equal(devices_judge(devices, device, true, 5500), DEVICE_HOLD);
	assert_int_equal(devices_judge(devices, device, false, 7000), DEVICE_HOLD);
	assert_int_equal(devices_next_ms(devices), 6000);
	assert_false(devices_ready(devices, 5999));
	assert_true(devices_ready(devices, 6000));
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, true, 6000), DEVICE_SEND);
}

static void
refused_device_is_tried_again_and_given_up(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = devices_meet(devices, "stranger", 0);

	(void)state;
	assert_int_equal(devices_judge(devices, device, false, 0), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 0), device);
	devices_refused(devices, device, "no such device", 100, UINT32_MAX);
	assert_string_equal(device->reason, "no such device");
	devices_refused(devices, device, "", 110, UINT32_MAX);
	assert_null(devices_take_attach(devices, 1099));
	assert_ptr_equal(devices_take_attach(devices, 1100), device);
	devices_refused(devices, device, "no such device", 1200, UINT32_MAX);
	assert_null(devices_take_attach(devices, 3199));
	assert_ptr_equal(devices_take_attach(devices, 9000), device);
	devices_refused(devices, device, "no such device", 9000, UINT32_MAX);
	devices_tick(devices, 10099, 0);
	assert_false(devices_ready(devices, 10099));
	devices_tick(devices, 10100, 0);
	assert_true(devices_ready(devices, 10100));
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, false, 10100), DEVICE_DROP);
	assert_null(devices_take_attach(devices, 12999));
	/* It may be known to the cloud by now. */
	assert_int_equal(devices_judge(devices, device, false, 13000), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 13000), device);
	devices_refused(devices, device, "no such device", 13100, UINT32_MAX);
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, false, 13200), DEVICE_DROP);
	assert_int_equal(devices_judge(devices, device, false, 21100), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 21100), device);
	devices_answered(devices, device, 21200);
	assert_true(devices_answered(devices, device, 21200));
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, false, 21300), DEVICE_SEND);
}

/* Whatever the cloud says of a device: its words stay text. */
static void
reason_is_cut_at_a_character(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = devices_meet(devices, "stranger", 0);
	char reason[2 * DEVICE_REASON_MAX] = "x";

	(void)state;
	for (size_t i = 1; i + 2 < sizeof(reason); i += 2)
		memcpy(reason + i, "\xc3\xa4", 3);
	devices_refused(devices, device, reason, 0, 0);
	assert_int_equal(strlen(device->reason), DEVICE_REASON_MAX - 1);
	reason[1] = 'y';
	memmove(reason + 2, reason + 3, strlen(reason + 3) + 1);
	devices_refused(devices, device, reason, 0, 0);
	assert_int_equal(strlen(device->reason), DEVICE_REASON_MAX - 2);
}

/* The cloud takes one in so long: a newer one takes the place of one that waits. */
static void
newest_state_counts(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = attached(devices, "thermo", 1);

	(void)state;
	devices_sent(devices, device, true, 5000);
	assert_int_equal(devices_judge(devices, device, true, 5100), DEVICE_HOLD);
	assert_int_equal(devices_hold_state(devices, device, 7), 0);
	assert_int_equal(devices_judge(devices, device, true, 5200), DEVICE_HOLD);
	assert_int_equal(devices_hold_state(devices, device, 9), 7);
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, true, 5300), DEVICE_HOLD);
	assert_int_equal(devices_hold_state(devices, device, 9), 0);
	assert_int_equal(devices_hold_state(devices, device, 10), 9);
	/* Of one that is not attached nobody knows what will go. */
	devices_cloud_lost(devices);
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, true, 5400), DEVICE_HOLD);
	assert_int_equal(devices_hold_state(devices, device, 10), 0);
	assert_int_equal(devices_hold_state(devices, device, 11), 0);
}

static void
answer_that_does_not_come_is_a_refusal(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = devices_meet(devices, "slow", 0);

	(void)state;
	devices_judge(devices, device, false, 0);
	assert_non_null(devices_take_attach(devices, 0));
	/* Its token is signed first, which takes what it takes. */
	devices_tick(devices, 6000, 0);
	assert_int_equal(device->state, DEVICE_ATTACHING);
	devices_asked(device, 7000);
	devices_tick(devices, 11999, 0);
	assert_int_equal(device->state, DEVICE_ATTACHING);
	devices_tick(devices, 12000, 0);
	assert_true(device->refused);
	assert_false(devices_answered(devices, device, 12001));
}

static void
all_are_attached_again_within_the_rate(void **state)
{
	struct devices_options options = defaults;
	struct devices *devices;
	char name[16];
	int n = 0;

	(void)state;
	options.attach_max = 1000;
	options.attach_rate = 10;
	devices = devices_of(&options);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		attached(devices, name, 1000 * (i + 1));
	}
	devices_cloud_lost(devices);
	assert_int_equal(devices_attached(devices), 0);
	while (devices_take_attach(devices, 100000))
		n++;
	assert_int_equal(n, 10);
	for (n = 0; devices_take_attach(devices, 101000); n++)
		continue;
	assert_int_equal(n, 10);
	/* Twenty wait for their answers, and no more are asked. */
	assert_null(devices_take_attach(devices, 102000));
	devices_free(devices);
}

static void
idle_device_makes_room(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *one = attached(devices, "one", 1000), *four;

	(void)state;
	attached(devices, "two", 2000);
	attached(devices, "three", 3000);
	four = devices_meet(devices, "four", 4000);
	assert_int_equal(devices_judge(devices, four, false, 4000), DEVICE_HOLD);
	assert_null(devices_take_attach(devices, 4000));
	assert_ptr_equal(devices_take_detach(devices, 4000), one);
	assert_ptr_equal(devices_take_attach(devices, 4000), four);
	assert_null(devices_take_detach(devices, 4000));
	assert_non_null(devices_take_detach(devices, 2000 + 60000));
}

static void
device_may_ask_itself(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	struct device *device;

	(void)state;
	options.policy = ATTACH_OWN;
	devices = devices_of(&options);
	device = devices_meet(devices, "thermo", 0);
	assert_int_equal(devices_judge(devices, device, false, 1), DEVICE_HOLD);
	assert_null(devices_take_attach(devices, 1));
	devices_ask(devices, "thermo", "{}", DEVICE_BODY_MAX + 1, 0);
	assert_false(device->asked);
	devices_ask(devices, "thermo", "{}", 2, 0);
	assert_ptr_equal(devices_take_attach(devices, 0), device);
	assert_int_equal(device->body_len, 2);
	devices_answered(devices, device, 0);
	devices_answered(devices, device, 0);
	devices_ask_not(devices, "thermo");
	devices_begin_pass(devices);
	assert_ptr_equal(devices_take_detach(devices, 0), device);
}

/* What it left behind when it went is done for it, after it had its time. */
static void
message_left_behind_is_no_reason_to_wait_for_ever(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	struct device *device;

	(void)state;
	options.policy = ATTACH_OWN;
	devices = devices_of(&options);
	device = devices_meet(devices, "thermo", 1);
	assert_int_equal(devices_judge(devices, device, false, 1), DEVICE_HOLD);
	devices_tick(devices, 10000, 0);
	assert_null(devices_take_attach(devices, 10000));
	devices_tick(devices, 10001, 0);
	assert_ptr_equal(devices_take_attach(devices, 10001), device);
	devices_answered(devices, device, 10002);
	devices_answered(devices, device, 10002);
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, device, false, 10003), DEVICE_SEND);
	devices_sent(devices, device, false, 10003);
	assert_ptr_equal(devices_take_detach(devices, 10004), device);
}

/* A wish is that of a device that is there: one that went is idle some time, and forgotten. */
static void
wish_of_one_that_went_is_forgotten(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device;

	(void)state;
	devices_present(devices, "thermo", 0);
	devices_ask(devices, "thermo", "{}", 2, 0);
	device = devices_take_attach(devices, 0);
	devices_answered(devices, device, 0);
	devices_answered(devices, device, 0);
	devices_tick(devices, 100000, 0);
	assert_null(devices_take_detach(devices, 100000));
	devices_gone(devices, "thermo", 100000);
	devices_tick(devices, 159999, 0);
	assert_true(device->asked);
	devices_tick(devices, 160000, 0);
	assert_false(device->asked);
	assert_null(device->body);
	assert_ptr_equal(devices_take_detach(devices, 160000), device);
}

/* Another policy counts at once. */
static void
options_may_change(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = devices_of(&options);

	(void)state;
	devices_present(devices, "thermo", 0);
	assert_null(devices_take_attach(devices, 0));
	options.policy = ATTACH_CONNECT;
	devices_configure(devices, &options);
	assert_non_null(devices_take_attach(devices, 0));
}

static void
device_is_attached_when_it_connects(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;

	(void)state;
	options.policy = ATTACH_CONNECT;
	devices = devices_of(&options);
	devices_present(devices, "thermo", 0);
	assert_non_null(devices_take_attach(devices, 0));
	devices_present(devices, "pump", 0);
	devices_gone(devices, "pump", 1);
	assert_null(devices_take_attach(devices, 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_is_attached_for_its_first_message),
		cmocka_unit_test(gateway_itself_needs_no_attaching),
		cmocka_unit_test(message_that_is_held_holds_those_behind_it),
		cmocka_unit_test(refused_device_is_tried_again_and_given_up),
		cmocka_unit_test(answer_that_does_not_come_is_a_refusal),
		cmocka_unit_test(all_are_attached_again_within_the_rate),
		cmocka_unit_test(idle_device_makes_room),
		cmocka_unit_test(device_may_ask_itself),
		cmocka_unit_test(reason_is_cut_at_a_character),
		cmocka_unit_test(newest_state_counts),
		cmocka_unit_test(message_left_behind_is_no_reason_to_wait_for_ever),
		cmocka_unit_test(wish_of_one_that_went_is_forgotten),
		cmocka_unit_test(options_may_change),
		cmocka_unit_test(device_is_attached_when_it_connects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
