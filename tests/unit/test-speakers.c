#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "plugin/door.h"
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
