/* setting: a table of named values drives parsing, range checks and --help alike. */
#ifndef BASE_SETTING_H
#define BASE_SETTING_H

#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/fault.h"

/* What a row's place in the struct of values is. */
enum setting_type {
	SETTING_FLAG,	  /* bool: --name, --no-name */
	SETTING_SWITCH,	  /* int: 0 when not given, 1 for --name, -1 for --no-name */
	SETTING_TEXT,	  /* char *, or NULL when not given and without preset */
	SETTING_CHOICE,	  /* char *, one of the words in `words` */
	SETTING_NUMBER,	  /* long within min..max */
	SETTING_DURATION, /* long, seconds within min..max; written 90, 90s, 15m, 12h or 7d */
	SETTING_SIZE,	  /* long, bytes within min..max; written 4096, 64K, 512M or 2G */
	SETTING_LIST,	  /* struct setting_list: may be given several times */
};

/* lines  of each item: the line of the file that it was given in, else 0; NULL without items */
struct setting_list {
	char **items;
	size_t n;
	int *lines;
};

/* Where a value was given, the weakest first. */
enum setting_source {
	SETTING_NOWHERE, /* or by the preset */
	SETTING_ENVIRONMENT,
	SETTING_FILE,
	SETTING_COMMAND_LINE,
};

/* Where a row's value was given. line: of a file, the last one for a list; else 0. */
struct setting_origin {
	enum setting_source source;
	int line;
};

/*
 * name    long name, in lower case with dashes
 * letter  short name, 0 without one
 * offset  of the value in the struct of values
 * preset  the value when none is given, as text; NULL leaves NULL, 0, false, or no items
 * env     a variable of the environment that comes before the preset; NULL without one
 * words   for SETTING_CHOICE: the words, separated by spaces
 * value   what the value is, in capitals, for --help ("FILE"); NULL for a flag
 * help    one sentence without full stop, with the unit; NULL keeps the row out of --help
 */
struct setting {
	const char *name;
	char letter;
	enum setting_type type;
	size_t offset;
	const char *preset;
	const char *env;
	long min, max;
	const char *words;
	const char *value;
	const char *help;
};

/* Rows that a table may have. */
#define SETTING_ROWS_MAX 64

/* Items a SETTING_LIST takes at most, and characters a value may have. */
#define SETTING_LIST_MAX 64
#define SETTING_TEXT_MAX 65536

/*
 * Sets one value from text; adds an item to a list.
 *
 * values  the struct of values the row's offset points into
 *
 * Returns 0; else FAULT_USAGE when the text is not a valid value, FAULT_NOMEM.  The fault does not
 * name the setting: the caller knows how the user wrote it.  Threads: any.
 */
int setting_set(const struct setting *row, void *values, const char *text, struct fault *f);

/*
 * Sets one value from text, and notes where it was given. The first item of a list from a stronger
 * source replaces the items of a weaker one.
 *
 * origin  the row's; zeroed before the first value
 * source  not weaker than the source of the value that is set already
 * line    of the file; 0 for other sources
 *
 * Returns 0; else as setting_set(), FAULT_USAGE when a file has the same row twice and it is not a
 * list.  Threads: any.
 */
int setting_give(const struct setting *row, void *values, struct setting_origin *origin,
	enum setting_source source, int line, const char *text, struct fault *f);

/*
 * Fills every value with the environment's or the preset.
 *
 * table    rows, the last one with name NULL
 * values   zeroed before; to be emptied with setting_clear() in any case
 * origins  one for each row, zeroed before; or NULL
 *
 * Returns 0; else FAULT_USAGE naming the variable that holds an invalid value, FAULT_NOMEM.
 */
int setting_preset(
	const struct setting *table, void *values, struct setting_origin *origins, struct fault *f);

/*
 * Takes `--name=value`, `--name value`, `-x value` out of a command line, wherever they stand;
 * what follows `--` are operands. A setting other than a list counts once; the last one wins.
 *
 * origins       of the values that are set already, one for each row; or NULL
 * argv          argv[0] is skipped; reordered so that the operands stand last
 * ret_operands  receives the index of the first operand
 *
 * Returns 0; else FAULT_USAGE naming the option, FAULT_NOMEM.  Threads: main only (getopt).
 */
int setting_parse(const struct setting *table, void *values, struct setting_origin *origins,
	int argc, char **argv, int *ret_operands, struct fault *f);

/* Whether a row's value is the same in two structs of values. */
bool setting_same(const struct setting *row, const void *a, const void *b);

/* Takes every item out of a list. */
void setting_list_clear(struct setting_list *list);

/* Frees what the values own. */
void setting_clear(const struct setting *table, void *values);

/* Writes the rows of --help. */
void setting_help(const struct setting *table, FILE *to);

#endif
