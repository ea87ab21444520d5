#include "config.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "plugin/broker_config.h"

#define OURS "plugin /usr/lib/p11_site.so\n"
#define EACH "per_listener_settings true\n"

static char folder[64], included[96];

static int
make_folder(void **state)
{
	(void)state;
	strcpy(folder, "test-broker-config.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(included, sizeof(included), "%s/conf.d", folder);
	return mkdir(included, 0700);
}

static void
write_text(const char *where, const char *name, const char *text)
{
	struct fault f = FAULT_INIT;
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", where, name);
	assert_ok(file_write(path, 0600, text, strlen(text), &f), &f);
}

static int
remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

static struct broker_config
config_in(const char *text)
{
	struct fault f = FAULT_INIT;
	struct broker_config config = {0};
	char path[160];

	write_text(folder, "mosquitto.conf", text);
	snprintf(path, sizeof(path), "%s/mosquitto.conf", folder);
	assert_ok(broker_config_read(path, "p11_site.so", &config, &f), &f);
	return config;
}

static void
it_is_what_mosquitto_reads(void **state)
{
	static const struct {
		const char *text;
		bool allowed;
	} rows[] = {
		{"", true},
		{"port 1883\n", false},
		{"listener 1883\n" OURS, false},
		{"listener 1883\nallow_anonymous true\n" OURS, true},
		{"listener 1883\nallow_anonymous 1\n" OURS, true},
		{"listener 1883\nallow_anonymous false\n" OURS, false},
		{"listener 1883\n" OURS "allow_anonymous true", true},
		{"listener 1883\r\nallow_anonymous true\r\n" OURS, true},
		{"  listener 1883\n  allow_anonymous   true  \n" OURS, true},
		{"listener 1883\n#allow_anonymous true\n" OURS, false},
		{"listener 1883\nallow_anonymous true\nallow_anonymous false\n" OURS, false},
		{"listener 1883\nallow_anonymous\n" OURS, false},
		{"listener 1883\nallow_anonymous_not true\n" OURS, false},
		/* Those of each listener, where they are the listener's. */
		{EACH "listener 1\nallow_anonymous true\n" OURS, true},
		{EACH "listener 1\n" OURS "allow_anonymous true\n", true},
		{EACH "listener 1\nallow_anonymous true\nlistener 2\n" OURS, false},
		{EACH "listener 1\n" OURS "listener 2\nallow_anonymous true\n", false},
		{EACH "listener 1\n" OURS "listener 2\nallow_anonymous true\n" OURS, true},
		{EACH "listener 1\nallow_anonymous true\n" OURS "listener 2\n", true},
		{EACH "listener 1\nallow_anonymous true\nplugin /x/other.so\n", false},
		{"per_listener_settings false\nlistener 1\nallow_anonymous true\nlistener 2\n" OURS,
			true},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (config_in(rows[i].text).allow_anonymous != rows[i].allowed)
			fail_msg("wrong for:\n%s", rows[i].text);
	}
}

static void
topics_are_denied_without_an_acl_file(void **state)
{
	static const struct {
		const char *text;
		bool denied;
	} rows[] = {
		{"listener 1\n" OURS, true},
		{"listener 1\n" OURS "acl_file /x\n", false},
		{"acl_file /x\nlistener 1\n" OURS, false},
		{"listener 1\n" OURS "#acl_file /x\n", true},
		{"listener 1\n" OURS "acl_file\n", true},
		{"listener 1\n" OURS "plugin /x/mosquitto_dynamic_security.so\n", false},
		{"listener 1\n", false},
		{EACH "listener 1\n" OURS, true},
		{EACH "listener 1\nacl_file /x\n" OURS, false},
		{EACH "listener 1\nacl_file /x\nlistener 2\n" OURS, true},
		{EACH "listener 1\n" OURS "listener 2\nacl_file /x\n", true},
		{EACH "listener 1\n" OURS "acl_file /x\nlistener 2\n", false},
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		if (config_in(rows[i].text).denies_topics != rows[i].denied)
			fail_msg("wrong for:\n%s", rows[i].text);
	}
}

static void
included_files_count_in_their_order(void **state)
{
	char text[160];

	(void)state;
	snprintf(text, sizeof(text), "listener 1\ninclude_dir %s\n", included);
	assert_false(config_in(text).allow_anonymous);
	write_text(included, "a.conf", "allow_anonymous true\n" OURS);
	write_text(included, "z.txt", "allow_anonymous false\n");
	assert_true(config_in(text).allow_anonymous);
	write_text(included, "b.conf", "allow_anonymous false\n");
	assert_false(config_in(text).allow_anonymous);
}

static void
a_file_that_cannot_be_read_is_a_fault(void **state)
{
	struct fault f = FAULT_INIT;
	struct broker_config config = {.allow_anonymous = true};

	(void)state;
	assert_fault(
		broker_config_read("no/such.conf", "p11_site.so", &config, &f), &f, FAULT_NOTFOUND);
	assert_true(config.allow_anonymous);
}

static void
the_file_is_named_on_the_command_line(void **state)
{
	static const char with[] = "mosquitto\0-v\0-c\0/etc/m.conf";
	static const char last[] = "mosquitto\0-c\0a\0--config-file\0b\0-d";
	static const char without[] = "mosquitto\0-p\0001883";
	static const char cut[] = "mosquitto\0-c";

	(void)state;
	assert_string_equal(broker_config_file(with, sizeof(with)), "/etc/m.conf");
	assert_string_equal(broker_config_file(last, sizeof(last)), "b");
	assert_null(broker_config_file(without, sizeof(without)));
	assert_null(broker_config_file(cut, sizeof(cut)));
	assert_null(broker_config_file("", 0));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		TEST(it_is_what_mosquitto_reads),
		TEST(topics_are_denied_without_an_acl_file),
		TEST(included_files_count_in_their_order),
		TEST(a_file_that_cannot_be_read_is_a_fault),
		cmocka_unit_test(the_file_is_named_on_the_command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
