#include "config.h"

#include "base/base64url.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int
value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	if (c == '_')
		return 63;
	return -1;
}

size_t
base64url_encode(char *text, const void *data, size_t len)
{
	const uint8_t *in = data;
	uint32_t bits = 0;
	unsigned held = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (held += 8; held >= 6; held -= 6)
			text[n++] = alphabet[bits >> (held - 6) & 63];
	}
	if (held)
		text[n++] = alphabet[bits << (6 - held) & 63];
	text[n] = '\0';
	return n;
}

int
base64url_decode(void *data, const char *text, size_t len, size_t *ret_len)
{
	uint8_t *out = data;
	uint32_t bits = 0;
	unsigned held = 0;
	size_t n = 0;

	if (len % 4 == 1)
		return -1;
	for (size_t i = 0; i < len; i++) {
		int v = value(text[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (uint8_t)(bits >> held);
		}
	}
	if (bits & ((1u << held) - 1))
		return -1;
	*ret_len = n;
	return 0;
}

size_t
base64url_unpadded_len(const char *text, size_t len)
{
	if (len % 4)
		return len;
	for (int i = 0; i < 2 && len && text[len - 1] == '='; i++)
		len--;
	return len;
}

size_t
base64_to_url(char *text, size_t len)
{
	if (len % 4)
		return 0;
	len = base64url_unpadded_len(text, len);
	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '+':
			text[i] = '-';
			break;
		case '/':
			text[i] = '_';
			break;
		case '-':
		case '_':
			return 0;
		}
	}
	return len;
}
