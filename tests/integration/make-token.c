/* Prints a token made without any of our code: make-token KEY AUDIENCE IAT EXP, times from now. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "broker-token.h"

int
main(int argc, char **argv)
{
	AUTO(auto_pkey) EVP_PKEY *key = NULL;
	AUTO(auto_free) char *text = NULL;
	AUTO(auto_free) char *claims = NULL;
	AUTO(auto_free) char *input = NULL;
	AUTO(auto_free) char *token = NULL;

	if (argc != 5)
		fail("usage: make-token KEY AUDIENCE IAT EXP");
	key = read_key(argv[1]);
	if (asprintf(&text, "{\"iat\":{%s},\"exp\":{%s},\"aud\":\"%s\"}", argv[3], argv[4],
		    argv[2]) < 0)
		fail("memory ran out");
	claims = with_times(text);
	input = token_input(EVP_PKEY_is_a(key, "RSA") ? "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"
						      : "{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
		claims, strlen(claims));
	token = token_signed(input, key, SIGN_AS_JOSE);
	puts(token);
	return 0;
}
