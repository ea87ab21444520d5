/*
 * JSON Web Tokens signed per second beside raw C_Sign with the same key in the same process, in
 * turns, so that both see the same machine. Prints: tokens/s, raw/s, ratio (medians of the rounds).
 *
 * usage: bench-jwt MODULE URI
 */
#include "config.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <p11-kit/pkcs11.h>

#include "base/auto.h"
#include "base/process.h"
#include "base/secret.h"
#include "jwt/claims.h"
#include "jwt/jwt.h"
#include "token/token.h"

#define ROUNDS	9
#define ROUND_S 0.3

/* DigestInfo of SHA-256 (RFC 8017 section 9.2), before the digest that CKM_RSA_PKCS signs. */
static const CK_BYTE sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
	0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

struct raw {
	CK_FUNCTION_LIST *p11;
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	CK_MECHANISM mechanism;
	CK_BYTE input[sizeof(sha256_info) + 32];
	CK_ULONG input_len;
};

static void
check(const char *what, CK_RV rv)
{
	if (rv != CKR_OK) {
		fprintf(stderr, "bench-jwt: %s: 0x%lx\n", what, rv);
		exit(1);
	}
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A session of our own beside the room's; the login counts for both. */
static void
raw_open(struct raw *raw, const char *module, bool rsa)
{
	CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
	CK_KEY_TYPE type = rsa ? CKK_RSA : CKK_EC;
	CK_ATTRIBUTE template[] = {
		{CKA_CLASS, &class, sizeof(class)}, {CKA_KEY_TYPE, &type, sizeof(type)}};
	CK_SLOT_ID slots[16];
	CK_ULONG n = 16;
	void *handle = dlopen(module, RTLD_NOW);
	CK_C_GetFunctionList get;

	if (!handle)
		check(dlerror(), CKR_GENERAL_ERROR);
	*(void **)&get = dlsym(handle, "C_GetFunctionList");
	check("C_GetFunctionList", get ? get(&raw->p11) : CKR_GENERAL_ERROR);
	check("C_GetSlotList", raw->p11->C_GetSlotList(CK_TRUE, slots, &n));
	for (CK_ULONG i = 0; i < n && !raw->key; i++) {
		CK_ULONG found = 0;

		if (raw->p11->C_OpenSession(
			    slots[i], CKF_SERIAL_SESSION, NULL, NULL, &raw->session) != CKR_OK)
			continue;
		check("C_FindObjectsInit", raw->p11->C_FindObjectsInit(raw->session, template, 2));
		check("C_FindObjects", raw->p11->C_FindObjects(raw->session, &raw->key, 1, &found));
		check("C_FindObjectsFinal", raw->p11->C_FindObjectsFinal(raw->session));
		if (!found)
			raw->key = 0;
	}
	if (!raw->key)
		check("no private key", CKR_GENERAL_ERROR);
	raw->mechanism.mechanism = rsa ? CKM_RSA_PKCS : CKM_ECDSA;
	memcpy(raw->input, sha256_info, sizeof(sha256_info));
	memset(raw->input + sizeof(sha256_info), 0x5a, 32);
	raw->input_len = sizeof(raw->input);
	if (!rsa) {
		memmove(raw->input, raw->input + sizeof(sha256_info), 32);
		raw->input_len = 32;
	}
}

static void
raw_sign(struct raw *raw)
{
	CK_BYTE signature[1024];
	CK_ULONG len = sizeof(signature);

	check("C_SignInit", raw->p11->C_SignInit(raw->session, &raw->mechanism, raw->key));
	check("C_Sign",
		raw->p11->C_Sign(raw->session, raw->input, raw->input_len, signature, &len));
}

static void
token_sign(EVP_PKEY *key)
{
	struct fault fault = FAULT_INIT;
	AUTO(auto_json) json_t *claims = NULL;
	AUTO(auto_secret) char *jwt = NULL;

	if (jwt_claims("bench", 3600, time(NULL), &claims, &fault) ||
		jwt_sign(NULL, claims, key, &jwt, &fault)) {
		fprintf(stderr, "bench-jwt: %s\n", fault.text);
		exit(1);
	}
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), by_value);
	return values[ROUNDS / 2];
}

int
main(int argc, char **argv)
{
	struct fault fault = FAULT_INIT;
	AUTO(auto_token) struct token *token = NULL;
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	double tokens[ROUNDS], raws[ROUNDS], ratios[ROUNDS];
	struct raw raw = {0};

	if (argc != 3)
		return 2;
	process_harden();
	const struct token_source source = {
		.module = argv[1], .pin_source = getenv("P11_GATEWAY_PIN_SOURCE")};
	if (token_open(argv[2], &source, &token, &fault) ||
		token_private_key(token, &key, &fault)) {
		fprintf(stderr, "bench-jwt: %s\n", fault.text);
		return 1;
	}
	raw_open(&raw, argv[1], EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA);
	for (int i = 0; i < ROUNDS; i++) {
		double start = now();
		int n;

		for (n = 0; now() < start + ROUND_S; n++)
			token_sign(key);
		tokens[i] = n / (now() - start);
		start = now();
		for (n = 0; now() < start + ROUND_S; n++)
			raw_sign(&raw);
		raws[i] = n / (now() - start);
		ratios[i] = tokens[i] / raws[i];
	}
	printf("%.0f %.0f %.3f\n", median(tokens), median(raws), median(ratios));
	return 0;
}
