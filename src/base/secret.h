/* secret: memory for PINs, passwords and tokens; locked where that can be, wiped when freed. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>

#include "base/auto.h"

/*
 * Memory for a secret, zeroed.
 *
 * size  bytes, >= 1
 *
 * Returns it, or NULL when memory ran out; free with secret_free().  Threads: any.
 */
char *secret_alloc(size_t size);

/*
 * A copy of a text that is a secret.
 *
 * text  NUL-terminated
 *
 * Returns it, or NULL when memory ran out; free with secret_free().
 */
char *secret_dup(const char *text);

/* Wipes all of the memory, not only the part used, and frees it. NULL is allowed. */
void secret_free(char *secret);

AUTO_DEFINE(secret, char, secret_free);

#endif
