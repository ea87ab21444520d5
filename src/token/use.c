#include "config.h"

#include "token/inside.h"

#include "base/auto.h"
#include "base/log.h"

static int
use_once(struct token *token, int (*use)(EVP_PKEY *key, void *with, struct fault *f), void *with,
	struct fault *f)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;

	if (token_private_key(token, &key, f))
		return -1;
	if (use(key, with, f))
		return token_explain(f);
	return 0;
}

int
token_use_key(const char *uri, const struct token_source *source,
	int (*use)(EVP_PKEY *key, void *with, struct fault *f), void *with, struct fault *f)
{
	AUTO(auto_token) struct token *token = NULL;
	int tries = 0;

	if (token_open(uri, source, &token, f))
		return -1;
	if (use_once(token, use, with, f) == 0)
		return 0;
	if (f->code != FAULT_TOKEN)
		return -1;
	do {
		log_debug("%s: once more after a new login", f->text);
		if (token_relogin(token, f))
			return -1;
		if (use_once(token, use, with, f) == 0)
			return 0;
	} while (f->code == FAULT_TOKEN && token_begin_anew(token, &tries));
	return -1;
}
