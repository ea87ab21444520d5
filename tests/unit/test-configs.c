/* What an operator tells devices: configs and commands. */
#include "config.h"

#include "unit.h"

#include "soft-store.h"

static int64_t
put(struct context *c, const char *subfolder, const char *data)
{
	const struct store_command command = {
		.subfolder = subfolder, .data = data, .len = strlen(data), .expires = NOW + 10};
	struct fault f = FAULT_INIT;
	int64_t id;

	assert_ok(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f);
	return id;
}

static void
configs_count_from_one_and_ten_are_kept(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	json_t *list, *config;
	char text[16];

	add(c, "dev", NULL);
	assert_config(c, 1, "");
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text_of(json_array_get(list, 0), "version"), "1");
	assert_string_equal(text_of(json_array_get(list, 0), "binaryData"), "");
	assert_string_equal(
		text_of(json_array_get(list, 0), "cloudUpdateTime"), "2027-01-15T08:00:00Z");
	json_decref(list);
	for (int version = 2; version <= 10; version++) {
		snprintf(text, sizeof(text), "v%d", version);
		assert_ok(update_config(c, text, version - 1, NOW + version, &f), &f);
		assert_config(c, version, text);
	}
	assert_ok(store_config_describe(c->store, named("dev"), 1, &config, &f), &f);
	json_decref(config);
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 10);
	assert_string_equal(text_of(json_array_get(list, 0), "version"), "10");
	assert_string_equal(text_of(json_array_get(list, 9), "version"), "1");
	json_decref(list);
	assert_ok(update_config(c, "v11", 0, NOW + 11, &f), &f);
	assert_ok(update_config(c, "v12", 0, NOW + 12, &f), &f);
	assert_int_equal(count(c, "SELECT min(version) * 100 + count(*) FROM configs"), 310);
	assert_ok(store_config_list(c->store, named("dev"), &list, &f), &f);
	assert_int_equal(json_array_size(list), 10);
	assert_string_equal(text_of(json_array_get(list, 9), "version"), "3");
	json_decref(list);
	assert_fault(
		store_config_describe(c->store, named("dev"), 1, &config, &f), &f, FAULT_NOTFOUND);
	assert_fault(
		store_config_describe(c->store, named("dev"), 13, &config, &f), &f, FAULT_NOTFOUND);
}

static void
a_config_is_updated_once_a_second_and_in_turn(void **state)
{
	static const struct store_device given = {.config = "first", .config_len = 5};
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	char *large = malloc(RULES_CONFIG_MAX + 2);

	add(c, "dev", &given);
	assert_config(c, 1, "first");
	assert_fault(update_config(c, "x", 2, NOW, &f), &f, FAULT_PRECONDITION);
	assert_ok(update_config(c, "second", 1, NOW, &f), &f);
	assert_fault(update_config(c, "x", 0, NOW, &f), &f, FAULT_PRECONDITION);
	assert_non_null(strstr(f.text, "wait a second"));
	assert_fault(update_config(c, "x", 1, NOW + 1, &f), &f, FAULT_PRECONDITION);
	assert_config(c, 2, "second");
	memset(large, 'x', RULES_CONFIG_MAX + 1);
	large[RULES_CONFIG_MAX + 1] = '\0';
	assert_fault(update_config(c, large, 0, NOW + 1, &f), &f, FAULT_USAGE);
	large[RULES_CONFIG_MAX] = '\0';
	assert_ok(update_config(c, large, 0, NOW + 1, &f), &f);
	assert_config(c, 3, large);
	assert_ok(store_device_delete(c->store, named("dev"), &f), &f);
	assert_int_equal(count(c, "SELECT count(*) FROM configs"), 0);
	free(large);
}

static void
a_command_is_handed_over_and_answered(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct registry_command taken;
	struct store_answer answer;
	int64_t id, second;
	bool there;

	add(c, "dev", NULL);
	id = put(c, "a/b", "do it");
	assert_ok(store_command_look(c->store, id, &answer, &f), &f);
	assert_int_equal(answer.done, 0);
	assert_ok(registry_next_command(c->broker, NOW, &taken, &there, &f), &f);
	assert_true(there);
	assert_string_equal(taken.subfolder, "a/b");
	assert_int_equal(taken.len, 5);
	assert_memory_equal(taken.data, "do it", 5);
	assert_ok(registry_answer_command(c->broker, taken.id, true, "sent to it", &f), &f);
	registry_command_clear(&taken);
	assert_ok(store_command_look(c->store, id, &answer, &f), &f);
	assert_int_equal(answer.done, 1);
	assert_ok(store_command_end(c->store, named("dev"), id, "-", &answer, &f), &f);
	assert_string_equal(answer.outcome, "sent to it");
	second = put(c, "", "");
	assert_int_not_equal(second, id);
	assert_ok(registry_answer_command(c->broker, second, false, "not connected", &f), &f);
	assert_ok(store_command_end(c->store, named("dev"), second, "-", &answer, &f), &f);
	assert_int_equal(answer.done, 2);
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 0);
	assert_string_equal(ask(c, "SELECT group_concat(event || ' ' || detail) FROM audit"
				   " WHERE event LIKE 'command%'"),
		"command sent subfolder=a/b outcome=sent to it,"
		"command not sent subfolder= outcome=not connected");
}

static void
a_command_that_nobody_takes_is_withdrawn(void **state)
{
	struct context *c = *state;
	struct fault f = FAULT_INIT;
	struct registry_command taken;
	struct store_answer answer;
	bool there;
	int64_t id;

	add(c, "dev", NULL);
	id = put(c, "", "x");
	/* The broker does not send what its sender no longer waits for. */
	assert_ok(registry_next_command(c->broker, NOW + 10, &taken, &there, &f), &f);
	assert_false(there);
	assert_ok(store_command_end(c->store, named("dev"), id, "silence", &answer, &f), &f);
	assert_int_equal(answer.done, 0);
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 0);
	assert_string_equal(ask(c, "SELECT detail FROM audit WHERE event = 'command not sent'"),
		"subfolder= outcome=silence");
	id = put(c, "", "x");
	assert_ok(store_device_delete(c->store, named("dev"), &f), &f);
	assert_fault(store_command_look(c->store, id, &answer, &f), &f, FAULT_NOTFOUND);
	/* What a killed sender left goes with the next command. */
	add(c, "dev", NULL);
	put(c, "", "x");
	sql(c, "UPDATE commands SET expires = expires - 1000");
	put(c, "", "y");
	assert_int_equal(count(c, "SELECT count(*) FROM commands"), 1);
}

static void
a_commands_subfolder_is_part_of_a_topic(void **state)
{
	static const char *const bad[] = {
		"a+", "#", "a/#", "/a", "a/", "a//b", "a\nb", "a\x7f", "\xff", "\xc3"};
	static const char *const good[] = {"", "a", "a/b/c", "\xc3\xa4", "a b"};
	struct context *c = *state;
	struct store_command command = {.data = "x", .len = 1, .expires = NOW + 10};
	struct fault f = FAULT_INIT;
	char text[RULES_SUBFOLDER_MAX + 2];
	int64_t id;

	add(c, "dev", NULL);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		command.subfolder = bad[i];
		assert_fault(store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f,
			FAULT_USAGE);
	}
	for (size_t i = 0; i < N_ELEMENTS(good); i++)
		put(c, good[i], "x");
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	command.subfolder = text;
	assert_fault(
		store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f, FAULT_USAGE);
	text[RULES_SUBFOLDER_MAX] = '\0';
	put(c, text, "x");
	command.subfolder = "";
	command.len = RULES_COMMAND_MAX + 1;
	assert_fault(
		store_command_put(c->store, named("dev"), &command, NOW, &id, &f), &f, FAULT_USAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(configs_count_from_one_and_ten_are_kept),
		TEST(a_config_is_updated_once_a_second_and_in_turn),
		TEST(a_command_is_handed_over_and_answered),
		TEST(a_command_that_nobody_takes_is_withdrawn),
		TEST(a_commands_subfolder_is_part_of_a_topic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
