#include "config.h"

#include "commands.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/move.h"

struct export
{
	struct place place;
	char *to;
	char *output;
};

static const struct setting settings[] = {
	REGISTRY_SETTINGS,
	{"to", 0, SETTING_CHOICE, offsetof(struct export, to), .preset = "json-lines",
		.words = "json-lines emqx", .value = "FORM",
		.help = "for 'import', or for EMQX's gcp_device authenticator"},
	{"output", 'o', SETTING_TEXT, offsetof(struct export, output), .value = "FILE",
		.help = "where to; standard output without it"},
	{NULL},
};

/*
 * Where an export goes: a new file that takes the old one's place when it is whole.
 *
 * left  what EMQX's form has no place for
 */
struct sink {
	FILE *file;
	char *temporary;
	bool emqx;
	long devices;
	long left;
};

static void
sink_clear(struct sink *sink)
{
	if (sink->file && sink->file != stdout)
		fclose(sink->file);
	if (sink->temporary)
		unlink(sink->temporary);
	free(sink->temporary);
}

static int
sink_open(const char *output, struct sink *sink, struct fault *f)
{
	int fd;

	if (!output) {
		sink->file = stdout;
		return 0;
	}
	if (asprintf(&sink->temporary, "%s.XXXXXX", output) < 0) {
		sink->temporary = NULL;
		return fault_nomem(f);
	}
	/* Its owner's alone, as the registry is. */
	fd = mkostemp(sink->temporary, O_CLOEXEC);
	if (fd < 0) {
		int failed = errno;

		free(sink->temporary);
		sink->temporary = NULL;
		errno = failed;
		return fault_errno(f, "cannot write '%s'", output);
	}
	sink->file = fdopen(fd, "w");
	if (!sink->file) {
		close(fd);
		return fault_nomem(f);
	}
	return 0;
}

static int
sink_finish(const char *output, struct sink *sink, struct fault *f)
{
	if (fflush(sink->file) || ferror(sink->file))
		return fault_errno(f, "cannot write the export");
	if (!output)
		return 0;
	if (fsync(fileno(sink->file)) || rename(sink->temporary, output))
		return fault_errno(f, "cannot write '%s'", output);
	free(sink->temporary);
	sink->temporary = NULL;
	return 0;
}

static int
put(struct sink *sink, const json_t *value, struct fault *f)
{
	AUTO(auto_free) char *text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
	AUTO(auto_free) char *fit = text ? text_fit_json(text) : NULL;

	if (!fit)
		return fault_nomem(f);
	return fputs(fit, sink->file) == EOF ? fault_errno(f, "cannot write the export") : 0;
}

static int
put_device(const struct rules_client *at, const json_t *device, struct sink *sink, struct fault *f)
{
	AUTO(auto_json) json_t *entry = NULL;

	if (!sink->emqx) {
		sink->devices++;
		return put(sink, device, f) || putc('\n', sink->file) == EOF ? -1 : 0;
	}
	sink->left += json_object_get(device, "boundDevices") ||
		      json_object_get(device, "states") || json_object_get(device, "metadata");
	if (move_to_emqx(device, at, &entry, f))
		return -1;
	fputs(sink->devices++ ? ",\n" : "\n", sink->file);
	return put(sink, entry, f);
}

static int
put_devices(struct registry *registry, const struct rules_client *at, struct sink *sink,
	struct fault *f)
{
	char after[RULES_ID_MAX + 1] = "";

	for (;;) {
		AUTO(auto_json) json_t *batch = NULL;
		const json_t *device = NULL;
		size_t i;

		if (move_out_devices(registry, at, after, &batch, f))
			return -1;
		json_array_foreach(batch, i, device)
		{
			if (put_device(at, device, sink, f))
				return -1;
		}
		if (!device || json_array_size(batch) == 0)
			return 0;
		device = json_array_get(batch, json_array_size(batch) - 1);
		snprintf(after, sizeof(after), "%s",
			json_string_value(json_object_get(device, "id")));
	}
}

static int
put_all(struct registry *registry, const struct rules_client *at, struct sink *sink,
	struct fault *f)
{
	AUTO(auto_json) json_t *line = NULL;

	if (move_out_registry(registry, at, &line, f))
		return -1;
	if (sink->emqx)
		putc('[', sink->file);
	else if (put(sink, line, f) || putc('\n', sink->file) == EOF)
		return -1;
	if (put_devices(registry, at, sink, f))
		return -1;
	if (sink->emqx)
		fputs("\n]\n", sink->file);
	return 0;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct export *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(sink_clear) struct sink sink = {.emqx = strcmp(v->to, "emqx") == 0};
	struct rules_client at;

	(void)argc, (void)argv;
	if (name_things(&v->place, v->place.registry, NULL, &at, f) ||
		open_registry(&v->place, &registry, f) || sink_open(v->output, &sink, f) ||
		put_all(registry, &at, &sink, f) || sink_finish(v->output, &sink, f))
		return -1;
	log_info("exported %ld devices", sink.devices);
	if (sink.left)
		log_warn("EMQX has no place for bindings, metadata and states: %ld devices have "
			 "some",
			sink.left);
	return 0;
}

const struct command command_export = {
	.name = "export",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct export),
	.summary = "Write a registry and all of its devices as JSON",
	.description =
		"A line for the registry, then one for each device with its credentials, configs,\n"
		"states and, of a gateway, the devices bound to it. Messages that wait to be "
		"pulled\n"
		"are not among it.",
	.run = run,
};
