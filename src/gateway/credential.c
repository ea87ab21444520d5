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
	int64_t signed_us;
	time_t certificate_ends;
};

static void
work_clear(struct work *w)
{
	json_decref(w->header);
	json_decref(w->claims);
	secret_free(w->jwt);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static time_t
certificate_ends(EVP_PKEY *key)
{
	AUTO(auto_x509) X509 *cert = NULL;
	struct fault f = FAULT_INIT;
	struct tm end;

	if (token_key_certificate(key, &cert, &f) == 0)
		return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end) ? timegm(&end) : -1;
	if (f.code == FAULT_NOTFOUND)
		return 0;
	log_debug("the certificate cannot be read: %s", f.text);
	return -1;
}

/* The certificate is read while the token is open anyway; nothing depends on it. */
static int
sign(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;

	if (jwt_sign(w->header, w->claims, key, &w->jwt, f))
		return -1;
	w->signed_us = now_us();
	w->certificate_ends = certificate_ends(key);
	return 0;
}

static void
warn(const char *text)
{
	log_debug("%s", text);
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
	int64_t began_us = now_us();

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
		.took_us = w.signed_us - began_us,
		.certificate_ends = w.certificate_ends,
	};
	return 0;
}

void
credential_clear(struct credential *credential)
{
	secret_free(credential->jwt);
	*credential = (struct credential){0};
}
