#include "config.h"

#include "gateway/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

/*
 * The next piece of a template: a name in braces, without them, or text as it is.
 *
 * at  moved behind the piece
 *
 * Returns 0; else FAULT_CONFIG for a brace that is not closed.
 */
struct piece {
	const char *start;
	size_t len;
	bool is_name;
};

static int
next_piece(const char **at, struct piece *ret, struct fault *f)
{
	const char *text = *at, *end;

	if (*text != '{') {
		*ret = (struct piece){text, strcspn(text, "{"), false};
		*at += ret->len;
		return 0;
	}
	if (text[1] == '{') {
		*ret = (struct piece){text, 1, false};
		*at += 2;
		return 0;
	}
	end = strchr(text, '}');
	if (!end)
		return fault_set(
			f, FAULT_CONFIG, "a '{' has no '}' after it; write '{{' for the character");
	*ret = (struct piece){text + 1, (size_t)(end - text - 1), true};
	*at = end + 1;
	return 0;
}

static bool
is_named(const struct piece *piece, const char *name)
{
	return strlen(name) == piece->len && strncmp(name, piece->start, piece->len) == 0;
}

static int
find(const struct template_value *values, const struct piece *piece, const char **ret_value,
	struct fault *f)
{
	for (const struct template_value *v = values; v->name; v++) {
		if (!is_named(piece, v->name))
			continue;
		if (!v->value)
			return fault_set(f, FAULT_CONFIG, "{%s} has no value here", v->name);
		*ret_value = v->value;
		return 0;
	}
	return fault_set(f, FAULT_CONFIG,
		"{%.*s} is not a known name; write '{{' for the character",
		(int)(piece->len < 40 ? piece->len : 40), piece->start);
}

/*
 * Expands into a buffer that is long enough, or counts the bytes when it is NULL, without the NUL.
 * Counting first leaves no copy of a secret in a buffer that grew.
 */
static int
expand(const char *text, const struct template_value *values, char *to, size_t *ret_len,
	struct fault *f)
{
	size_t len = 0;

	while (*text) {
		struct piece piece;
		const char *value;
		size_t n;

		if (next_piece(&text, &piece, f))
			return -1;
		value = piece.start;
		if (piece.is_name && find(values, &piece, &value, f))
			return -1;
		n = piece.is_name ? strlen(value) : piece.len;
		if (to)
			memcpy(to + len, value, n);
		len += n;
	}
	if (to)
		to[len] = '\0';
	*ret_len = len;
	return 0;
}

static int
expand_with(char *(*allocate)(size_t size), const char *text, const struct template_value *values,
	char **ret, struct fault *f)
{
	size_t len;
	char *to;

	if (expand(text, values, NULL, &len, f))
		return -1;
	to = allocate(len + 1);
	if (!to)
		return fault_nomem(f);
	expand(text, values, to, &len, NULL);
	*ret = to;
	return 0;
}

static char *
plain_alloc(size_t size)
{
	return malloc(size);
}

int
template_expand(
	const char *text, const struct template_value *values, char **ret_text, struct fault *f)
{
	return expand_with(plain_alloc, text, values, ret_text, f);
}

int
template_expand_secret(
	const char *text, const struct template_value *values, char **ret_secret, struct fault *f)
{
	return expand_with(secret_alloc, text, values, ret_secret, f);
}

bool
template_has(const char *text, const char *name)
{
	struct piece piece;

	while (*text && next_piece(&text, &piece, NULL) == 0) {
		if (piece.is_name && is_named(&piece, name))
			return true;
	}
	return false;
}
