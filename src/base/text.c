#include "config.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest form of a character: two escapes of JSON, for one beyond U+FFFF. */
#define PIECE_SIZE sizeof("\\uD83D\\uDE00")

#define DOTS "..."

void
text_cut(const char *text, char *ret, size_t size)
{
	size_t n = strnlen(text, size);

	if (n == size) {
		/* What goes on behind the end is no character's first byte. */
		for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
			continue;
	}
	memcpy(ret, text, n);
	ret[n] = '\0';
}

/*
 * Reads a character of UTF-8.
 *
 * len  bytes there are; at least 1
 *
 * Returns its bytes; 0 when they are not UTF-8.
 */
static size_t
read_character(const char *text, size_t len, uint32_t *ret)
{
	/* The least that takes so many bytes: what is less was made longer than it is. */
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char first = (unsigned char)*text;
	size_t n = first < 0x80		    ? 1
		   : (first & 0xe0) == 0xc0 ? 2
		   : (first & 0xf0) == 0xe0 ? 3
		   : (first & 0xf8) == 0xf0 ? 4
					    : 0;
	uint32_t c = n == 1 ? first : first & (0x7fu >> n);

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return n;
}

static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

/*
 * Whether a character only changes how others look: the order of writing, line ends, marks that
 * take no room, tags. The two that join and part letters, U+200C and U+200D, belong to words.
 */
static bool
is_invisible(uint32_t c)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{0x00ad, 0x00ad},
		{0x061c, 0x061c},
		{0x180e, 0x180e},
		{0x200b, 0x200b},
		{0x200e, 0x200f},
		{0x2028, 0x202e},
		{0x2060, 0x206f},
		{0xfeff, 0xfeff},
		{0xfff9, 0xfffb},
		{0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	}
	return false;
}

/* Writes the next character as it is to be printed. Returns how many bytes of text it was. */
static size_t
next_piece(const char *text, size_t len, char piece[PIECE_SIZE])
{
	uint32_t c;
	size_t n = read_character(text, len, &c);

	if (n == 0) {
		snprintf(piece, PIECE_SIZE, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	if (is_control(c)) {
		snprintf(piece, PIECE_SIZE, "\\x%02x", (unsigned)c);
	} else if (is_invisible(c)) {
		snprintf(piece, PIECE_SIZE, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
	} else {
		memcpy(piece, text, n);
		piece[n] = '\0';
	}
	return n;
}

/* The same within JSON, where no character that counts outside of strings is escaped. */
static size_t
next_json_piece(const char *text, size_t len, char piece[PIECE_SIZE])
{
	uint32_t c;
	size_t n = read_character(text, len, &c);

	if (n == 0 || c == '\n' || (!is_control(c) && !is_invisible(c))) {
		memcpy(piece, text, n ? n : 1);
		piece[n ? n : 1] = '\0';
	} else if (c > 0xffff) {
		snprintf(piece, PIECE_SIZE, "\\u%04x\\u%04x",
			(0xd800 + ((c - 0x10000) >> 10)) & 0xffff,
			(0xdc00 + ((c - 0x10000) & 0x3ff)) & 0xffff);
	} else {
		snprintf(piece, PIECE_SIZE, "\\u%04x", (unsigned)c);
	}
	return n ? n : 1;
}

void
text_show(const char *text, char *shown, size_t size)
{
	size_t len = strlen(text), n = 0, whole = 0;
	char piece[PIECE_SIZE];

	while (len) {
		size_t used = next_piece(text, len, piece), wide = strlen(piece);

		if (n + wide >= size) {
			memcpy(shown + whole, DOTS, sizeof(DOTS));
			return;
		}
		memcpy(shown + n, piece, wide);
		n += wide;
		/* As far as it goes when the dots must follow. */
		if (n + sizeof(DOTS) <= size)
			whole = n;
		text += used;
		len -= used;
	}
	shown[n] = '\0';
}

typedef size_t piece_fn(const char *text, size_t len, char piece[PIECE_SIZE]);

static char *
make_fit(const char *text, size_t len, piece_fn *next)
{
	char piece[PIECE_SIZE], *ret;
	size_t size = 1, n = 0;

	for (size_t i = 0; i < len;) {
		i += next(text + i, len - i, piece);
		size += strlen(piece);
	}
	ret = malloc(size);
	for (size_t i = 0; ret && i < len;) {
		size_t wide;

		i += next(text + i, len - i, piece);
		wide = strlen(piece);
		memcpy(ret + n, piece, wide);
		n += wide;
	}
	if (ret)
		ret[n] = '\0';
	return ret;
}

char *
text_fit(const char *text, size_t len)
{
	return make_fit(text, len, next_piece);
}

char *
text_fit_json(const char *json)
{
	return make_fit(json, strlen(json), next_json_piece);
}
