/* key: public keys as people and programs write them: PEM, JWK, thumbprint. */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <stddef.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/auto.h"
#include "base/fault.h"

/*
 * The key as SubjectPublicKeyInfo in PEM (RFC 7468 section 13), EC with a named curve.
 *
 * key      a public or private key, a token's too; not consumed
 * ret_pem  receives NUL-terminated text; free with free()
 *
 * Returns 0; else FAULT_CRYPTO, FAULT_NOMEM.  Threads: any.
 */
int key_public_pem(EVP_PKEY *key, char **ret_pem, struct fault *f);

/*
 * The key as a JSON Web Key (RFC 7517, RFC 7518 section 6): kty, crv/x/y or n/e, alg, use "sig",
 * and kid, its thumbprint (RFC 7638, SHA-256).
 *
 * ret_jwk  receives an object; free with json_decref()
 *
 * Returns 0; else FAULT_INVALID for a kind of key without such a form, FAULT_CRYPTO, FAULT_NOMEM.
 */
int key_public_jwk(EVP_PKEY *key, json_t **ret_jwk, struct fault *f);

/*
 * Reads a public key in PEM: "BEGIN PUBLIC KEY" and nothing else in the file but white space and
 * comments before it. Only kinds we use are taken: RSA of 2048..8192 bits, EC P-256 and P-384 with
 * a named curve.
 *
 * Returns 0; else FAULT_INVALID with the reason, FAULT_NOMEM.  Threads: any.
 */
int key_read_public(const char *pem, size_t len, EVP_PKEY **ret_key, struct fault *f);

/*
 * Reads many public keys, each as key_read_public() does, in a fraction of the time.
 *
 * ret_pem  receives the key as key_public_pem() writes it; free with free(); NULL is allowed
 *
 * Threads: one.
 */
struct key_reader;
int key_reader_new(struct key_reader **ret_reader, struct fault *f);
int key_reader_read(struct key_reader *reader, const char *pem, size_t len, EVP_PKEY **ret_key,
	char **ret_pem, struct fault *f);

/* NULL is allowed. The keys that were read stay. */
void key_reader_free(struct key_reader *reader);

AUTO_DEFINE(key_reader, struct key_reader, key_reader_free);

/*
 * Says whether a key is one of the kinds above, whatever it came in.
 *
 * Returns 0; else FAULT_INVALID with the reason.
 */
int key_check(EVP_PKEY *key, struct fault *f);

/* "RSA-2048", "EC P-256", ... for people. buffer of at least 32 bytes; returns it. */
const char *key_describe(EVP_PKEY *key, char *buffer, size_t size);

#endif
