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

/* What the certificate is made of, and what was made. */
struct work {
	X509_NAME *subject;
	GENERAL_NAMES *san;
	int days;
	X509 *cert;
};

static int
make(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;

	return cert_selfsign(key, w->subject, w->san, w->days, time(NULL), &w->cert, f);
}

static void
work_clear(struct work *w)
{
	X509_NAME_free(w->subject);
	GENERAL_NAMES_free(w->san);
	X509_free(w->cert);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct selfsign *v = values;
	AUTO(work_clear) struct work w = {.days = (int)v->days};
	AUTO(auto_free) char *pem = NULL;

	(void)argc, (void)argv;
	if (require("subject", v->subject, f) || name_parse(v->subject, &w.subject, f) ||
		name_parse_alternatives(v->san.items, v->san.n, &w.san, f) ||
		use_key(&v->token, make, &w, f) || cert_pem(w.cert, &pem, f))
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
