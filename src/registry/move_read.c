#include "config.h"

#include "registry/move_read.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/base64url.h"
#include "base/times.h"

const char *const move_log_levels[] = {"NONE", "ERROR", "INFO", "DEBUG", NULL};

int
move_text(const json_t *from, const char *member, const char **ret, struct fault *f)
{
	const json_t *value = json_object_get(from, member);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (!json_is_string(value))
		return fault_set(f, FAULT_INVALID, "its %s is no text", member);
	*ret = json_string_value(value);
	return 0;
}

int
move_number(const json_t *from, const char *member, int64_t *ret, struct fault *f)
{
	const json_t *value = json_object_get(from, member);
	const char *text = json_string_value(value);
	char *end = NULL;

	*ret = 0;
	if (!value || json_is_null(value))
		return 0;
	if (json_is_integer(value))
		*ret = json_integer_value(value);
	else if (text)
		*ret = strtoll(text, &end, 10);
	if (*ret < 0 || (end ? end == text || *end : !json_is_integer(value)))
		return fault_set(f, FAULT_INVALID, "its %s is no number", member);
	return 0;
}

int
move_time(const json_t *from, const char *member, time_t preset, time_t *ret, struct fault *f)
{
	const char *text;

	*ret = preset;
	if (move_text(from, member, &text, f))
		return -1;
	return text && *text ? times_read(text, ret, f) : 0;
}

int
move_data(const json_t *from, const char *member, size_t max, void **ret, size_t *ret_len,
	struct fault *f)
{
	AUTO(auto_free) char *copy = NULL;
	const char *text;
	size_t len, n;

	if (move_text(from, member, &text, f))
		return -1;
	len = text ? strlen(text) : 0;
	copy = malloc(len + 1);
	if (!copy)
		return fault_nomem(f);
	memcpy(copy, text ? text : "", len + 1);
	n = base64_to_url(copy, len);
	if ((len && !n) || base64url_decode(copy, copy, n, &n))
		return fault_set(f, FAULT_INVALID, "its %s is not base64", member);
	if (n > max)
		return fault_set(f, FAULT_INVALID, "its %s is over %zu bytes", member, max);
	*ret = TAKE(copy);
	*ret_len = n;
	return 0;
}

int
move_word(const json_t *from, const char *member, const char *const *words, const char **ret,
	struct fault *f)
{
	const char *text;

	*ret = NULL;
	if (move_text(from, member, &text, f))
		return -1;
	if (!text || strstr(text, "_UNSPECIFIED"))
		return 0;
	for (; *words; words++) {
		if (strcmp(*words, text) == 0) {
			*ret = *words;
			return 0;
		}
	}
	return fault_set(f, FAULT_INVALID, "its %s is not one we know: '%.40s'", member, text);
}
