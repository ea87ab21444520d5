#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "jwt/jwt.h"

struct tokens {
	struct token_options token;
	bool login;
	char *format;
};

static const struct setting settings[] = {
	TOKEN_SOURCE_SETTINGS,
	{"login", 'l', SETTING_FLAG, offsetof(struct tokens, login),
		.help = "offer the PIN, to see private keys; URI must name one token"},
	{"format", 0, SETTING_CHOICE, offsetof(struct tokens, format), .preset = "text",
		.words = "text json", .value = "FORMAT", .help = "for people or for programs"},
	{NULL},
};

static const char *const kinds[] = {
	[TOKEN_ITEM_TOKEN] = "token",
	[TOKEN_ITEM_PRIVATE_KEY] = "private-key",
	[TOKEN_ITEM_PUBLIC_KEY] = "public-key",
	[TOKEN_ITEM_CERTIFICATE] = "certificate",
};

static int
add(const struct token_item *item, void *with, struct fault *f)
{
	json_t *list = with;
	AUTO(auto_json)
	json_t *entry = json_pack("{s:s, s:s, s:s, s:s}", "kind", kinds[item->kind], "uri",
		item->uri, "label", item->label, "about", item->about);

	if (!entry)
		return fault_set(f, FAULT_TOKEN, "'%s' has a label that is not UTF-8", item->uri);
	if (item->kind == TOKEN_ITEM_PRIVATE_KEY &&
		(json_object_set_new(entry, "extractable", json_boolean(item->extractable)) ||
			json_object_set_new(entry, "sensitive", json_boolean(item->sensitive)) ||
			json_object_set_new(entry, "local", json_boolean(item->local))))
		return fault_nomem(f);
	if (json_array_append(list, entry))
		return fault_nomem(f);
	return 0;
}

static const char *
text_of(const json_t *entry, const char *name)
{
	return json_string_value(json_object_get(entry, name));
}

static void
print(const json_t *list)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry)
	{
		bool token = strcmp(text_of(entry, "kind"), kinds[TOKEN_ITEM_TOKEN]) == 0;

		printf("%s%-12s %s\n%s  %s\n", token ? "" : "  ", text_of(entry, "kind"),
			text_of(entry, "about"), token ? "" : "  ", text_of(entry, "uri"));
	}
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct tokens *v = values;
	const struct token_source source = token_source_of(&v->token);
	AUTO(auto_json) json_t *list = json_array();

	if (!list)
		return fault_nomem(f);
	if (token_list(argc ? argv[0] : NULL, &source, v->login, add, list, f))
		return -1;
	if (strcmp(v->format, "json") == 0)
		return put_json(list, f);
	if (json_array_size(list) == 0)
		log_info("no token is there: see 'pkcs11-setup' to make one ready, or name its "
			 "module "
			 "with --module");
	if (make_fit(list, f))
		return -1;
	print(list);
	return 0;
}

const struct command command_tokens = {
	.name = "tokens",
	.operands = "[URI]",
	.max = 1,
	.settings = settings,
	.values_size = sizeof(struct tokens),
	.summary = "List tokens and what lies in them, as URIs that the other commands take",
	.run = run,
};
