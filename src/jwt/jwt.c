#include "config.h"

#include "jwt/jwt.h"

#include <string.h>

#include "jwt/kind.h"

#define RSA_BITS_MIN 2048

const struct jwt_kind jwt_kinds[JWT_KINDS] = {
	[JWT_RS256] = {"RS256", EVP_PKEY_RSA, NULL, 0, EVP_sha256},
	[JWT_ES256] = {"ES256", EVP_PKEY_EC, "prime256v1", 32, EVP_sha256},
	[JWT_ES384] = {"ES384", EVP_PKEY_EC, "secp384r1", 48, EVP_sha384},
};

const char *
jwt_alg_name(enum jwt_alg alg)
{
	return jwt_kinds[alg].name;
}

bool
jwt_kind_fits(const struct jwt_kind *kind, const EVP_PKEY *key)
{
	char group[32];
	size_t len;

	if (EVP_PKEY_get_base_id(key) != kind->type)
		return false;
	if (!kind->group)
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
		       EVP_PKEY_get_size(key) <= (int)sizeof(((struct jwt *)0)->signature);
	return EVP_PKEY_get_group_name(key, group, sizeof(group), &len) &&
	       strcmp(group, kind->group) == 0;
}

int
jwt_alg_of_key(EVP_PKEY *key, enum jwt_alg *ret_alg, struct fault *f)
{
	for (int alg = 0; alg < JWT_KINDS; alg++) {
		if (jwt_kind_fits(&jwt_kinds[alg], key)) {
			*ret_alg = alg;
			return 0;
		}
	}
	return fault_set(f, FAULT_INVALID,
		"no algorithm of JSON Web Tokens fits the key: it must be RSA of 2048 bits or "
		"more, EC P-256 or EC P-384");
}
