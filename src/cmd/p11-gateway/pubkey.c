#include "config.h"

#include "commands.h"

#include <string.h>

#include "base/auto.h"
#include "jwt/jwt.h"
#include "pki/key.h"

struct pubkey {
	struct token_options token;
	char *format;
	char *output;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"format", 0, SETTING_CHOICE, offsetof(struct pubkey, format), .preset = "pem",
		.words = "pem jwk", .value = "FORMAT", .help = "how to write the key"},
	{"output", 'o', SETTING_TEXT, offsetof(struct pubkey, output), .value = "FILE",
		.help = "where to write it; standard output without it"},
	{NULL},
};

/* The key in the format asked for, ending in a line end. */
static int
format_key(EVP_PKEY *key, const char *format, char **ret_text, struct fault *f)
{
	AUTO(auto_json) json_t *jwk = NULL;
	AUTO(auto_free) char *json = NULL;

	if (strcmp(format, "pem") == 0)
		return key_public_pem(key, ret_text, f);
	if (key_public_jwk(key, &jwk, f))
		return -1;
	json = json_dumps(jwk, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	if (!json || asprintf(ret_text, "%s\n", json) < 0)
		return fault_nomem(f);
	return 0;
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct pubkey *v = values;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_free) char *text = NULL;

	(void)argc, (void)argv;
	if (open_key(&v->token, &token, &key, f) || format_key(key, v->format, &text, f))
		return -1;
	return put_text(v->output, text, f);
}

const struct command command_pubkey = {
	.name = "pubkey",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct pubkey),
	.summary = "Print the key's public half as PEM or JWK",
	.run = run,
};
