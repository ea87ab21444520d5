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

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct csr *v = values;
	AUTO(auto_x509_name) X509_NAME *subject = NULL;
	AUTO(auto_general_names) GENERAL_NAMES *san = NULL;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_csr) X509_REQ *csr = NULL;
	AUTO(auto_free) char *pem = NULL;

	(void)argc, (void)argv;
	if (require("subject", v->subject, f) || name_parse(v->subject, &subject, f) ||
		name_parse_alternatives(v->san.items, v->san.n, &san, f) ||
		open_key(&v->token, &token, &key, f) || cert_request(key, subject, san, &csr, f) ||
		cert_request_pem(csr, &pem, f))
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
