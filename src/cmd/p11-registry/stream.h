/* stream: JSON values one after the other, from a file that may be larger than memory. */
#ifndef CMD_P11_REGISTRY_STREAM_H
#define CMD_P11_REGISTRY_STREAM_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

#include "base/fault.h"

/* Bytes that one value may have. */
#define STREAM_VALUE_MAX (4 * 1024 * 1024)

/*
 * name   of the file, for faults
 * line   where reading is, counted from 1
 * size   of the value that was read last, in bytes
 * the rest is private to stream.c
 */
struct stream {
	FILE *file;
	const char *name;
	long line;
	size_t size;
	bool started;
	bool is_array;
	bool any;
};

/*
 * Opens a file of JSON values: one array of them, or one behind the other.
 *
 * path  "-" is standard input; borrowed
 *
 * Returns 0; else FAULT_NOTFOUND or FAULT_IO. Close with stream_close() in any case.
 */
int stream_open(const char *path, struct stream *stream, struct fault *f);

/*
 * Reads the next value.
 *
 * ret  receives it, NULL at the end; free with json_decref()
 *
 * Returns 0; else FAULT_INVALID that names the line; reading cannot go on then.
 */
int stream_next(struct stream *stream, json_t **ret, struct fault *f);

void stream_close(struct stream *stream);

#endif
