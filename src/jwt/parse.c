#include "config.h"

#include "jwt/jwt.h"

#include <string.h>

#include "base/base64url.h"
#include "jwt/kind.h"

/* The length of a part without the padding that it may have. */
static size_t
unpadded_len(const char *text, size_t len, bool strict)
{
	return strict ? len : base64url_unpadded_len(text, len);
}

/* One part from base64url to a JSON object. */
static int
read_object(const char *what, const char *text, size_t len, bool strict, json_t **ret_object,
	struct fault *f)
{
	AUTO(auto_free) char *data = malloc(BASE64URL_DECODED_LEN(len) + 1);
	AUTO(auto_json) json_t *object = NULL;
	json_error_t error;
	size_t n;

	if (!data)
		return fault_nomem(f);
	if (base64url_decode(data, text, unpadded_len(text, len, strict), &n))
		return fault_set(
			f, FAULT_INVALID, "the token's %s is not canonical base64url", what);
	object = json_loadb(data, n, JSON_REJECT_DUPLICATES, &error);
	if (!object)
		return fault_set(f, FAULT_INVALID, "the token's %s is not JSON", what);
	if (!json_is_object(object))
		return fault_set(f, FAULT_INVALID, "the token's %s is no JSON object", what);
	*ret_object = TAKE(object);
	return 0;
}

static int
read_header(const json_t *header, enum jwt_alg *ret_alg, struct fault *f)
{
	const char *alg = json_string_value(json_object_get(header, "alg"));
	const json_t *typ = json_object_get(header, "typ");

	if (!alg)
		return fault_set(f, FAULT_INVALID, "the token's header has no 'alg'");
	if (typ && !json_is_string(typ))
		return fault_set(f, FAULT_INVALID, "the token's 'typ' is no text");
	if (json_object_get(header, "crit"))
		return fault_set(f, FAULT_INVALID, "the token asks for extensions ('crit')");
	for (int i = 0; i < JWT_KINDS; i++) {
		if (strcmp(alg, jwt_kinds[i].name) == 0) {
			*ret_alg = i;
			return 0;
		}
	}
	return fault_set(f, FAULT_INVALID, "the token's algorithm is none of RS256, ES256, ES384");
}

int
jwt_parse(const char *text, size_t len, bool strict, struct jwt *ret_jwt, struct fault *f)
{
	const char *claims, *signature, *end = text + len;
	AUTO(jwt_clear) struct jwt jwt = {0};
	size_t signature_len;

	if (len > JWT_MAX)
		return fault_set(
			f, FAULT_INVALID, "the token is longer than %d characters", JWT_MAX);
	claims = len ? memchr(text, '.', len) : NULL;
	signature = claims ? memchr(claims + 1, '.', (size_t)(end - claims - 1)) : NULL;
	if (!signature || memchr(signature + 1, '.', (size_t)(end - signature - 1)))
		return fault_set(f, FAULT_INVALID, "the token has not three parts");
	signature_len = unpadded_len(signature + 1, (size_t)(end - signature - 1), strict);
	if (BASE64URL_DECODED_LEN(signature_len) > sizeof(jwt.signature) ||
		base64url_decode(jwt.signature, signature + 1, signature_len, &jwt.signature_len))
		return fault_set(f, FAULT_INVALID,
			"the token's signature is too long or not canonical base64url");
	if (jwt.signature_len == 0)
		return fault_set(f, FAULT_INVALID, "the token has no signature");
	if (read_object("header", text, (size_t)(claims - text), strict, &jwt.header, f) ||
		read_header(jwt.header, &jwt.alg, f) ||
		read_object("claims set", claims + 1, (size_t)(signature - claims - 1), strict,
			&jwt.claims, f))
		return -1;
	jwt.signing_input_len = (size_t)(signature - text);
	jwt.signing_input = strndup(text, jwt.signing_input_len);
	if (!jwt.signing_input)
		return fault_nomem(f);
	*ret_jwt = jwt;
	memset(&jwt, 0, sizeof(jwt));
	return 0;
}

void
jwt_clear(struct jwt *jwt)
{
	json_decref(jwt->header);
	json_decref(jwt->claims);
	free(jwt->signing_input);
	memset(jwt, 0, sizeof(*jwt));
}
