/* broker-token: tokens made by hand, with OpenSSL alone: what an attacker makes, and good ones. */
#ifndef TESTS_INTEGRATION_BROKER_TOKEN_H
#define TESTS_INTEGRATION_BROKER_TOKEN_H

#include <stddef.h>

#include <openssl/evp.h>

/* How a token is signed. */
enum signing {
	SIGN_AS_JOSE, /* ECDSA as r||s, RSA as PKCS#1 v1.5 */
	SIGN_AS_DER,  /* ECDSA as OpenSSL gives it */
	SIGN_AS_PSS,  /* RSA-PSS */
	SIGN_NOT,     /* an empty signature */
};

/* They end the program when something fails; what they give out is free()d by the caller. */

EVP_PKEY *read_key(const char *path);

/* Replaces {N} by the present time plus N seconds. */
char *with_times(const char *text);

char *base64url(const void *data, size_t len);

/* base64url(header).base64url(claims) */
char *token_input(const char *header, const char *claims, size_t claims_len);

/* input.base64url(signature by key with SHA-256) */
char *token_signed(const char *input, EVP_PKEY *key, enum signing how);

/* input.base64url(HMAC-SHA256 with secret) */
char *token_maced(const char *input, const void *secret, size_t len);

/* input.base64url(signature) */
char *token_with(const char *input, const void *signature, size_t len);

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
