/* move_read: members of JSON that others wrote, read strictly. Private. */
#ifndef REGISTRY_MOVE_READ_H
#define REGISTRY_MOVE_READ_H

#include <stdint.h>
#include <time.h>

#include <jansson.h>

#include "base/fault.h"

/*
 * Each reads one member: what is absent or null is NULL or 0, what is not of the type is
 * FAULT_INVALID naming the member. Threads: any.
 */
int move_text(const json_t *from, const char *member, const char **ret, struct fault *f);

/* Not negative; as a number or, as Google writes those of 64 bits, as a text. */
int move_number(const json_t *from, const char *member, int64_t *ret, struct fault *f);

/* RFC 3339; preset when it is absent. */
int move_time(const json_t *from, const char *member, time_t preset, time_t *ret, struct fault *f);

/* Standard base64, of max bytes at most; free with free(). */
int move_data(const json_t *from, const char *member, size_t max, void **ret, size_t *ret_len,
	struct fault *f);

/* One of the words, ended by NULL; "..._UNSPECIFIED" is none, as if it were absent. */
int move_word(const json_t *from, const char *member, const char *const *words, const char **ret,
	struct fault *f);

/* The words of logLevel. */
extern const char *const move_log_levels[];

#endif
