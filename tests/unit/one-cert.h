/* one-cert: imports one certificate into a token. */
#ifndef TESTS_UNIT_ONE_CERT_H
#define TESTS_UNIT_ONE_CERT_H

#include <openssl/x509.h>

#include "token/token.h"

/* token_certificate_import() of this certificate alone. */
static inline int
import_one(struct token *token, X509 *cert, char **ret_uri, struct fault *f)
{
	STACK_OF(X509) *offered = sk_X509_new_null();
	int status = sk_X509_push(offered, cert) > 0
			     ? token_certificate_import(token, offered, ret_uri, f)
			     : -1;

	sk_X509_free(offered);
	return status;
}

#endif
