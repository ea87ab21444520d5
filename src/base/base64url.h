/* base64url: RFC 4648 section 5 as JOSE wants it (RFC 7515): no padding, nothing lenient. */
#ifndef BASE_BASE64URL_H
#define BASE_BASE64URL_H

#include <stddef.h>

/* Characters that len bytes become, without the NUL. */
#define BASE64URL_LEN(len) (((len)*4 + 2) / 3)

/* Bytes that len characters become, at most. */
#define BASE64URL_DECODED_LEN(len) ((len)*3 / 4)

/*
 * Encodes bytes.
 *
 * text  receives BASE64URL_LEN(len) characters and a NUL
 *
 * Returns the number of characters.  Threads: any.
 */
size_t base64url_encode(char *text, const void *data, size_t len);

/*
 * Decodes text, refusing what a strict reader must: other characters, padding, white space, a
 * length that no encoding has, and bits set behind the last byte.
 *
 * data     receives up to BASE64URL_DECODED_LEN(len) bytes; may be text itself
 * ret_len  receives the number of bytes
 *
 * Returns 0, or -1 when the text is not canonical.  Threads: any.
 */
int base64url_decode(void *data, const char *text, size_t len, size_t *ret_len);

/*
 * The length of a text without its padding, for base64url_decode(). Only padding that makes the
 * length a multiple of four counts; base64url_decode() then refuses any other '='.
 *
 * Returns the number of characters.  Threads: any.
 */
size_t base64url_unpadded_len(const char *text, size_t len);

/*
 * Turns standard base64 with padding (RFC 4648 section 4) into base64url, in place.
 *
 * Returns the number of characters for base64url_decode(), or 0 for what is none.  Threads: any.
 */
size_t base64_to_url(char *text, size_t len);

#endif
