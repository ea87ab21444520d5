#include "config.h"

#include "commands.h"

#include "base/auto.h"

struct state {
	struct place place;
	char *device;
};

static const struct setting list_settings[] = {
	REGISTRY_SETTINGS,
	{"device", 0, SETTING_TEXT, offsetof(struct state, device), .value = "ID",
		.help = "the device's id"},
	{NULL},
};

static int
list(void *values, int argc, char **argv, struct fault *f)
{
	static const struct column columns[] = {
		{"UPDATE_TIME", "updateTime"}, {"DATA", "binaryData"}, {NULL}};
	struct state *v = values;
	AUTO(auto_registry) struct registry *registry = NULL;
	AUTO(auto_json) json_t *all = NULL;
	struct rules_client at;

	(void)argc, (void)argv;
	if (require("device", v->device, f) ||
		name_things(&v->place, v->place.registry, v->device, &at, f) ||
		open_registry(&v->place, &registry, f) || store_state_list(registry, &at, &all, f))
		return -1;
	if (!is_json(&v->place) && show_texts(all, "binaryData", f))
		return -1;
	return put_list(&v->place, all, columns, f);
}

const struct command command_states_list = {
	.name = "devices states list",
	.operands = "",
	.settings = list_settings,
	.values_size = sizeof(struct state),
	.summary = "List a device's newest ten states",
	.run = list,
};
