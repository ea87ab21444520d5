#include "config.h"

#include "commands.h"

#include <string.h>
#include <time.h>

#include "base/auto.h"
#include "base/times.h"

#define LIMIT_MAX 1000000

struct logs {
	struct place place;
	char *device;
	char *since;
	char *class;
	long limit;
};

static const struct setting logs_settings[] = {
	REGISTRY_SETTINGS,
	{"device", 0, SETTING_TEXT, offsetof(struct logs, device), .value = "ID",
		.help = "one device's alone"},
	{"limit", 0, SETTING_NUMBER, offsetof(struct logs, limit), .preset = "100", .min = 1,
		.max = LIMIT_MAX, .value = "N", .help = "how many at most, the newest"},
	{"since", 0, SETTING_TEXT, offsetof(struct logs, since), .value = "TIME",
		.help = "from 2027-01-01T00:00:00Z on, or as long ago as 90s, 15m, 12h or 7d"},
	{"class", 0, SETTING_CHOICE, offsetof(struct logs, class), .value = "CLASS",
		.words = "operator device stranger", .help = "who caused the lines:"},
	{NULL},
};

/* A registry needs its region; without one the lines of the whole project are meant. */
static int
name_place(const struct logs *v, struct rules_client *ret, struct fault *f)
{
	struct rules_client at = {{0}, {0}, {0}, {0}};
	const char *region = v->place.region ? v->place.region : "";

	if (v->device || v->place.registry)
		return name_things(&v->place, v->place.registry, v->device, ret, f);
	if (rules_check_segment("project", v->place.project, f) ||
		(*region && rules_check_segment("region", region, f)))
		return -1;
	strcpy(at.project, v->place.project);
	strcpy(at.region, region);
	*ret = at;
	return 0;
}

static int
logs(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {{"TIME", "time"}, {"EVENT", "event"},
		{"REGISTRY", "registry"}, {"DEVICE", "device"}, {"DETAIL", "detail"}, {NULL}};
	struct logs *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct store_log_filter filter = {.limit = v->limit, .class = v->class};
	struct rules_client at;

	(void)argc, (void)argv;
	if ((v->since && times_read_since(v->since, time(NULL), &filter.since, f)) ||
		open_registry(&v->place, &registry, f) || name_place(v, &at, f) ||
		store_log_list(registry, &at, &filter, &all, f))
		return -1;
	return put_list(&v->place, all, columns, f);
}

const struct command command_logs = {
	.name = "logs",
	.operands = "",
	.settings = logs_settings,
	.values_size = sizeof(struct logs),
	.summary = "Show what happened to registries and devices",
	.description = "The newest line is the last. The file keeps the newest 100,000 lines that "
		       "operators\n"
		       "caused, 100,000 of devices and 10,000 of clients that were refused.",
	.run = logs,
};
