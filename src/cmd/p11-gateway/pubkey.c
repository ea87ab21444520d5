#include "config.h"

#include "commands.h"

#include <stdlib.h>
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

/* The format asked for, and the key in it, ending in a line end. */
struct work {
	const char *format;
	char *text;
};

static int
format_key(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;
	AUTO(auto_json) json_t *jwk = NULL;
	AUTO(auto_free) char *json = NULL;

	if (strcmp(w->format, "pem") == 0)
		return key_public_pem(key, &w->text, f);
	if (key_public_jwk(key, &jwk, f))
		return -1;
	json = json_dumps(jwk, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	if (!json || asprintf(&w->text, "%s\n", json) < 0) {
		w->text = NULL;
		return fault_nomem(f);
	}
	return 0;
}

static void
work_clear(struct work *w)
{
	free(w->text);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct pubkey *v = values;
	AUTO(work_clear) struct work w = {.format = v->format};

	(void)argc, (void)argv;
	if (use_key(&v->token, format_key, &w, f))
		return -1;
	return put_text(v->output, w.text, f);
}

const struct command command_pubkey = {
	.name = "pubkey",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct pubkey),
	.summary = "Print the key's public half as PEM or JWK",
	.run = run,
};
