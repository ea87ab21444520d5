#include "config.h"

#include "base/command.h"

#include "commands.h"

int
main(int argc, char **argv)
{
	const struct command commands[] = {
		command_tokens,
		command_keygen,
		command_csr,
		command_selfsign,
		command_pubkey,
		command_cert_import,
		command_cert_export,
		command_cert_show,
		command_cert_delete,
		command_jwt,
		command_publish,
		command_run(),
		command_status,
		command_spool_show,
		command_spool_list,
		command_spool_export,
		command_spool_forget,
		{NULL},
	};
	const struct program program = {
		.name = "p11-gateway",
		.synopsis = "an MQTT identity whose private key never leaves its PKCS#11 token",
		.commands = commands,
		.see_also = "See also p11-gateway(1), p11-registry(1).\n",
	};

	return command_main(&program, argc, argv);
}
