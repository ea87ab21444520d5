/* Whatever a client sends as its password is parsed, verified and judged. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "jwt/jwt.h"
#include "jwt/x5c.h"
#include "registry/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_x5c(const json_t *header)
{
	AUTO(auto_free) unsigned char *der = NULL;
	struct fault f = FAULT_INIT;
	json_t *again;
	size_t len;

	if (x5c_first(header, &der, &len, &f))
		return;
	/* What was taken is the one way to write it. */
	again = json_object();
	if (x5c_add(again, der, len, &f) ||
		!json_equal(json_array_get(json_object_get(again, "x5c"), 0),
			json_array_get(json_object_get(header, "x5c"), 0)))
		abort();
	json_decref(again);
}

/* What is accepted strictly has the same meaning without that. */
static void
try_strict(const struct jwt *jwt, const char *data, size_t size)
{
	struct fault f = FAULT_INIT;
	struct jwt strict = {0};
	time_t until, again;

	if (jwt_parse(data, size, true, &strict, &f))
		return;
	if (!json_equal(jwt->claims, strict.claims) || jwt->signature_len != strict.signature_len ||
		memcmp(jwt->signature, strict.signature, strict.signature_len) != 0)
		abort();
	if (rules_check_claims(
		    strict.claims, "project", 1300819370, RULES_SKEW_S, true, &until, &f) == 0 &&
		(rules_check_claims(
			 jwt->claims, "project", 1300819370, RULES_SKEW_S, false, &again, &f) ||
			again != until))
		abort();
	jwt_clear(&strict);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static EVP_PKEY *p256, *rsa;
	struct fault f = FAULT_INIT;
	struct jwt jwt = {0};
	time_t until;

	if (!p256)
		p256 = EVP_EC_gen("P-256");
	if (!rsa)
		rsa = EVP_RSA_gen(2048);
	if (jwt_parse((const char *)data, size, false, &jwt, &f) == 0) {
		/* A fresh key signed none of this. */
		if (jwt_verify(&jwt, p256, &f) == 0 || jwt_verify(&jwt, rsa, &f) == 0)
			abort();
		try_x5c(jwt.header);
		try_strict(&jwt, (const char *)data, size);
		rules_check_claims(
			jwt.claims, "project", 1300819370, RULES_SKEW_S, false, &until, &f);
		jwt_clear(&jwt);
	}
	return 0;
}
