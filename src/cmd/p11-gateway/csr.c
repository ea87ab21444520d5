#include "config.h"

#include "commands.h"

#include "base/auto.h"
#include "pki/cert.h"
#include "pki/name.h"

struct csr {
	struct token_options token;
	char *subject;
	struct setting_list san;
	char *output;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"subject", 's', SETTING_TEXT, offsetof(struct csr, subject), .value = "NAME",
		.help = "the subject, as in /CN=gw1/O=Acme"},
	{"san", 0, SETTING_LIST, offsetof(struct csr, san), .value = "NAME",
		.help = "an alternative name: dns:, ip:, uri: or email: before it; repeatable"},
	{"output", 'o', SETTING_TEXT, offsetof(struct csr, output), .value = "FILE",
		.help = "where to write the request; standard output without it"},
	{NULL},
};

/* What the request is made of, and what was made. */
struct work {
	X509_NAME *subject;
	GENERAL_NAMES *san;
	X509_REQ *csr;
};

static int
make(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;

	return cert_request(key, w->subject, w->san, &w->csr, f);
}

static void
work_clear(struct work *w)
{
	X509_NAME_free(w->subject);
	GENERAL_NAMES_free(w->san);
	X509_REQ_free(w->csr);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct csr *v = values;
	AUTO(work_clear) struct work w = {NULL, NULL, NULL};
	AUTO(auto_free) char *pem = NULL;

	(void)argc, (void)argv;
	if (require("subject", v->subject, f) || name_parse(v->subject, &w.subject, f) ||
		name_parse_alternatives(v->san.items, v->san.n, &w.san, f) ||
		use_key(&v->token, make, &w, f) || cert_request_pem(w.csr, &pem, f))
		return -1;
	return put_text(v->output, pem, f);
}

const struct command command_csr = {
	.name = "csr",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct csr),
	.summary = "Make a certificate request signed by the key, for a CA",
	.run = run,
};
