#include "config.h"

#include "stream.h"

#include <errno.h>
#include <string.h>

int
stream_open(const char *path, struct stream *stream, struct fault *f)
{
	bool is_stdin = strcmp(path, "-") == 0;

	*stream = (struct stream){.name = is_stdin ? "standard input" : path, .line = 1};
	stream->file = is_stdin ? stdin : fopen(path, "re");
	if (stream->file)
		return 0;
	return fault_set(f, errno == ENOENT ? FAULT_NOTFOUND : FAULT_IO, "cannot read '%s': %s",
		path, strerror(errno));
}

void
stream_close(struct stream *stream)
{
	if (stream->file && stream->file != stdin)
		fclose(stream->file);
	stream->file = NULL;
}

/* The next character that is no white space, or EOF. */
static int
skip(struct stream *stream)
{
	int c;

	while ((c = getc_unlocked(stream->file)) == ' ' || c == '\t' || c == '\r' || c == '\n')
		stream->line += c == '\n';
	return c;
}

struct source {
	struct stream *stream;
	size_t left;
};

/* A character at a time: the parser must not take what belongs to the next value. */
static size_t
give(void *buffer, size_t size, void *data)
{
	struct source *source = data;
	int c;

	(void)size;
	if (source->left == 0)
		return (size_t)-1;
	c = getc_unlocked(source->stream->file);
	if (c == EOF)
		return 0;
	source->left--;
	source->stream->line += c == '\n';
	*(char *)buffer = (char)c;
	return 1;
}

static int
bad(const struct stream *stream, struct fault *f, const char *why)
{
	return fault_set(f, FAULT_INVALID, "'%s', line %ld: %s", stream->name, stream->line, why);
}

static int
end(struct stream *stream, int c, json_t **ret, struct fault *f)
{
	if (ferror(stream->file))
		return fault_errno(f, "cannot read '%s'", stream->name);
	if (stream->is_array ? c != ']' : c != EOF)
		return bad(stream, f, "it ends in the middle");
	if (stream->is_array && skip(stream) != EOF)
		return bad(stream, f, "something stands behind the list");
	*ret = NULL;
	return 0;
}

int
stream_next(struct stream *stream, json_t **ret, struct fault *f)
{
	struct source source = {stream, STREAM_VALUE_MAX};
	int c = skip(stream);
	json_error_t why;
	json_t *value;

	if (!stream->started) {
		stream->started = true;
		stream->is_array = c == '[';
		if (stream->is_array)
			c = skip(stream);
	} else if (stream->is_array && stream->any && c == ',') {
		c = skip(stream);
		if (c == ']')
			return bad(stream, f, "a comma ends the list");
	} else if (stream->is_array && stream->any && c != ']' && c != EOF) {
		return bad(stream, f, "a comma is missing");
	}
	if (c == EOF || (stream->is_array && c == ']'))
		return end(stream, c, ret, f);
	ungetc(c, stream->file);
	value = json_load_callback(
		give, &source, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &why);
	if (!value && source.left == 0)
		return bad(stream, f, "a value is over 4 MiB");
	if (!value)
		return bad(stream, f, why.text);
	stream->any = true;
	stream->size = STREAM_VALUE_MAX - source.left;
	*ret = value;
	return 0;
}
