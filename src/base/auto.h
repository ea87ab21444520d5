/* auto: clean-up at the end of a scope, and the mark of ownership that moves. */
#ifndef BASE_AUTO_H
#define BASE_AUTO_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

/* AUTO(auto_pkey) EVP_PKEY *key = NULL; frees key when the scope ends. */
#define AUTO(function) __attribute__((cleanup(function)))

/*
 * For a large variable where time counts, written before it is read: it is not zeroed first, as the
 * compiler is told to do with others.
 */
#define NOT_ZEROED __attribute__((uninitialized))

/* Takes what a variable owns out of it, leaving NULL: *ret_key = TAKE(key). */
#define TAKE(pointer) \
	({ \
		__typeof__(pointer) take_value_ = (pointer); \
		(pointer) = NULL; \
		take_value_; \
	})

/* Defines auto_NAME for `type *` variables that `release` frees; release must take NULL. */
#define AUTO_DEFINE(name, type, release) \
	static inline void auto_##name(type **variable) \
	{ \
		release(*variable); \
	} \
	struct auto_semicolon_##name

AUTO_DEFINE(asn1_time, ASN1_TIME, ASN1_TIME_free);
AUTO_DEFINE(bio, BIO, BIO_free_all);
AUTO_DEFINE(bn, BIGNUM, BN_free);
AUTO_DEFINE(crl, X509_CRL, X509_CRL_free);
AUTO_DEFINE(csr, X509_REQ, X509_REQ_free);
AUTO_DEFINE(md_ctx, EVP_MD_CTX, EVP_MD_CTX_free);
AUTO_DEFINE(pkey, EVP_PKEY, EVP_PKEY_free);
AUTO_DEFINE(pkey_ctx, EVP_PKEY_CTX, EVP_PKEY_CTX_free);
AUTO_DEFINE(x509, X509, X509_free);
AUTO_DEFINE(x509_name, X509_NAME, X509_NAME_free);

static inline void
auto_free(void *variable)
{
	free(*(void **)variable);
}

static inline void
auto_openssl(void *variable)
{
	OPENSSL_free(*(void **)variable);
}

static inline void
auto_file(FILE **variable)
{
	if (*variable)
		fclose(*variable);
}

static inline void
auto_fd(int *variable)
{
	if (*variable >= 0)
		close(*variable);
}

#endif
