#include "config.h"

#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/file.h"
#include "base/log.h"
#include "jwt/jwt.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/describe.h"

struct cert {
	struct token_options token;
	char *output;
	char *format;
};

static const struct setting import_settings[] = {TOKEN_SETTINGS, {NULL}};

static const struct setting export_settings[] = {
	TOKEN_SETTINGS,
	{"output", 'o', SETTING_TEXT, offsetof(struct cert, output), .value = "FILE",
		.help = "where to write the certificate; standard output without it"},
	{NULL},
};

static const struct setting show_settings[] = {
	TOKEN_SETTINGS,
	{"format", 0, SETTING_CHOICE, offsetof(struct cert, format), .preset = "text",
		.words = "text json", .value = "FORMAT", .help = "for people or for programs"},
	{NULL},
};

static int
import(void *values, int argc, char **argv, struct fault *f)
{
	struct cert *v = values;
	AUTO(auto_free) char *data = NULL;
	AUTO(auto_certs) STACK_OF(X509) *certs = NULL;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_free) char *uri = NULL;
	size_t len;

	(void)argc;
	if (file_read(argv[0], BUNDLE_MAX, &data, &len, f))
		return -1;
	if (bundle_read(data, len, &certs, f))
		return fault_prefix(f, "'%s'", argv[0]);
	if (open_token(&v->token, &token, f))
		return -1;
	if (token_certificate_import(token, certs, &uri, f))
		return fault_prefix(f, "'%s'", argv[0]);
	puts(uri);
	return 0;
}

static int
open_certificate(const struct token_options *options, X509 **ret_cert, struct fault *f)
{
	AUTO(auto_token) struct token *token = NULL;

	if (open_token(options, &token, f))
		return -1;
	return token_certificate(token, ret_cert, f);
}

static int export(void *values, int argc, char **argv, struct fault *f)
{
	struct cert *v = values;
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_free) char *pem = NULL;

	(void)argc, (void)argv;
	if (open_certificate(&v->token, &cert, f) || cert_pem(cert, &pem, f))
		return -1;
	return put_text(v->output, pem, f);
}

static int
show(void *values, int argc, char **argv, struct fault *f)
{
	struct cert *v = values;
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_json) json_t *about = NULL;
	const char *name;
	json_t *value;

	(void)argc, (void)argv;
	if (open_certificate(&v->token, &cert, f) || cert_describe(cert, time(NULL), &about, f))
		return -1;
	if (strcmp(v->format, "json") == 0)
		return put_json(about, f);
	if (make_fit(about, f))
		return -1;
	json_object_foreach(about, name, value)
	{
		if (json_is_integer(value))
			printf("%-20s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(value));
		else
			printf("%-20s %s\n", name, json_string_value(value));
	}
	return 0;
}

static int delete (void *values, int argc, char **argv, struct fault *f)
{
	struct cert *v = values;
	AUTO(auto_token) struct token *token = NULL;

	(void)argc, (void)argv;
	if (open_token(&v->token, &token, f) || token_certificate_delete(token, f))
		return -1;
	log_info("deleted the certificate; the key is still there");
	return 0;
}

const struct command command_cert_import = {
	.name = "cert import",
	.operands = "FILE",
	.min = 1,
	.max = 1,
	.settings = import_settings,
	.values_size = sizeof(struct cert),
	.summary = "Put the key's certificate into the token and print its URI",
	.description =
		"FILE is what the CA sent: PEM, DER, PKCS#7, or base64 without PEM lines. - is\n"
		"standard input. It may hold a whole chain; only the key's certificate is\n"
		"imported. A file without one is refused. The key's older certificates are\n"
		"removed only after the new one is in the token.",
	.run = import,
};

const struct command command_cert_export = {
	.name = "cert export",
	.operands = "",
	.settings = export_settings,
	.values_size = sizeof(struct cert),
	.summary = "Write the key's certificate as PEM",
	.run = export,
};

const struct command command_cert_show = {
	.name = "cert show",
	.operands = "",
	.settings = show_settings,
	.values_size = sizeof(struct cert),
	.summary = "Show whose the key's certificate is and how long it is valid",
	.run = show,
};

const struct command command_cert_delete = {
	.name = "cert delete",
	.operands = "",
	.settings = import_settings,
	.values_size = sizeof(struct cert),
	.summary = "Delete the key's certificate from the token; the key stays",
	.run = delete,
};
