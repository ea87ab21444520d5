#include "config.h"

#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/auto.h"
#include "base/text.h"

#define COLUMNS_MAX 8
#define CELL_MAX    512

/* The member "a.b" of a thing. */
static const json_t *
member_of(const json_t *thing, const char *path)
{
	AUTO(auto_free) char *copy = strdup(path);
	char *rest = NULL;

	for (char *name = copy ? strtok_r(copy, ".", &rest) : NULL; name;
		name = strtok_r(NULL, ".", &rest))
		thing = json_object_get(thing, name);
	return thing;
}

static void
cell_of(const json_t *value, char *cell, size_t size)
{
	AUTO(auto_free) char *text = NULL;

	if (!value) {
		cell[0] = '\0';
	} else if (json_is_string(value)) {
		text_show(json_string_value(value), cell, size);
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
		text_show(text ? text : "", cell, size);
	}
}

/* A cell of a list: gcloud's True and nothing, and a part of a path where a column wants one. */
static void
list_cell(const json_t *thing, const struct column *column, char *cell, size_t size)
{
	const json_t *value = member_of(thing, column->member);
	size_t n = column->part ? strlen(column->part) : 0;
	const char *at;

	if (json_is_boolean(value)) {
		snprintf(cell, size, "%s", json_is_true(value) ? "True" : "");
		return;
	}
	cell_of(value, cell, size);
	if (!n)
		return;
	for (at = strchr(cell, '/'); at && (strncmp(at + 1, column->part, n) || at[n + 1] != '/');)
		at = strchr(at + 1, '/');
	if (at) {
		at += n + 2;
		n = strcspn(at, "/");
		memmove(cell, at, n);
		cell[n] = '\0';
	}
}

/* Characters, not bytes, so that columns stand below each other. */
static int
width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void
put_cell(const char *text, int wide, bool last)
{
	fputs(text, stdout);
	for (int n = width(text); !last && n < wide + 2; n++)
		putchar(' ');
	if (last)
		putchar('\n');
}

static int
put_json(const json_t *json, struct fault *f)
{
	AUTO(auto_free) char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	AUTO(auto_free) char *fit = text ? text_fit_json(text) : NULL;

	if (!fit)
		return fault_nomem(f);
	puts(fit);
	return 0;
}

int
put_lines(const char *text, size_t len, struct fault *f)
{
	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;
		AUTO(auto_free) char *fit = text_fit(text, n);

		if (!fit)
			return fault_nomem(f);
		puts(fit);
		n += end != NULL;
		text += n;
		len -= n;
	}
	return 0;
}

int
put_list(const struct place *place, const json_t *list, const struct column *columns,
	struct fault *f)
{
	int wide[COLUMNS_MAX] = {0}, n = 0;
	char cell[CELL_MAX];
	size_t i;
	json_t *thing;

	if (is_json(place))
		return put_json(list, f);
	for (; columns[n].heading; n++)
		wide[n] = width(columns[n].heading);
	json_array_foreach(list, i, thing)
	{
		for (int c = 0; c < n; c++) {
			list_cell(thing, &columns[c], cell, sizeof(cell));
			wide[c] = width(cell) > wide[c] ? width(cell) : wide[c];
		}
	}
	for (int c = 0; c < n; c++)
		put_cell(columns[c].heading, wide[c], c == n - 1);
	json_array_foreach(list, i, thing)
	{
		for (int c = 0; c < n; c++) {
			list_cell(thing, &columns[c], cell, sizeof(cell));
			put_cell(cell, wide[c], c == n - 1);
		}
	}
	return 0;
}

/* Members of members are written a.b, those of lists a[0].b; texts of several lines as they are. */
static int
put_members(const char *path, const json_t *value, struct fault *f)
{
	char name[256], cell[CELL_MAX];
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, key, member)
		{
			text_show(key, cell, sizeof(cell));
			snprintf(name, sizeof(name), "%s%s%.200s", path, *path ? "." : "", cell);
			if (put_members(name, member, f))
				return -1;
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member)
		{
			snprintf(name, sizeof(name), "%s[%zu]", path, i);
			if (put_members(name, member, f))
				return -1;
		}
	} else if (json_is_string(value) &&
		   strncmp(json_string_value(value), "-----BEGIN", 10) == 0) {
		printf("%s:\n", path);
		return put_lines(json_string_value(value), json_string_length(value), f);
	} else {
		cell_of(value, cell, sizeof(cell));
		printf("%s: %s\n", path, cell);
	}
	return 0;
}

int
put_thing(const struct place *place, const json_t *thing, struct fault *f)
{
	if (is_json(place))
		return put_json(thing, f);
	return put_members("", thing, f);
}

int
decode(const char *base64, char **ret_data, size_t *ret_len, struct fault *f)
{
	size_t len = strlen(base64);
	AUTO(auto_free) char *data = malloc(len + 1);
	int n;

	if (!data)
		return fault_nomem(f);
	n = EVP_DecodeBlock((unsigned char *)data, (const unsigned char *)base64, (int)len);
	/* What the padding stands for is decoded to NULs. */
	for (const char *p = base64 + len; n > 0 && p > base64 && p[-1] == '='; p--)
		n--;
	*ret_len = n > 0 ? (size_t)n : 0;
	*ret_data = TAKE(data);
	return 0;
}

int
show_text(json_t *thing, const char *member, struct fault *f)
{
	const char *base64 = json_string_value(json_object_get(thing, member));
	AUTO(auto_free) char *data = NULL;
	json_t *text;
	size_t len;

	if (!base64)
		return 0;
	if (decode(base64, &data, &len, f))
		return -1;
	text = json_stringn(data, len);
	if (text && json_string_length(text) == strlen(json_string_value(text)))
		return json_object_set_new(thing, member, text) ? fault_nomem(f) : 0;
	json_decref(text);
	return 0;
}

int
show_texts(json_t *list, const char *member, struct fault *f)
{
	json_t *thing;
	size_t i;

	json_array_foreach(list, i, thing)
	{
		if (show_text(thing, member, f))
			return -1;
	}
	return 0;
}
