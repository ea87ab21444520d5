/*
 * text: what others wrote, made fit to print. A terminal obeys control characters, and shows text
 * in another order for some that have no picture; what a cloud, a device, a certificate or a token
 * says goes through here before it is printed or logged.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/*
 * All functions here write these in an escaped form, and everything else as it is:
 *
 * \xNN        bytes that are not UTF-8; control characters, U+0000 to U+001F and U+007F to U+009F
 * \uNNNN      characters that have no picture and change how others look: U+202E and its like
 * \UNNNNNNNN  the same beyond U+FFFF
 *
 * Escaped text stays the same when it is escaped again.
 */

/*
 * Copies a text for one line of output. What does not fit becomes "...".
 *
 * size  of `shown`; at least 4
 */
void text_show(const char *text, char *shown, size_t size);

/*
 * The same, of any length.
 *
 * len  bytes of text, which may have NULs
 *
 * Returns it, for free(); NULL when memory ran out.
 */
char *text_fit(const char *text, size_t len);

/*
 * The same for a JSON text, which means the same afterwards: \uNNNN, as JSON has it, and line ends
 * between its values stay.
 *
 * Returns it, for free(); NULL when memory ran out.
 */
char *text_fit_json(const char *json);

/*
 * Copies as much of a text as fits, in whole characters: what was UTF-8 stays so.
 *
 * size  of `ret`; at least 1
 */
void text_cut(const char *text, char *ret, size_t size);

#endif
