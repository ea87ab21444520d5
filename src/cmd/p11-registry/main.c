#include "config.h"

#include "base/command.h"

#include "commands.h"

int
main(int argc, char **argv)
{
	const struct command commands[] = {
		command_registries_create,
		command_registries_describe,
		command_registries_list,
		command_registries_update,
		command_registries_delete,
		command_cas_create,
		command_cas_describe,
		command_cas_list,
		command_cas_delete,
		command_devices_create,
		command_devices_describe,
		command_devices_list,
		command_devices_update,
		command_devices_delete,
		command_credentials_create,
		command_credentials_describe,
		command_credentials_list,
		command_credentials_update,
		command_credentials_delete,
		command_credentials_clear,
		command_configs_update,
		command_configs_describe,
		command_configs_get_value,
		command_configs_list,
		command_commands_send,
		command_states_list,
		command_gateways_bind,
		command_gateways_unbind,
		command_gateways_list,
		command_topics_create,
		command_topics_list,
		command_topics_delete,
		command_subscriptions_create,
		command_subscriptions_list,
		command_subscriptions_describe,
		command_subscriptions_delete,
		command_subscriptions_pull,
		command_logs,
		command_export,
		command_import,
		{NULL},
	};
	const struct program program = {
		.name = "p11-registry",
		.synopsis =
			"registries and devices for a broker that speaks Cloud IoT Core's protocol",
		.commands = commands,
		.see_also = "See also p11-registry(1), p11_registry.so(8).\n",
	};

	return command_main(&program, argc, argv);
}
