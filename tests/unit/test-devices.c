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
	assert_int_equal(devices_count(devices).attached, 1);
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
	devices_asked(devices, device, 7000);
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
	assert_int_equal(devices_count(devices).attached, 0);
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
	devices_tick(devices, 2000 + 60000, 0);
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

/* hold_strangers(FIRST, N): each of these has a message that is held; how many are remembered */
static size_t
hold_strangers(struct devices *devices, int first, int n, int64_t now_ms)
{
	size_t remembered = 0;
	char name[32];

	for (int i = first; i < first + n; i++) {
		struct device *device;

		snprintf(name, sizeof(name), "stranger-%d", i);
		device = devices_meet(devices, name, now_ms);
		if (!device)
			continue;
		assert_int_equal(devices_judge(devices, device, false, now_ms), DEVICE_HOLD);
		remembered++;
	}
	return remembered;
}

/* An answer of the cloud to each attach until nobody is left who may be attached now: no. */
static size_t
refuse_all(struct devices *devices, int64_t now_ms)
{
	struct device *device;
	size_t n = 0;

	while ((device = devices_take_attach(devices, now_ms))) {
		devices_refused(devices, device, "no such device", now_ms, UINT32_MAX);
		n++;
	}
	return n;
}

/* Would not end in a day if a name past the limit cost a walk over those that are known. */
static void
limit_holds_whatever_comes(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);

	(void)state;
	for (int pass = 0; pass < 10; pass++) {
		assert_int_equal(
			hold_strangers(devices, 0, DEVICES_MAX + 30000, 1000), DEVICES_MAX);
		assert_int_equal(devices_count(devices).known, DEVICES_MAX);
		for (int i = 0; i < 100000; i++) {
			assert_null(devices_meet(devices, "one too many", 1000));
			devices_tick(devices, 1000, 0);
			devices_take_detach(devices, 1000);
			devices_take_attach(devices, 1000);
		}
		devices_begin_pass(devices);
	}
	assert_int_equal(devices_count(devices).forgotten, 0);
}

/* The gateway's own messages need no place among the devices. */
static void
gateway_itself_is_remembered_past_the_limit(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *self;

	(void)state;
	hold_strangers(devices, 0, DEVICES_MAX + 1, 1000);
	self = devices_meet(devices, "gw1", 1000);
	assert_non_null(self);
	assert_int_equal(devices_judge(devices, self, false, 1000), DEVICE_SEND);
}

static void
name_past_the_limit_has_its_turn(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *first, *late;

	(void)state;
	hold_strangers(devices, 0, DEVICES_MAX, 1000);
	assert_null(devices_meet(devices, "late", 1000));
	first = devices_find(devices, "stranger-0");
	assert_ptr_equal(devices_take_attach(devices, 1000), first);
	devices_refused(devices, first, "no such device", 11000, UINT32_MAX);
	devices_tick(devices, 11000, 0);
	assert_false(devices_ready(devices, 11000));
	for (int i = 0; first->refused_ms + 10000 > 11000 + i * 1000; i++)
		devices_tick(devices, 11000 + i * 1000, 0);
	/* Its last attempt was not long ago: what it has is given up, and it makes room. */
	first->retry_ms = 30000;
	assert_int_equal(first->held_in != 0, 1);
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, first, false, 21000), DEVICE_DROP);
	assert_int_equal(hold_strangers(devices, 1, DEVICES_MAX - 1, 21000), DEVICES_MAX - 1);
	late = devices_meet(devices, "late", 21000);
	assert_non_null(late);
	assert_int_equal(devices_judge(devices, late, false, 21000), DEVICE_HOLD);
	assert_null(devices_find(devices, "stranger-0"));
	assert_int_equal(devices_count(devices).forgotten, 1);
	assert_int_equal(devices_count(devices).known, DEVICES_MAX);
}

/* What of a device was left in the spool when there was no place for it comes before the rest. */
static void
message_past_the_limit_is_not_overtaken(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	struct device *first, *late;

	(void)state;
	options.policy = ATTACH_CONNECT;
	devices = devices_of(&options);
	hold_strangers(devices, 0, DEVICES_MAX, 1000);
	first = devices_take_attach(devices, 1000);
	devices_refused(devices, first, "no such device", 1000, UINT32_MAX);
	first->retry_ms = 30000;
	devices_begin_pass(devices);
	assert_null(devices_meet(devices, "late", 20000));
	assert_int_equal(devices_judge(devices, first, false, 20000), DEVICE_DROP);
	hold_strangers(devices, 1, DEVICES_MAX - 1, 20000);
	devices_present(devices, "late", 20000);
	late = devices_find(devices, "late");
	assert_non_null(late);
	while (devices_take_attach(devices, 20000) != late)
		continue;
	devices_answered(devices, late, 20000);
	assert_true(devices_answered(devices, late, 20000));
	assert_int_equal(devices_judge(devices, late, false, 20000), DEVICE_HOLD);
	assert_true(devices_ready(devices, 20000));
	devices_begin_pass(devices);
	assert_int_equal(devices_judge(devices, late, false, 20000), DEVICE_SEND);
}

/* A new device that is connected takes the place of a stranger that has only left messages. */
static void
device_that_is_connected_has_a_place(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *pump;

	(void)state;
	hold_strangers(devices, 0, DEVICES_MAX + 1, 1000);
	devices_present(devices, "pump", 1000);
	pump = devices_find(devices, "pump");
	assert_non_null(pump);
	assert_int_equal(devices_count(devices).known, DEVICES_MAX);
	assert_int_equal(devices_judge(devices, pump, false, 1000), DEVICE_HOLD);
	assert_int_equal(devices_take_attach(devices, 1000) == pump ||
				 devices_take_attach(devices, 1000) == pump,
		1);
	/* The stranger whose place it took has its turn later. */
	assert_null(devices_find(devices, "stranger-0"));
	assert_null(devices_meet(devices, "stranger-0", 1000));
}

static void
known_device_is_the_next_among_100000_strangers(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	struct device *thermo, *pump;

	(void)state;
	options.attach_max = 1000;
	options.attach_rate = 50;
	devices = devices_of(&options);
	thermo = attached(devices, "thermo", 1000);
	pump = attached(devices, "pump", 1000);
	devices_tick(devices, 61000, 0);
	assert_non_null(devices_take_detach(devices, 61000));
	assert_non_null(devices_take_detach(devices, 61000));
	hold_strangers(devices, 0, 100000, 70000);
	assert_int_equal(devices_judge(devices, thermo, false, 70000), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 70000), thermo);
	/* Strangers leave it room among the answers, and in the rate. */
	while (devices_take_attach(devices, 70001))
		continue;
	assert_int_equal(devices_judge(devices, pump, false, 70001), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 70001), pump);
	/* It is known still when the cloud takes it away, and when the connection is lost. */
	devices_answered(devices, pump, 70002);
	assert_true(devices_answered(devices, pump, 70002));
	devices_refused(devices, pump, "quota exceeded", 70003, 0);
	assert_ptr_equal(devices_take_attach(devices, 71000), pump);
	devices_cloud_lost(devices);
	assert_true(devices_take_attach(devices, 71000)->accepted);
	assert_true(devices_take_attach(devices, 71000)->accepted);
}

static void
device_that_the_cloud_refuses_is_a_stranger(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *device = attached(devices, "thermo", 1000);

	(void)state;
	assert_true(device->accepted);
	devices_refused(devices, device, "unbound", 2000, 0);
	assert_int_equal(devices_judge(devices, device, false, 2000), DEVICE_HOLD);
	assert_ptr_equal(devices_take_attach(devices, 3000), device);
	devices_asked(devices, device, 3000);
	/* No answer is no no. */
	devices_tick(devices, 8000, 0);
	assert_true(device->refused && device->accepted);
	assert_ptr_equal(devices_take_attach(devices, 9000), device);
	devices_refused(devices, device, "unbound", 9000, 0);
	assert_false(device->accepted);
}

/* However many known devices want to be attached all the time. */
static void
strangers_have_their_turn(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	int strangers = 0;
	char name[16];

	(void)state;
	options.attach_max = 1000;
	options.attach_rate = 10000;
	devices = devices_of(&options);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		attached(devices, name, 1000 * (i + 1));
	}
	hold_strangers(devices, 0, 1000, 200000);
	for (int i = 0; i < 100; i++) {
		struct device *device;

		/* All known ones want to, again and again. */
		devices_cloud_lost(devices);
		device = devices_take_attach(devices, 200000 + i);
		strangers += !device->accepted;
		if (!device->accepted)
			devices_refused(devices, device, "no", 200000 + i, UINT32_MAX);
	}
	assert_int_equal(strangers, 100 / (ATTACH_KNOWN_IN_A_ROW + 1));
}

/* Those that are connected, have left messages, and were refused before. */
static void
classes_of_strangers_take_turns(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	struct device *present, *refused;
	size_t n = 0;

	(void)state;
	options.attach_max = 1000;
	devices = devices_of(&options);
	refused = devices_meet(devices, "refused", 1);
	assert_int_equal(devices_judge(devices, refused, false, 1), DEVICE_HOLD);
	assert_int_equal(refuse_all(devices, 1), 1);
	hold_strangers(devices, 0, 1000, 2000);
	devices_present(devices, "present", 2000);
	present = devices_find(devices, "present");
	assert_int_equal(devices_judge(devices, present, false, 2000), DEVICE_HOLD);
	for (struct device *d = NULL; n < 3 && (d = devices_take_attach(devices, 2000)); n++) {
		if (d == present)
			present = NULL;
		if (d == refused)
			refused = NULL;
	}
	assert_null(present);
	assert_null(refused);
}

/* Attached devices that are silent make room for strangers while the cloud accepts those. */
static void
strangers_that_are_refused_push_few_out(void **state)
{
	struct devices_options options = defaults;
	AUTO(auto_devices) struct devices *devices = NULL;
	size_t before, gone = 0;
	char name[16];

	(void)state;
	options.attach_max = 200;
	devices = devices_of(&options);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		attached(devices, name, 1000 * (i + 1));
	}
	hold_strangers(devices, 0, 10000, 210000);
	while (devices_take_detach(devices, 210000))
		gone++;
	assert_int_equal(gone, ATTACH_STRANGERS_MAX);
	assert_in_range(refuse_all(devices, 210000), 1, options.attach_rate);
	/* Its devices come back, and the strangers have a few places. */
	for (int i = 0; i < 200; i++) {
		struct device *device;

		snprintf(name, sizeof(name), "d%d", i);
		device = devices_find(devices, name);
		devices_judge(devices, device, false, 210000);
	}
	for (int i = 1; i < 100; i++) {
		struct device *device;

		while ((device = devices_take_attach(devices, 210000 + 1000 * i))) {
			if (!device->accepted) {
				devices_refused(devices, device, "no", 210000, UINT32_MAX);
				continue;
			}
			devices_answered(devices, device, 210000 + 1000 * i);
			devices_answered(devices, device, 210000 + 1000 * i);
		}
	}
	devices_begin_pass(devices);
	before = devices_count(devices).attached;
	assert_in_range(before, options.attach_max - ATTACH_STRANGERS_MIN, options.attach_max);
	for (gone = 0; devices_take_detach(devices, 400000); gone++)
		continue;
	assert_in_range(gone, 0, ATTACH_STRANGERS_MIN);
}

static void
stranger_is_forgotten_before_a_known_device(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);

	(void)state;
	attached(devices, "thermo", 1000);
	devices_tick(devices, 61000, 0);
	assert_non_null(devices_take_detach(devices, 61000));
	hold_strangers(devices, 0, DEVICES_MAX - 1, 70000);
	devices_begin_pass(devices);
	devices_begin_pass(devices);
	/* None of them has a message any more. */
	assert_int_equal(hold_strangers(devices, DEVICES_MAX, 1000, 80000), 1000);
	assert_non_null(devices_find(devices, "thermo"));
	assert_null(devices_find(devices, "stranger-0"));
	assert_null(devices_find(devices, "stranger-999"));
	assert_non_null(devices_find(devices, "stranger-1000"));
	assert_int_equal(devices_count(devices).forgotten, 1000);
	assert_int_equal(devices_count(devices).known, DEVICES_MAX);
}

static void
config_is_requested_of_attached_devices(void **state)
{
	AUTO(auto_devices) struct devices *devices = devices_of(&defaults);
	struct device *thermo = attached(devices, "thermo", 1000);
	struct device *pump = attached(devices, "pump", 1000);
	struct device *lamp = devices_meet(devices, "lamp", 1000);

	(void)state;
	assert_null(devices_next_config_due(devices));
	devices_set_config_due(devices, lamp);
	assert_null(devices_next_config_due(devices));
	devices_set_all_configs_due(devices);
	assert_ptr_equal(devices_next_config_due(devices), thermo);
	assert_ptr_equal(devices_next_config_due(devices), thermo);
	devices_config_requested(thermo);
	assert_ptr_equal(devices_next_config_due(devices), pump);
	devices_refused(devices, pump, "", 2000, 0);
	assert_null(devices_next_config_due(devices));
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
		cmocka_unit_test(limit_holds_whatever_comes),
		cmocka_unit_test(gateway_itself_is_remembered_past_the_limit),
		cmocka_unit_test(name_past_the_limit_has_its_turn),
		cmocka_unit_test(message_past_the_limit_is_not_overtaken),
		cmocka_unit_test(device_that_is_connected_has_a_place),
		cmocka_unit_test(known_device_is_the_next_among_100000_strangers),
		cmocka_unit_test(device_that_the_cloud_refuses_is_a_stranger),
		cmocka_unit_test(strangers_have_their_turn),
		cmocka_unit_test(classes_of_strangers_take_turns),
		cmocka_unit_test(strangers_that_are_refused_push_few_out),
		cmocka_unit_test(stranger_is_forgotten_before_a_known_device),
		cmocka_unit_test(config_is_requested_of_attached_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
