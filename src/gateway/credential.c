#include "config.h"

#include "gateway/credential.h"

#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "token/token.h"

struct work {
	json_t *header;
	json_t *claims;
	char *jwt;
};

static void
work_clear(struct work *w)
{
	json_decref(w->header);
	json_decref(w->claims);
	secret_free(w->jwt);
}

static int
sign(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;

	return jwt_sign(w->header, w->claims, key, &w->jwt, f);
}

static void
warn(const char *text)
{
	log_debug("%s", text);
}

static long
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
credential_sign(const struct gateway_settings *settings, const char *key, struct credential *ret,
	struct fault *f)
{
	const struct token_source source = {
		.module = settings->token.module,
		.pin_source = settings->token.pin_source,
		.warn = warn,
	};
	const struct setting_list *claims = &settings->uplink.claim,
				  *headers = &settings->uplink.header;
	const char *audience = settings->uplink.audience ? settings->uplink.audience : "";
	AUTO(work_clear) struct work w = {.header = json_object()};
	time_t now = time(NULL);
	long began_ms = now_ms();

	if (!w.header)
		return fault_nomem(f);
	if (jwt_claims(audience, settings->uplink.lifetime_s, now, &w.claims, f))
		return -1;
	if (!*audience)
		json_object_del(w.claims, "aud");
	if (jwt_members_add(w.claims, claims->items, claims->n, f) ||
		jwt_members_add(w.header, headers->items, headers->n, f) ||
		token_use_key(key, &source, sign, &w, f))
		return -1;
	credential_clear(ret);
	*ret = (struct credential){
		.jwt = TAKE(w.jwt),
		.issued = now,
		.expires = now + settings->uplink.lifetime_s,
		.took_ms = now_ms() - began_ms,
	};
	return 0;
}

void
credential_clear(struct credential *credential)
{
	secret_free(credential->jwt);
	*credential = (struct credential){0};
}
