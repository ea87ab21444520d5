#include "config.h"

#include "gateway/credential.h"

#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
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
	w->signed_us = clock_us(CLOCK_MONOTONIC);
	w->certificate_ends = certificate_ends(key);
	return 0;
}

/* A key's own pin-source comes before the setting. */
static int
blame(const struct gateway_settings *settings, const char *key, struct fault *f)
{
	const struct token_source module = {.module = settings->token.module};

	if (f->code == FAULT_NOTFOUND && token_check(NULL, &module, NULL))
		return gateway_settings_blame(settings, "token.module", 0, f);
	switch (f->code) {
	case FAULT_NOTFOUND:
	case FAULT_USAGE:
	case FAULT_AMBIGUOUS:
	case FAULT_INVALID:
	case FAULT_REFUSED:
		return gateway_settings_blame(settings,
			key == settings->token.key ? "token.key" : "token.device-key", 0, f);
	case FAULT_CONFIG:
		if (settings->token.pin_source && !strstr(key, "pin-source="))
			return gateway_settings_blame(settings, "token.pin-source", 0, f);
		return -1;
	default:
		return -1;
	}
}

static void
warn(const char *text)
{
	log_debug("%s", text);
}

static int
add_claims(const struct gateway_settings *settings, json_t *claims, struct fault *f)
{
	const struct setting_list *list = &settings->uplink.claim;

	for (size_t i = 0; i < list->n; i++) {
		if (jwt_members_add(claims, &list->items[i], 1, f))
			return gateway_settings_blame(settings, "uplink.claim", i, f);
	}
	return 0;
}

static int
add_headers(const struct gateway_settings *settings, json_t *header, struct fault *f)
{
	const struct setting_list *list = &settings->uplink.header;

	for (size_t i = 0; i < list->n; i++) {
		int rc = jwt_members_add(header, &list->items[i], 1, f);

		if (!rc && json_object_get(header, "alg"))
			rc = fault_set(f, FAULT_USAGE, "'alg' follows the key");
		if (rc)
			return gateway_settings_blame(settings, "uplink.header", i, f);
	}
	return 0;
}

int
credential_compose(const struct gateway_settings *settings, time_t now, json_t **ret_header,
	json_t **ret_claims, struct fault *f)
{
	const char *audience = settings->uplink.audience ? settings->uplink.audience : "";
	AUTO(auto_json) json_t *header = json_object();
	AUTO(auto_json) json_t *claims = NULL;

	if (!header)
		return fault_nomem(f);
	if (jwt_claims(audience, settings->uplink.lifetime_s, now, &claims, f))
		return f && f->code == FAULT_USAGE
			       ? gateway_settings_blame(settings, "uplink.audience", 0, f)
			       : -1;
	if (!*audience)
		json_object_del(claims, "aud");
	if (add_claims(settings, claims, f) || add_headers(settings, header, f))
		return -1;
	*ret_header = TAKE(header);
	*ret_claims = TAKE(claims);
	return 0;
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
	AUTO(work_clear) struct work w = {0};
	time_t now = time(NULL);
	int64_t began_us = clock_us(CLOCK_MONOTONIC);

	if (credential_compose(settings, now, &w.header, &w.claims, f))
		return -1;
	if (token_use_key(key, &source, sign, &w, f))
		return blame(settings, key, f);
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
