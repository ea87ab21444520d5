#include "config.h"

#include "commands.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "jwt/jwt.h"

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

static int
put_json_as(const json_t *json, size_t flags, struct fault *f)
{
	AUTO(auto_free) char *text = json_dumps(json, flags | JSON_PRESERVE_ORDER);
	AUTO(auto_free) char *fit = text ? text_fit_json(text) : NULL;

	if (!fit)
		return fault_nomem(f);
	if (puts(fit) < 0)
		return fault_errno(f, "cannot write to standard output");
	return 0;
}

int
put_json(const json_t *json, struct fault *f)
{
	return put_json_as(json, JSON_INDENT(2), f);
}

int
put_json_line(const json_t *json, struct fault *f)
{
	return put_json_as(json, JSON_COMPACT, f);
}

static int
make_string_fit(json_t *string, struct fault *f)
{
	AUTO(auto_free)
	char *fit = text_fit(json_string_value(string), json_string_length(string));

	return fit && json_string_set(string, fit) == 0 ? 0 : fault_nomem(f);
}

static int
make_object_fit(json_t *object, struct fault *f)
{
	AUTO(auto_json) json_t *named = json_object();
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		AUTO(auto_free) char *fit = text_fit(name, strlen(name));

		if (make_fit(value, f))
			return -1;
		if (!fit || json_object_set(named, fit, value))
			return fault_nomem(f);
	}
	return json_object_clear(object) || json_object_update(object, named) ? fault_nomem(f) : 0;
}

int
make_fit(json_t *json, struct fault *f)
{
	json_t *value;
	size_t i;

	if (json_is_string(json))
		return make_string_fit(json, f);
	if (json_is_object(json))
		return make_object_fit(json, f);
	json_array_foreach(json, i, value)
	{
		if (make_fit(value, f))
			return -1;
	}
	return 0;
}
