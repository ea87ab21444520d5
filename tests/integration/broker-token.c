#include "config.h"

#include "broker-token.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/auto.h"

void
fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

EVP_PKEY *
read_key(const char *path)
{
	AUTO(auto_file) FILE *file = fopen(path, "r");
	EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;

	if (!key)
		fail("%s: no private key", path);
	return key;
}

char *
with_times(const char *text)
{
	char *out = NULL;
	size_t len;
	FILE *file = open_memstream(&out, &len);

	if (!file)
		fail("memory ran out");
	for (; *text; text++) {
		char *end;
		long offset;

		if (*text == '{' && (text[1] == '-' || (text[1] >= '0' && text[1] <= '9'))) {
			offset = strtol(text + 1, &end, 10);
			fprintf(file, "%lld", (long long)time(NULL) + offset);
			text = end;
		} else {
			fputc(*text, file);
		}
	}
	fclose(file);
	return out;
}

char *
base64url(const void *data, size_t len)
{
	char *out = malloc(len * 2 + 8);
	int n;

	if (!out)
		fail("memory ran out");
	n = EVP_EncodeBlock((unsigned char *)out, data, (int)len);
	while (n && out[n - 1] == '=')
		n--;
	out[n] = '\0';
	for (char *c = out; *c; c++)
		*c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
	return out;
}

static char *
joined(const char *a, const char *b)
{
	char *out;

	if (asprintf(&out, "%s.%s", a, b) < 0)
		fail("memory ran out");
	return out;
}

char *
token_input(const char *header, const char *claims, size_t claims_len)
{
	AUTO(auto_free) char *a = base64url(header, strlen(header));
	AUTO(auto_free) char *b = base64url(claims, claims_len);

	return joined(a, b);
}

char *
token_with(const char *input, const void *signature, size_t len)
{
	AUTO(auto_free) char *text = base64url(signature, len);

	return joined(input, text);
}

/* The r||s of RFC 7518 section 3.4. */
static size_t
to_jose(unsigned char *signature, size_t len)
{
	const unsigned char *at = signature;
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)len);

	if (!sig || BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, 32) < 0 ||
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + 32, 32) < 0)
		fail("no ECDSA signature");
	ECDSA_SIG_free(sig);
	return 64;
}

char *
token_signed(const char *input, EVP_PKEY *key, enum signing how)
{
	AUTO(auto_md_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *key_ctx;

	if (how == SIGN_NOT)
		return token_with(input, "", 0);
	if (!ctx || EVP_DigestSignInit(ctx, &key_ctx, EVP_sha256(), NULL, key) != 1 ||
		(how == SIGN_AS_PSS &&
			EVP_PKEY_CTX_set_rsa_padding(key_ctx, RSA_PKCS1_PSS_PADDING) != 1) ||
		EVP_DigestSign(ctx, signature, &len, (const unsigned char *)input, strlen(input)) !=
			1)
		fail("cannot sign");
	if (how == SIGN_AS_JOSE && EVP_PKEY_is_a(key, "EC"))
		len = to_jose(signature, len);
	return token_with(input, signature, len);
}

char *
token_maced(const char *input, const void *secret, size_t len)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned mac_len;

	if (!HMAC(EVP_sha256(), secret, (int)len, (const unsigned char *)input, strlen(input), mac,
		    &mac_len))
		fail("cannot make a MAC");
	return token_with(input, mac, mac_len);
}
