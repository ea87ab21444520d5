#include "config.h"

#include "base/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/process.h"

static bool
is_help(const char *text)
{
	return strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0;
}

/* How many of argv's words the command's name takes; 0 when they are not its name. */
static int
words_matched(const char *name, int argc, char **argv)
{
	int n = 0;

	while (*name) {
		size_t len = strcspn(name, " ");

		if (n >= argc || strlen(argv[n]) != len || strncmp(argv[n], name, len) != 0)
			return 0;
		n++;
		name += len + (name[len] == ' ');
	}
	return n;
}

static const struct command *
find(const struct program *program, int argc, char **argv, int *ret_words)
{
	const struct command *found = NULL;

	*ret_words = 0;
	for (const struct command *c = program->commands; c->name; c++) {
		int n = words_matched(c->name, argc, argv);

		if (n > *ret_words) {
			found = c;
			*ret_words = n;
		}
	}
	return found;
}

/* Commands whose name begins with the words given, so that `cert --help` lists cert's. */
static bool
list_commands(const struct program *program, const char *prefix, FILE *to)
{
	size_t len = strlen(prefix);
	bool any = false;

	for (const struct command *c = program->commands; c->name; c++) {
		if (len && (strncmp(c->name, prefix, len) != 0 || c->name[len] != ' '))
			continue;
		fprintf(to, "  %-36s %s\n", c->name, c->summary);
		any = true;
	}
	return any;
}

static void
print_program_help(const struct program *program)
{
	printf("%s: %s\n\nusage: %s COMMAND [OPTION...] [OPERAND...]\n\n", program->name,
		program->synopsis, program->name);
	list_commands(program, "", stdout);
	printf("\n'%s COMMAND --help' tells more; exit status: 0 done, 1 a retry may help,\n"
	       "2 usage or settings, 3 the token refuses.\n%s",
		program->name, program->see_also);
}

static void
print_command_help(const struct program *program, const struct command *c)
{
	printf("usage: %s %s [OPTION...]%s%s\n\n%s.\n", program->name, c->name,
		*c->operands ? " " : "", c->operands, c->summary);
	if (c->description)
		printf("\n%s\n", c->description);
	printf("\n");
	setting_help(c->settings, stdout);
	printf("  %-30s %s\n", "-h, --help", "show this");
}

static int
no_such_command(const struct program *program, int argc, char **argv)
{
	char words[128] = "";

	for (int i = 0; i < argc && argv[i][0] != '-'; i++) {
		size_t n = strlen(words);

		snprintf(words + n, sizeof(words) - n, "%s%s", n ? " " : "", argv[i]);
	}
	if (*words && list_commands(program, words, stdout))
		return is_help(argv[argc - 1]) ? 0 : 2;
	if (argc > 0 && *words)
		log_error("no such command: '%s': see '%s --help'", words, program->name);
	else
		log_error("name a command first: see '%s --help'", program->name);
	return 2;
}

static int
run(const struct program *program, const struct command *c, int argc, char **argv, struct fault *f)
{
	AUTO(auto_free) void *values = calloc(1, c->values_size ? c->values_size : 1);
	int first, n, rc;

	if (!values)
		return fault_nomem(f);
	rc = c->load ? c->load(values, argc, argv, &first, f)
		     : setting_preset(c->settings, values, NULL, f) ||
			       setting_parse(c->settings, values, NULL, argc, argv, &first, f);
	if (rc == 0) {
		n = argc - first;
		if (n < c->min || n > c->max)
			rc = fault_set(f, FAULT_USAGE, "%s operands: usage: %s %s [OPTION...] %s",
				n < c->min ? "too few" : "too many", program->name, c->name,
				c->operands);
		else
			rc = c->run(values, n, argv + first, f);
	}
	setting_clear(c->settings, values);
	return rc ? -1 : 0;
}

int
command_main(const struct program *program, int argc, char **argv)
{
	struct fault fault = FAULT_INIT;
	const struct command *c;
	int words;

	process_harden();
	argc--, argv++;
	if (argc > 0 && is_help(argv[0])) {
		print_program_help(program);
		return 0;
	}
	if (argc == 1 && strcmp(argv[0], "--version") == 0) {
		printf("%s %s\n", program->name, PACKAGE_VERSION);
		return 0;
	}
	c = find(program, argc, argv, &words);
	if (!c)
		return no_such_command(program, argc, argv);
	for (int i = words; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (is_help(argv[i])) {
			print_command_help(program, c);
			return 0;
		}
	}
	/* The last word of the name takes argv[0]'s place before the options. */
	if (run(program, c, argc - words + 1, argv + words - 1, &fault)) {
		log_error("%s", fault.text);
		return fault_exit_status(fault.code);
	}
	if (fflush(stdout) != 0) {
		log_error("cannot write to standard output");
		return fault_exit_status(FAULT_IO);
	}
	return 0;
}
