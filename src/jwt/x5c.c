#include "config.h"

#include "jwt/x5c.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64url.h"
#include "jwt/jwt.h"

/* Characters that len bytes become in base64 with padding. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

int
x5c_add(json_t *header, const unsigned char *der, size_t len, struct fault *f)
{
	char text[BASE64_LEN(X5C_DER_MAX) + 1];
	json_t *list = json_object_get(header, "x5c");

	if (len > X5C_DER_MAX)
		return fault_set(f, FAULT_INVALID,
			"the certificate is too large for a token's header: %d bytes at most",
			X5C_DER_MAX);
	if (!list) {
		list = json_array();
		if (json_object_set_new(header, "x5c", list))
			return fault_nomem(f);
	}
	if (!json_is_array(list) || json_array_size(list) >= X5C_CERTIFICATES_MAX)
		return fault_set(f, FAULT_INVALID, "the header has no room for a certificate");
	EVP_EncodeBlock((unsigned char *)text, der, (int)len);
	return json_array_append_new(list, json_string(text)) ? fault_nomem(f) : 0;
}

static int
decode(const json_t *entry, unsigned char **ret_der, size_t *ret_len, struct fault *f)
{
	size_t len = json_string_length(entry), n;
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_free) unsigned char *der = NULL;

	if (!json_is_string(entry) || len == 0 || len > BASE64_LEN(X5C_DER_MAX))
		return fault_set(f, FAULT_INVALID,
			"an entry of x5c is no text, empty, or longer than %d bytes in base64",
			X5C_DER_MAX);
	text = malloc(len);
	der = malloc(BASE64URL_DECODED_LEN(len) + 1);
	if (!text || !der)
		return fault_nomem(f);
	memcpy(text, json_string_value(entry), len);
	n = base64_to_url(text, len);
	if (n == 0 || base64url_decode(der, text, n, &n) || n > X5C_DER_MAX)
		return fault_set(f, FAULT_INVALID, "an entry of x5c is not base64, or too long");
	*ret_der = TAKE(der);
	*ret_len = n;
	return 0;
}

int
x5c_first(const json_t *header, unsigned char **ret_der, size_t *ret_len, struct fault *f)
{
	const json_t *list = json_object_get(header, "x5c");
	AUTO(auto_free) unsigned char *first = NULL;
	size_t first_len = 0;

	if (!list)
		return fault_set(f, FAULT_NOTFOUND, "the token's header has no certificate (x5c)");
	if (!json_is_array(list) || json_array_size(list) == 0 ||
		json_array_size(list) > X5C_CERTIFICATES_MAX)
		return fault_set(f, FAULT_INVALID,
			"the token's x5c is no list of one to %d certificates",
			X5C_CERTIFICATES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		AUTO(auto_free) unsigned char *der = NULL;
		size_t len;

		if (decode(json_array_get(list, i), &der, &len, f))
			return -1;
		if (i == 0) {
			first = TAKE(der);
			first_len = len;
		}
	}
	*ret_der = TAKE(first);
	*ret_len = first_len;
	return 0;
}
