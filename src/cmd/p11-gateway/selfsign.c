#include "config.h"

#include "commands.h"

#include "base/auto.h"
#include "pki/cert.h"
#include "pki/name.h"

struct selfsign {
	struct token_options token;
	char *subject;
	struct setting_list san;
	long days;
	char *output;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"subject", 's', SETTING_TEXT, offsetof(struct selfsign, subject), .value = "NAME",
		.help = "the subject, as in /CN=gw1/O=Acme"},
	{"san", 0, SETTING_LIST, offsetof(struct selfsign, san), .value = "NAME",
		.help = "an alternative name: dns:, ip:, uri: or email: before it; repeatable"},
	{"days", 0, SETTING_NUMBER, offsetof(struct selfsign, days), .preset = "365", .min = 1,
		.max = 36500, .value = "N", .help = "how many days it is valid"},
	{"output", 'o', SETTING_TEXT, offsetof(struct selfsign, output), .value = "FILE",
		.help = "where to write the certificate; standard output without it"},
	{NULL},
};

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct selfsign *v = values;
	AUTO(auto_x509_name) X509_NAME *subject = NULL;
	AUTO(auto_general_names) GENERAL_NAMES *san = NULL;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_free) char *pem = NULL;

	(void)argc, (void)argv;
	if (require("subject", v->subject, f) || name_parse(v->subject, &subject, f) ||
		name_parse_alternatives(v->san.items, v->san.n, &san, f) ||
		open_key(&v->token, &token, &key, f) ||
		cert_selfsign(key, subject, san, (int)v->days, time(NULL), &cert, f) ||
		cert_pem(cert, &pem, f))
		return -1;
	return put_text(v->output, pem, f);
}

const struct command command_selfsign = {
	.name = "selfsign",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct selfsign),
	.summary = "Make a certificate signed by the key itself",
	.description = "For a registry without a CA. It is written out, not put into the token:\n"
		       "'cert import' does that.",
	.run = run,
};
