/* text: what others wrote, made fit to be shown. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/*
 * Copies a text for a terminal, whoever sent it: control characters are written \xNN, what does not
 * fit becomes "...".
 *
 * size  of `shown`; at least 4
 */
void text_show(const char *text, char *shown, size_t size);

/*
 * Copies as much of a text as fits, in whole characters: what was UTF-8 stays so.
 *
 * size  of `ret`; at least 1
 */
void text_cut(const char *text, char *ret, size_t size);

#endif
