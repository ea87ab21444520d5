#include "config.h"

#include "commands.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/log.h"

struct keygen {
	struct token_options token;
	char *type;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"type", 't', SETTING_CHOICE, offsetof(struct keygen, type), .preset = "ec:p256",
		.words = "ec:p256 ec:p384 rsa:2048 rsa:3072", .value = "TYPE",
		.help = "what kind of key to make"},
	{NULL},
};

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct keygen *v = values;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_free) char *uri = NULL;

	(void)argc, (void)argv;
	if (open_token(&v->token, &token, f))
		return -1;
	if (token_keygen(token, v->type, &uri, f))
		return -1;
	log_info("made a key of type %s; it cannot leave the token", v->type);
	puts(uri);
	return 0;
}

const struct command command_keygen = {
	.name = "keygen",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct keygen),
	.summary = "Make a key pair inside the token and print its URI",
	.description =
		"--key names the token and, as object=LABEL, the new key; id=%01%02 gives it\n"
		"that id, otherwise a random one is made. Refused when a key or a certificate\n"
		"of that label or id is there: a key is never replaced.",
	.run = run,
};
