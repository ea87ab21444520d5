#include "config.h"

#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"

static void
warn(const char *text)
{
	log_warn("%s", text);
}

struct token_source
token_source_of(const struct token_options *options)
{
	return (struct token_source){
		.module = options->module,
		.pin_source = options->pin_source,
		.warn = warn,
	};
}

int
require(const char *name, const char *value, struct fault *f)
{
	if (value && *value)
		return 0;
	return fault_set(f, FAULT_USAGE, "--%s is missing", name);
}

static int
require_key(const struct token_options *options, struct fault *f)
{
	if (options->key && *options->key)
		return 0;
	return fault_set(f, FAULT_USAGE,
		"--key is missing: name the key, as in --key "
		"'pkcs11:token=gw;object=device'");
}

int
open_token(const struct token_options *options, struct token **ret_token, struct fault *f)
{
	const struct token_source source = token_source_of(options);

	if (require_key(options, f))
		return -1;
	return token_open(options->key, &source, ret_token, f);
}

int
use_key(const struct token_options *options, int (*use)(EVP_PKEY *key, void *with, struct fault *f),
	void *with, struct fault *f)
{
	const struct token_source source = token_source_of(options);

	if (require_key(options, f))
		return -1;
	return token_use_key(options->key, &source, use, with, f);
}

int
put_text(const char *path, const char *text, struct fault *f)
{
	return file_write(path, 0644, text, strlen(text), f);
}

int
put_json(const json_t *json, struct fault *f)
{
	AUTO(auto_free) char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	if (!text)
		return fault_nomem(f);
	if (puts(text) < 0)
		return fault_errno(f, "cannot write to standard output");
	return 0;
}
