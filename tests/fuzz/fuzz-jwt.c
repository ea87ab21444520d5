/* Whatever a client sends as its password is parsed, verified and judged. */
#include "config.h"

#include <stdint.h>
#include <stdlib.h>

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
	if (jwt_parse((const char *)data, size, &jwt, &f) == 0) {
		/* A fresh key signed none of this. */
		if (jwt_verify(&jwt, p256, &f) == 0 || jwt_verify(&jwt, rsa, &f) == 0)
			abort();
		try_x5c(jwt.header);
		rules_check_claims(jwt.claims, "project", 1300819370, RULES_SKEW_S, &until, &f);
		jwt_clear(&jwt);
	}
	return 0;
}
