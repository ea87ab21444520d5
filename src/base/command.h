/* command: a program's table of subcommands: finds one, parses settings, prints help and faults. */
#ifndef BASE_COMMAND_H
#define BASE_COMMAND_H

#include <stddef.h>

#include "base/fault.h"
#include "base/setting.h"

/*
 * name         one or more words: "cert import"
 * operands     for the usage line: "FILE..."; "" without
 * min, max     how many operands it takes
 * settings     its settings, the last row with name NULL
 * values_size  bytes of the struct of values
 * summary      one line, for the list of commands
 * description  paragraphs for its --help; NULL when the summary says it all
 * load         reads the settings in its own way, as setting_preset() and setting_parse() do
 *              together; NULL for these two
 * run          does it; operands are borrowed
 */
struct command {
	const char *name;
	const char *operands;
	int min, max;
	const struct setting *settings;
	size_t values_size;
	const char *summary;
	const char *description;
	int (*load)(void *values, int argc, char **argv, int *ret_operands, struct fault *f);
	int (*run)(void *values, int argc, char **argv, struct fault *f);
};

/*
 * name      the program's
 * synopsis  one line: what it is
 * commands  the table, the last row with name NULL
 * see_also  closing lines of --help
 */
struct program {
	const char *name;
	const char *synopsis;
	const struct command *commands;
	const char *see_also;
};

/*
 * Runs a program: hardens the process, finds the command (--help, --version are its own), parses,
 * runs, and prints the fault, if any, as one line on standard error.
 *
 * Returns the exit status.  Threads: main only.
 */
int command_main(const struct program *program, int argc, char **argv);

#endif
