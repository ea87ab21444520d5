#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "gateway/check.h"
#include "gateway/gateway.h"

struct run {
	struct gateway_settings settings;
	bool check;
};

/* Rows of the table before those of the settings. */
#define OWN_ROWS 2

static struct setting table[OWN_ROWS + GATEWAY_SETTINGS_MAX + 1] = {
	{"config", 'c', SETTING_TEXT, offsetof(struct run, settings.file), .value = "FILE",
		.help = "settings: [SECTION] and NAME = VALUE; see p11-gateway.conf(5)"},
	{"check", 0, SETTING_FLAG, offsetof(struct run, check),
		.help = "only check the settings and the files that they name"},
};

/* The command line of the start; it comes before the file at each reload too. */
static struct {
	int argc;
	char **argv;
} given;

static void
fill_table(void)
{
	for (size_t i = 0; i < GATEWAY_SETTINGS_MAX && gateway_settings_table[i].name; i++) {
		table[OWN_ROWS + i] = gateway_settings_table[i];
		table[OWN_ROWS + i].offset += offsetof(struct run, settings);
	}
}

/* The file's name without folder and end, for an uplink that has no other. */
static void
name_of(const char *path, char *ret, size_t size)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *end = strrchr(base, '.');

	snprintf(ret, size, "%.*s", end && end != base ? (int)(end - base) : (int)strlen(base),
		base);
}

/* The environment and presets, the file when there is one, and the command line, in this order. */
static int
read_layers(
	struct run *v, const char *file, int argc, char **argv, int *ret_operands, struct fault *f)
{
	struct setting_origin origins[OWN_ROWS + GATEWAY_SETTINGS_MAX] = {0};
	struct setting_origin *theirs = origins + OWN_ROWS;
	const size_t size = sizeof(v->settings.origins);

	if (setting_preset(table, v, origins, f))
		return -1;
	memcpy(v->settings.origins, theirs, size);
	if (file && gateway_settings_read(file, &v->settings, f))
		return -1;
	memcpy(theirs, v->settings.origins, size);
	if (setting_parse(table, v, origins, argc, argv, ret_operands, f))
		return -1;
	memcpy(v->settings.origins, theirs, size);
	return 0;
}

/* The settings as they are used: `run`, `run --check` and SIGHUP get the same values or fault. */
static int
read_all(struct run *v, int argc, char **argv, int *ret_operands, struct fault *f)
{
	AUTO(auto_free) char *file = NULL;
	char name[256];

	if (read_layers(v, NULL, argc, argv, ret_operands, f))
		return -1;
	if (v->settings.file) {
		file = TAKE(v->settings.file);
		name_of(file, name, sizeof(name));
		setting_clear(table, v);
		*v = (struct run){0};
		if (read_layers(v, file, argc, argv, ret_operands, f))
			return -1;
	}
	if (gateway_settings_finish(&v->settings, file ? name : NULL, f))
		return -1;
	return gateway_check(&v->settings, f);
}

static int
load(void *values, int argc, char **argv, int *ret_operands, struct fault *f)
{
	given.argc = argc;
	given.argv = argv;
	return read_all(values, argc, argv, ret_operands, f);
}

static int
reload(void *with, struct gateway_settings *values, struct fault *f)
{
	struct run v = {0};
	int operands, rc = read_all(&v, given.argc, given.argv, &operands, f);

	(void)with;
	if (!rc) {
		*values = v.settings;
		v.settings = (struct gateway_settings){0};
	}
	setting_clear(table, &v);
	return rc;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct run *v = values;

	(void)argc, (void)argv;
	if (v->check) {
		puts("the settings are right");
		return 0;
	}
	return gateway_run(&v->settings, reload, NULL, f);
}

struct command
command_run(void)
{
	fill_table();
	return (struct command){
		.name = "run",
		.operands = "",
		.settings = table,
		.values_size = sizeof(struct run),
		.summary = "Carry a site's devices to the cloud, until stopped",
		.description = "Takes what p11_site.so put into the spool to the cloud, and config "
			       "and commands\n"
			       "back. Every setting of the file may also be given here, as "
			       "--SECTION.NAME=VALUE.\n"
			       "SIGHUP reads the settings again; SIGTERM ends in order.",
		.load = load,
		.run = run,
	};
}
