#include "config.h"

#include "base/secret.h"

#include <stdint.h>
#include <string.h>

#include <openssl/crypto.h>

/* The size stands before the secret: OpenSSL keeps no size for memory outside its locked arena. */
struct header {
	size_t size;
	char data[];
};

char *
secret_alloc(size_t size)
{
	struct header *h;

	if (size > SIZE_MAX - sizeof(*h))
		return NULL;
	h = OPENSSL_secure_zalloc(sizeof(*h) + size);
	if (!h)
		return NULL;
	h->size = size;
	return h->data;
}

char *
secret_dup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = secret_alloc(size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

void
secret_free(char *secret)
{
	struct header *h;

	if (!secret)
		return;
	h = (struct header *)(void *)(secret - offsetof(struct header, data));
	OPENSSL_secure_clear_free(h, sizeof(*h) + h->size);
}
