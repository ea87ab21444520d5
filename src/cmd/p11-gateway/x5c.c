#include "config.h"

#include "commands.h"

#include "base/auto.h"
#include "jwt/x5c.h"

static int
read_certificate(const struct token_options *options, X509 **ret_cert, struct fault *f)
{
	AUTO(auto_token) struct token *token = NULL;

	if (open_token(options, &token, f))
		return -1;
	if (token_certificate(token, ret_cert, f) == 0)
		return 0;
	if (f->code == FAULT_NOTFOUND)
		return fault_set(f, FAULT_NOTFOUND,
			"--x5c: the token holds no certificate for the key: put it there with "
			"'p11-gateway cert import'");
	return fault_prefix(f, "--x5c");
}

int
add_x5c(const struct token_options *options, json_t *header, X509 **ret_cert, struct fault *f)
{
	AUTO(auto_x509) X509 *cert = NULL;
	AUTO(auto_openssl) unsigned char *der = NULL;
	int len;

	if (read_certificate(options, &cert, f))
		return -1;
	len = i2d_X509(cert, &der);
	if (len < 0)
		return fault_openssl(f, FAULT_CRYPTO, "the certificate cannot be encoded");
	if (x5c_add(header, der, (size_t)len, f))
		return fault_prefix(f, "--x5c");
	*ret_cert = TAKE(cert);
	return 0;
}
