/* ini: a file of settings: [SECTION] and NAME = VALUE. Knows the form of a line, no names. */
#ifndef BASE_INI_H
#define BASE_INI_H

#include <stddef.h>

#include "base/fault.h"

/* Bytes that a file, and one line of it, may have. */
#define INI_FILE_MAX (1024 * 1024)
#define INI_LINE_MAX (64 * 1024)

/*
 * Receives one setting.
 *
 * section, name  never empty
 * value          without the spaces around it; "" when nothing follows the '='
 * line           number of the line, from 1
 *
 * Returns 0 to continue; else -1, and the reader puts the file and the line before the fault.
 */
typedef int ini_setting(void *with, const char *section, const char *name, const char *value,
	int line, struct fault *f);

/*
 * Reads a file of settings.
 *
 * A line is empty, a comment whose first character is '#' or ';', [SECTION], or NAME = VALUE.
 * The value is the rest of the line: a '#' or ';' in it starts no comment. A line ends with LF or
 * CR LF, and never continues on the next one. A byte order mark of UTF-8 is skipped.
 *
 * each  called for each setting, in the order of the file
 *
 * Returns 0; else FAULT_CONFIG with FILE:LINE before the text when a line has another form, is too
 * long or holds a control character; the code of `each`, likewise; FAULT_CONFIG for a file that is
 * too large; FAULT_NOTFOUND, FAULT_IO, FAULT_NOMEM.  Blocks: on the file.  Threads: any.
 */
int ini_read(const char *path, ini_setting *each, void *with, struct fault *f);

/*
 * The same for a text in memory.
 *
 * path  named in faults
 * text  len bytes and a NUL after them; changed while it is read
 */
int ini_parse(
	const char *path, char *text, size_t len, ini_setting *each, void *with, struct fault *f);

#endif
