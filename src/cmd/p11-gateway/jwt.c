#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "pki/cert.h"

struct jwt_values {
	struct token_options token;
	char *aud;
	long lifetime_s;
	struct setting_list claims;
	struct setting_list headers;
	char *alg;
	bool x5c;
};

static const struct setting settings[] = {
	TOKEN_SETTINGS,
	{"aud", 'a', SETTING_TEXT, offsetof(struct jwt_values, aud), .value = "TEXT",
		.help = "who the token is for: the project's id"},
	{"lifetime", 0, SETTING_DURATION, offsetof(struct jwt_values, lifetime_s), .preset = "1h",
		.min = 1, .max = JWT_LIFETIME_MAX_S, .value = "TIME",
		.help = "how long it is valid: 90s, 15m, 24h"},
	{"claim", 0, SETTING_LIST, offsetof(struct jwt_values, claims), .value = "NAME=TEXT",
		.help = "a claim more; NAME:=JSON for other types; repeatable"},
	{"header", 0, SETTING_LIST, offsetof(struct jwt_values, headers), .value = "NAME=TEXT",
		.help = "a header more, such as kid; NAME:=JSON likewise; repeatable"},
	{"alg", 0, SETTING_CHOICE, offsetof(struct jwt_values, alg), .words = "RS256 ES256 ES384",
		.value = "ALG", .help = "refuse a key of another algorithm; it follows the key"},
	{"x5c", 0, SETTING_FLAG, offsetof(struct jwt_values, x5c),
		.help = "put the key's certificate, from the token, into the header"},
	{NULL},
};

/* What is signed, what must fit the key (NULL without), and the token. */
struct work {
	json_t *header;
	json_t *claims;
	const char *alg;
	X509 *cert;
	char *jwt;
};

static int
sign(EVP_PKEY *key, void *with, struct fault *f)
{
	struct work *w = with;
	enum jwt_alg alg;

	if (jwt_alg_of_key(key, &alg, f))
		return -1;
	if (w->alg && strcmp(w->alg, jwt_alg_name(alg)) != 0)
		return fault_set(
			f, FAULT_USAGE, "--alg %s: this key signs %s", w->alg, jwt_alg_name(alg));
	if (w->cert && cert_check_key(w->cert, key, f))
		return fault_prefix(f, "--x5c");
	return jwt_sign(w->header, w->claims, key, &w->jwt, f);
}

static void
work_clear(struct work *w)
{
	json_decref(w->header);
	json_decref(w->claims);
	X509_free(w->cert);
	secret_free(w->jwt);
}

static int
run(void *values, int argc, char **argv, struct fault *f)
{
	struct jwt_values *v = values;
	AUTO(work_clear) struct work w = {.header = json_object(), .alg = v->alg};

	(void)argc, (void)argv;
	if (!w.header)
		return fault_nomem(f);
	if (require("aud", v->aud, f) || (v->x5c && add_x5c(&v->token, w.header, &w.cert, f)) ||
		jwt_claims(v->aud, v->lifetime_s, time(NULL), &w.claims, f) ||
		jwt_members_add(w.claims, v->claims.items, v->claims.n, f) ||
		jwt_members_add(w.header, v->headers.items, v->headers.n, f) ||
		use_key(&v->token, sign, &w, f))
		return -1;
	puts(w.jwt);
	return 0;
}

const struct command command_jwt = {
	.name = "jwt",
	.operands = "",
	.settings = settings,
	.values_size = sizeof(struct jwt_values),
	.summary = "Sign a JSON Web Token with the key and print it",
	.description =
		"The claims are aud, iat (now) and exp; RS256 for RSA keys, ES256 and ES384 for\n"
		"EC keys. Whoever has the token can act as the device until it ends.",
	.run = run,
};
