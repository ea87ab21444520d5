#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "plugin/door.h"
#include "plugin/name_file.h"
#include "plugin/name_limit.h"
#include "plugin/speakers.h"
#include "site/channel.h"

/* What a broker's clients are to speakers.c: addresses. */
static char clients[3000];

static struct speaker *
add(struct speakers *speakers, int i, const char *id, const char *device)
{
	struct speaker *speaker = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(speakers_add(speakers, &clients[i], id, device, false, &speaker, &f), &f);
	assert_ptr_equal(speakers_find(speakers, &clients[i], id), speaker);
	return speaker;
}

static size_t
count(const struct speakers *speakers)
{
	size_t n = 0;

	for (struct resident *r = NULL; (r = speakers_next(speakers, r));)
		n++;
	return n;
}

static struct speakers *
fresh(void)
{
	struct speakers *speakers = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(speakers_new(&speakers, &f), &f);
	return speakers;
}

static void
device_is_there_while_one_connection_is(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	char gone[RULES_ID_MAX + 1];

	(void)state;
	assert_int_equal(add(speakers, 0, "first", "thermo")->device->connections, 1);
	assert_int_equal(add(speakers, 1, "second", "thermo")->device->connections, 2);
	assert_null(add(speakers, 2, "nobody", NULL)->device);
	assert_int_equal(count(speakers), 1);
	speakers_remove(speakers, &clients[0], gone);
	assert_string_equal(gone, "");
	speakers_remove(speakers, &clients[1], gone);
	assert_string_equal(gone, "thermo");
	speakers_remove(speakers, &clients[1], gone);
	assert_string_equal(gone, "");
	assert_int_equal(count(speakers), 0);
}

/* A broker reuses memory: what was let in under one id must not speak for the next. */
static void
pointer_that_became_another_client_is_nobody(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();

	(void)state;
	add(speakers, 0, "first", "thermo");
	assert_null(speakers_find(speakers, &clients[0], "other"));
	assert_string_equal(add(speakers, 0, "other", "pump")->device->name, "pump");
	assert_null(speakers_find(speakers, &clients[0], "first"));
	assert_int_equal(count(speakers), 1);
}

static void
name_that_no_topic_can_have_is_no_device(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	char name[RULES_ID_MAX + 2];
	const char *const bad[] = {"", "a/b", "a+", "#", name};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_null(add(speakers, (int)i, "id", bad[i])->device);
	name[RULES_ID_MAX] = '\0';
	assert_non_null(add(speakers, 0, "id", name)->device);
}

#define PATH "projects/p/locations/l/registries/reg/devices/"

static void
client_id_of_the_cloud_names_its_device(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	static const struct {
		const char *id, *name;
	} rows[] = {
		{"thermo", "thermo"},
		{"", ""},
		{"a/b", "a/b"},
		{"projects", "projects"},
		{PATH "thermo", "thermo"},
		{"projects/d.com:p/locations/x/registries/other/devices/thermo", "thermo"},
		{PATH "1234", "1234"},
		{PATH "", NULL},
		{PATH "x", NULL},
		{PATH "thermo/", NULL},
		{PATH "thermo/events", NULL},
		{PATH "a+b#", NULL},
		{PATH "thermo/devices/pump", NULL},
		{"projects//locations/l/registries/reg/devices/thermo", NULL},
		{"projects/p/devices/thermo", NULL},
		{"projects/", NULL},
	};
	char gone[RULES_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *name = speaker_name(rows[i].id);

		if (!name || !rows[i].name ? name != rows[i].name : strcmp(name, rows[i].name))
			fail_msg("'%s' is '%s'", rows[i].id, name ? name : "nobody");
	}
	/* Two connections, by either id, are one device. */
	add(speakers, 0, "thermo", speaker_name("thermo"));
	assert_int_equal(
		add(speakers, 1, PATH "thermo", speaker_name(PATH "thermo"))->device->connections,
		2);
	speakers_remove(speakers, &clients[0], gone);
	assert_string_equal(gone, "");
	speakers_remove(speakers, &clients[1], gone);
	assert_string_equal(gone, "thermo");
}

static void
wish_to_be_attached_is_kept(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	struct resident *device = add(speakers, 0, "id", "thermo")->device;
	struct fault f = FAULT_INIT;

	(void)state;
	assert_false(device->asked);
	assert_ok(speakers_note_attach(speakers, device, "{}", 2, &f), &f);
	assert_ok(speakers_note_attach(speakers, device, "{\"a\":1}", 7, &f), &f);
	assert_true(device->asked);
	assert_int_equal(device->body_len, 7);
	assert_memory_equal(device->body, "{\"a\":1}", 7);
	/* As mosquitto hands over a message without a payload. */
	assert_ok(speakers_note_attach(speakers, device, NULL, 0, &f), &f);
	assert_true(device->asked);
	assert_int_equal(device->body_len, 0);
	speakers_note_detach(speakers, device);
	assert_false(device->asked);
}

/* fill(SPEAKERS): every client asks with as much as it may, until no more is kept; how many did */
static int
fill(struct speakers *speakers)
{
	static char body[SPEAKERS_BODY_MAX];
	struct fault f = FAULT_INIT;
	char id[16];

	for (int i = 0; i < (int)N_ELEMENTS(clients); i++) {
		snprintf(id, sizeof(id), "c%04d", i);
		if (!speakers_note_attach(
			    speakers, add(speakers, i, id, id)->device, body, sizeof(body), &f))
			continue;
		assert_int_equal(f.code, FAULT_PRECONDITION);
		return i;
	}
	return -1;
}

static void
wishes_are_kept_within_a_bound(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	static char body[SPEAKERS_BODY_MAX + 1];
	struct fault f = FAULT_INIT;
	char gone[RULES_ID_MAX + 1];
	int n = fill(speakers);
	struct resident *last = add(speakers, n, "last", "last")->device;
	struct resident *first = speakers_next(speakers, NULL);

	(void)state;
	assert_in_range(n, 300, 400);
	assert_fault(
		speakers_note_attach(speakers, first, body, sizeof(body), &f), &f, FAULT_INVALID);
	assert_ok(speakers_note_attach(speakers, first, body, SPEAKERS_BODY_MAX, &f), &f);
	speakers_note_detach(speakers, first);
	assert_ok(speakers_note_attach(speakers, last, body, SPEAKERS_BODY_MAX, &f), &f);
	assert_fault(speakers_note_attach(speakers, first, body, SPEAKERS_BODY_MAX, &f), &f,
		FAULT_PRECONDITION);
	speakers_remove(speakers, &clients[n], gone);
	assert_ok(speakers_note_attach(speakers, first, body, SPEAKERS_BODY_MAX, &f), &f);
}

static void
pass_over(void *with, const struct frame *frame)
{
	(void)with, (void)frame;
}

static void
count_good(void *with, bool good, const char *text)
{
	(void)text;
	*(int *)with += good ? 1 : -1000;
}

static void
gateway_is_told_all_that_is_kept(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	char dir[] = "door-test.XXXXXX", path[64];
	int good = 0, wanted = fill(speakers), n = 0;
	struct fault f = FAULT_INIT;
	struct channel *gateway;
	struct frame frame;
	struct door *door;
	bool any;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	assert_ok(door_new(path, speakers, pass_over, count_good, &good, &door, &f), &f);
	assert_ok(channel_connect(path, &gateway, &f), &f);
	door_poll(door);
	/* It is told of what comes before it has read anything, too. */
	for (int i = 0; i < 1000; i++)
		door_tell(door, FRAME_GONE, "other", NULL, 0);
	assert_int_equal(good, 1);
	do {
		door_poll(door);
		assert_ok(channel_next(gateway, &frame, &any, &f), &f);
		n += any && frame.kind == FRAME_ATTACH;
	} while (!any || frame.kind != FRAME_GONE);
	assert_int_equal(n, wanted);
	channel_close(gateway);
	door_free(door);
	rmdir(dir);
}

static void
thousands_come_and_go(void **state)
{
	AUTO(auto_speakers) struct speakers *speakers = fresh();
	char id[16], gone[RULES_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		snprintf(id, sizeof(id), "c%zu", i);
		add(speakers, (int)i, id, id);
	}
	assert_int_equal(count(speakers), N_ELEMENTS(clients));
	for (size_t i = 0; i < N_ELEMENTS(clients); i += 2)
		speakers_remove(speakers, &clients[i], gone);
	assert_int_equal(count(speakers), N_ELEMENTS(clients) / 2);
}

enum act { PUBLISH, SUBSCRIBE, READ };

static enum speaker_verdict
judge(enum act act, const char *name, bool trusted, const char *text)
{
	struct topic topic;

	topic_parse(text, &topic);
	switch (act) {
	case PUBLISH:
		return speaker_may_publish(name, trusted, text, &topic);
	case SUBSCRIBE:
		return speaker_may_subscribe(name, trusted, text, &topic);
	default:
		return speaker_may_read(name, trusted, text, &topic);
	}
}

static void
client_speaks_for_itself_alone(void **state)
{
	static const struct {
		enum act act;
		const char *name;
		bool trusted;
		const char *text;
		enum speaker_verdict verdict;
	} rows[] = {
		{PUBLISH, "one", false, "/devices/one/events", SPEAKER_ALLOWED},
		{PUBLISH, "one", false, "/devices/one/events/a/b", SPEAKER_ALLOWED},
		{PUBLISH, "one", false, "/devices/one/state", SPEAKER_ALLOWED},
		{PUBLISH, "one", false, "/devices/one/attach", SPEAKER_ALLOWED},
		{PUBLISH, "one", false, "/devices/one/detach", SPEAKER_ALLOWED},
		{PUBLISH, "one", false, "/devices/two/events", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/onee/events", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/ONE/events", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/one/config", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/one/commands", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/one/errors", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices/one", SPEAKER_DENIED},
		{PUBLISH, "one", false, "/devices//events", SPEAKER_DENIED},
		{PUBLISH, NULL, false, "/devices/one/events", SPEAKER_DENIED},
		{PUBLISH, "one", true, "/devices/two/events", SPEAKER_ALLOWED},
		{PUBLISH, NULL, true, "/devices/two/events", SPEAKER_ALLOWED},
		{PUBLISH, "one", true, "/devices/two/config", SPEAKER_DENIED},
		{PUBLISH, "one", false, "building/light", SPEAKER_DEFERRED},
		{PUBLISH, "one", false, "devices/two/events", SPEAKER_DEFERRED},
		{SUBSCRIBE, "one", false, "/devices/one/config", SPEAKER_ALLOWED},
		{SUBSCRIBE, "one", false, "/devices/one/commands/#", SPEAKER_ALLOWED},
		{SUBSCRIBE, "one", false, "/devices/one/errors", SPEAKER_ALLOWED},
		{SUBSCRIBE, "one", false, "/devices/one/commands/a", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "/devices/one/#", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "/devices/one/events", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "/devices/two/config", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "/devices/+/config", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "/devices/#", SPEAKER_DENIED},
		{SUBSCRIBE, "one", false, "#", SPEAKER_DEFERRED},
		{SUBSCRIBE, "one", true, "/devices/#", SPEAKER_DEFERRED},
		{READ, "one", false, "/devices/one/config", SPEAKER_ALLOWED},
		{READ, "one", false, "/devices/one/commands/a", SPEAKER_ALLOWED},
		{READ, "one", false, "/devices/one/errors", SPEAKER_ALLOWED},
		{READ, "one", false, "/devices/one/events", SPEAKER_DENIED},
		{READ, "one", false, "/devices/two/commands", SPEAKER_DENIED},
		{READ, NULL, false, "/devices/two/config", SPEAKER_DENIED},
		{READ, "one", true, "/devices/two/config", SPEAKER_DEFERRED},
		{READ, "one", false, "building/light", SPEAKER_DEFERRED},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (judge(rows[i].act, rows[i].name, rows[i].trusted, rows[i].text) !=
			rows[i].verdict)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
}

static struct name_limit *
limit_of(long per_minute, long per_address)
{
	const struct name_limit_options options = {per_minute, per_address};
	struct name_limit *limit = NULL;
	struct fault f = FAULT_INIT;

	assert_ok(name_limit_new(&options, &limit, &f), &f);
	return limit;
}

/* accept_new(LIMIT, FIRST, N, ADDRESS, MS): so many of these new names are accepted */
static int
accept_new(struct name_limit *limit, int first, int n, const char *address, int64_t now_ms)
{
	int accepted = 0;
	char name[32];

	for (int i = first; i < first + n; i++) {
		struct fault f = FAULT_INIT;

		snprintf(name, sizeof(name), "new-%d", i);
		if (name_limit_accept(limit, name, address, now_ms, &f) == 0)
			accepted++;
		else
			assert_int_equal(f.code, FAULT_PRECONDITION);
	}
	return accepted;
}

/* How many of n attaches of a device are accepted. */
static int
attaches(struct name_limit *limit, const char *name, int64_t now_ms, int n)
{
	struct fault f = FAULT_INIT;
	int accepted = 0;

	while (n-- > 0) {
		if (name_limit_attach(limit, name, now_ms, &f) == 0)
			accepted++;
		else
			assert_int_equal(f.code, FAULT_PRECONDITION);
	}
	return accepted;
}

static void
attaches_of_a_device_are_limited(void **state)
{
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(0, 0);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_ok(name_limit_accept(limit, "loud", NULL, 1000, &f), &f);
	assert_int_equal(attaches(limit, "loud", 1000, 1000), NAME_LIMIT_ATTACHES);
	/* A new connection gives it no more, and others have their own. */
	assert_ok(name_limit_accept(limit, "loud", NULL, 1000, &f), &f);
	assert_int_equal(attaches(limit, "loud", 1000, 1000), 0);
	assert_int_equal(attaches(limit, "quiet", 1000, 2), 2);
	assert_int_equal(attaches(limit, "loud", 6000, 1000), 5 * NAME_LIMIT_ATTACHES_PER_S);
	assert_int_equal(attaches(limit, "loud", 3600000, 1000), NAME_LIMIT_ATTACHES);
}

static void
new_names_are_limited_a_minute(void **state)
{
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(60, 0);

	(void)state;
	assert_int_equal(accept_new(limit, 0, 100, "192.0.2.1", 1000000), 60);
	/* One a second. */
	assert_int_equal(accept_new(limit, 100, 100, "192.0.2.1", 1000999), 0);
	assert_int_equal(accept_new(limit, 200, 100, "192.0.2.2", 1001000), 1);
	assert_int_equal(accept_new(limit, 300, 100, NULL, 1031000), 30);
	assert_int_equal(accept_new(limit, 400, 100, "192.0.2.1", 9000000), 60);
}

static void
known_name_is_not_limited(void **state)
{
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(60, 10);
	struct fault f = FAULT_INIT;

	(void)state;
	assert_int_equal(accept_new(limit, 0, 100, "192.0.2.1", 1000000), 10);
	assert_int_equal(accept_new(limit, 0, 10, "192.0.2.1", 1000000), 10);
	assert_int_equal(accept_new(limit, 0, 10, "192.0.2.2", 1000000), 10);
	assert_fault(name_limit_accept(limit, "thermo", "192.0.2.1", 1000000, &f), &f,
		FAULT_PRECONDITION);
	assert_ok(name_limit_remember(limit, "thermo", &f), &f);
	assert_ok(name_limit_accept(limit, "thermo", "192.0.2.1", 1000000, &f), &f);
}

/* One that floods takes nothing from the others. */
static void
each_address_has_a_limit(void **state)
{
	static const struct {
		const char *address, *same;
		int n;
	} rows[] = {
		{"192.0.2.1", "192.0.2.1", 10},
		{"192.0.2.2", "::ffff:192.0.2.2", 10},
		{"2001:db8::1", "2001:db8::2:3:4:5", 10},
		{"2001:db8:0:1::1", "2001:db8:0:1::2", 10},
		{"fe80::1", "fe80::1", 10},
		{"fe80::2", "fe80::2", 10},
		/* A proxy or a bridge on this machine: only the limit of all applies. */
		{"127.0.0.1", "127.0.0.1", 100},
		{"127.1.2.3", "::ffff:127.0.0.1", 100},
		{"::1", "::1", 100},
		{NULL, NULL, 100},
		{"a socket", "", 100},
	};
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(100000, 10);

	(void)state;
	for (int i = 0; i < (int)N_ELEMENTS(rows); i++) {
		int first = accept_new(limit, 1000 * i, 60, rows[i].address, 5000);
		int more = accept_new(limit, 1000 * i + 100, 40, rows[i].same, 5000);

		if (first + more != rows[i].n)
			fail_msg("%s: %d + %d", rows[i].address ? rows[i].address : "NULL", first,
				more);
	}
}

static void
limit_of_0_is_none(void **state)
{
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(0, 0);

	(void)state;
	assert_int_equal(accept_new(limit, 0, 5000, "192.0.2.1", 1000000), 5000);
}

/* Whatever comes: what is known and who asked is bounded, and the oldest goes first. */
static void
memory_of_names_is_bounded(void **state)
{
	AUTO(auto_name_limit) struct name_limit *limit = limit_of(0, 1);
	struct fault f = FAULT_INIT;
	char name[32], address[32];

	(void)state;
	assert_ok(name_limit_remember(limit, "first", &f), &f);
	assert_ok(name_limit_remember(limit, "second", &f), &f);
	for (int i = 0; i < NAME_LIMIT_KNOWN_MAX - 1; i++) {
		snprintf(name, sizeof(name), "new-%d", i);
		snprintf(address, sizeof(address), "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		assert_ok(name_limit_accept(limit, name, address, 1000, &f), &f);
		if (i == 10)
			assert_ok(name_limit_accept(limit, "second", address, 1000, &f), &f);
	}
	assert_ok(name_limit_accept(limit, "second", "10.1.1.1", 1000, &f), &f);
	assert_fault(name_limit_accept(limit, "first", address, 1000, &f), &f, FAULT_PRECONDITION);
	/* An address that was forgotten begins with nothing used. */
	assert_ok(name_limit_accept(limit, "first", "10.0.0.1", 1000, &f), &f);
}

/* Names of a broker that was restarted, a minute's and more. */
static void
known_names_outlive_the_broker(void **state)
{
	struct name_limit *limit = limit_of(10, 0);
	char dir[] = "name-file.XXXXXX", path[64];
	struct name_file *file = NULL;
	struct fault f = FAULT_INIT;
	FILE *damaged;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" NAME_FILE_NAME, dir);
	assert_ok(name_file_open(dir, limit, &file, &f), &f);
	assert_ok(name_file_tick(file, 100000, &f), &f);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(accept_new(limit, 0, 10, NULL, 100000), 10);
	/* It is written by a thread. */
	assert_ok(name_file_tick(file, 100000, &f), &f);
	for (int i = 0; i < 1000 && access(path, F_OK); i++)
		usleep(10000);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(accept_new(limit, 10, 10, NULL, 160000), 10);
	name_file_close(file);
	name_limit_free(limit);

	damaged = fopen(path, "a");
	assert_non_null(damaged);
	fputs("#no name\n/../x\n\n", damaged);
	for (int i = 0; i < 1000; i++)
		fputc('x', damaged);
	fclose(damaged);
	limit = limit_of(10, 0);
	assert_ok(name_file_open(dir, limit, &file, &f), &f);
	assert_int_equal(accept_new(limit, 0, 20, NULL, 1000), 20);
	assert_int_equal(accept_new(limit, 20, 20, NULL, 1000), 10);
	name_file_close(file);
	name_limit_free(limit);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_is_there_while_one_connection_is),
		cmocka_unit_test(pointer_that_became_another_client_is_nobody),
		cmocka_unit_test(name_that_no_topic_can_have_is_no_device),
		cmocka_unit_test(client_id_of_the_cloud_names_its_device),
		cmocka_unit_test(wish_to_be_attached_is_kept),
		cmocka_unit_test(wishes_are_kept_within_a_bound),
		cmocka_unit_test(gateway_is_told_all_that_is_kept),
		cmocka_unit_test(thousands_come_and_go),
		cmocka_unit_test(client_speaks_for_itself_alone),
		cmocka_unit_test(memory_of_names_is_bounded),
		cmocka_unit_test(known_names_outlive_the_broker),
		cmocka_unit_test(limit_of_0_is_none),
		cmocka_unit_test(each_address_has_a_limit),
		cmocka_unit_test(known_name_is_not_limited),
		cmocka_unit_test(attaches_of_a_device_are_limited),
		cmocka_unit_test(new_names_are_limited_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
