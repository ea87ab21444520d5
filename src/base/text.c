#include "config.h"

#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

void
text_show(const char *text, char *shown, size_t size)
{
	size_t n = 0;

	for (; *text && n + 5 < size; text++) {
		unsigned char c = (unsigned char)*text;

		/* U+0080 to U+009F are commands to a terminal too. */
		bool c1 = c == 0xc2 && ((unsigned char)text[1] & 0xe0) == 0x80;

		if (c1)
			n += (size_t)snprintf(
				shown + n, size - n, "\\x%02x", (unsigned char)*++text);
		else if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(shown + n, size - n, "\\x%02x", c);
		else
			shown[n++] = *text;
	}
	shown[n] = '\0';
	if (*text)
		memcpy(shown + n - 3, "...", 3);
}
