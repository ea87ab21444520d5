#include "config.h"

#include "base/setting.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

#define ROWS_MAX 64

static void *
place(const struct setting *row, void *values)
{
	return (char *)values + row->offset;
}

static bool
is_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (const char *w = words; *w;) {
		size_t n = strcspn(w, " ");

		if (n == len && strncmp(w, text, n) == 0)
			return true;
		w += n + (w[n] == ' ');
	}
	return false;
}

/* What may stand behind a number, and what it then counts. */
struct unit {
	const char *suffix;
	long factor;
};

static const struct unit plain[] = {{"", 1}, {NULL}};
static const struct unit seconds[] = {
	{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL}};
static const struct unit bytes[] = {
	{"", 1}, {"K", 1L << 10}, {"M", 1L << 20}, {"G", 1L << 30}, {"T", 1L << 40}, {NULL}};

/* units, and in words: behind a range, and behind what a value must be */
struct measure {
	const struct unit *units;
	const char *name, *example;
};

static struct measure
measure_of(const struct setting *row)
{
	switch (row->type) {
	case SETTING_DURATION:
		return (struct measure){seconds, " seconds", " of seconds (90, 90s, 15m, 12h, 7d)"};
	case SETTING_SIZE:
		return (struct measure){bytes, " bytes", " of bytes (4096, 64K, 512M, 2G)"};
	default:
		return (struct measure){plain, "", ""};
	}
}

static int
parse_number(const struct setting *row, const char *text, long *ret, struct fault *f)
{
	const struct measure measure = measure_of(row);
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (end == text || errno || isspace((unsigned char)*text))
		return fault_set(f, FAULT_USAGE, "--%s: '%s' is not a number%s", row->name, text,
			measure.example);
	for (const struct unit *unit = measure.units; unit->suffix; unit++) {
		long scaled;

		if (strcmp(end, unit->suffix) != 0)
			continue;
		if (__builtin_mul_overflow(n, unit->factor, &scaled) || scaled < row->min ||
			scaled > row->max)
			return fault_set(f, FAULT_USAGE, "--%s: '%s' is not within %ld..%ld%s",
				row->name, text, row->min, row->max, measure.name);
		*ret = scaled;
		return 0;
	}
	return fault_set(
		f, FAULT_USAGE, "--%s: '%s' is not a number%s", row->name, text, measure.example);
}

static int
set_text(char **at, const char *text, struct fault *f)
{
	char *copy = strdup(text);

	if (!copy)
		return fault_nomem(f);
	free(*at);
	*at = copy;
	return 0;
}

static int
add_item(const struct setting *row, struct setting_list *list, const char *text, struct fault *f)
{
	char **grown;

	if (list->n == SETTING_LIST_MAX)
		return fault_set(f, FAULT_USAGE, "--%s is given more than %d times", row->name,
			SETTING_LIST_MAX);
	grown = realloc(list->items, (list->n + 1) * sizeof(*grown));
	if (!grown)
		return fault_nomem(f);
	list->items = grown;
	grown[list->n] = NULL;
	if (set_text(&grown[list->n], text, f))
		return -1;
	list->n++;
	return 0;
}

static int
set_flag(const struct setting *row, void *at, const char *text, struct fault *f)
{
	bool on = is_word("true yes 1", text);

	if (!on && !is_word("false no 0", text))
		return fault_set(
			f, FAULT_USAGE, "--%s: '%s' is neither true nor false", row->name, text);
	if (row->type == SETTING_FLAG)
		*(bool *)at = on;
	else
		*(int *)at = on ? 1 : -1;
	return 0;
}

static bool
is_flag(const struct setting *row)
{
	return row->type == SETTING_FLAG || row->type == SETTING_SWITCH;
}

int
setting_set(const struct setting *row, void *values, const char *text, struct fault *f)
{
	if (strnlen(text, SETTING_TEXT_MAX + 1) > SETTING_TEXT_MAX)
		return fault_set(f, FAULT_USAGE, "--%s: the value is longer than %d", row->name,
			SETTING_TEXT_MAX);
	switch (row->type) {
	case SETTING_FLAG:
	case SETTING_SWITCH:
		return set_flag(row, place(row, values), text, f);
	case SETTING_CHOICE:
		if (!is_word(row->words, text))
			return fault_set(f, FAULT_USAGE, "--%s: '%s' is none of: %s", row->name,
				text, row->words);
		return set_text(place(row, values), text, f);
	case SETTING_TEXT:
		return set_text(place(row, values), text, f);
	case SETTING_NUMBER:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return parse_number(row, text, place(row, values), f);
	case SETTING_LIST:
		return add_item(row, place(row, values), text, f);
	}
	return fault_set(f, FAULT_USAGE, "--%s has no type", row->name);
}

int
setting_preset(const struct setting *table, void *values, struct fault *f)
{
	for (const struct setting *row = table; row->name; row++) {
		const char *text = row->env ? getenv(row->env) : NULL;

		if (text && *text) {
			if (setting_set(row, values, text, f))
				return fault_prefix(f, "environment variable %s", row->env);
		} else if (row->preset && setting_set(row, values, row->preset, f)) {
			return -1;
		}
	}
	return 0;
}

/* What getopt wants to know; val 1000 + row for a long name, + ROWS_MAX for its --no- form. */
struct getopt_table {
	struct option longs[2 * ROWS_MAX + 1];
	char shorts[3 * ROWS_MAX + 3];
	char *negated[ROWS_MAX];
};

static void
getopt_table_clear(struct getopt_table *g)
{
	for (size_t i = 0; i < ROWS_MAX; i++)
		free(g->negated[i]);
}

static int
getopt_table_fill(struct getopt_table *g, const struct setting *table, struct fault *f)
{
	size_t n = 0;
	char *s = g->shorts;

	*s++ = ':';
	for (int i = 0; table[i].name; i++) {
		bool flag = is_flag(&table[i]);

		if (i == ROWS_MAX)
			return fault_set(f, FAULT_USAGE, "too many settings");
		g->longs[n++] = (struct option){
			table[i].name, flag ? no_argument : required_argument, NULL, 1000 + i};
		if (flag) {
			if (asprintf(&g->negated[i], "no-%s", table[i].name) < 0) {
				g->negated[i] = NULL;
				return fault_nomem(f);
			}
			g->longs[n++] = (struct option){
				g->negated[i], no_argument, NULL, 1000 + ROWS_MAX + i};
		}
		if (table[i].letter) {
			*s++ = table[i].letter;
			if (!flag)
				*s++ = ':';
		}
	}
	return 0;
}

static const struct setting *
row_of(const struct setting *table, int got, bool *ret_negated)
{
	*ret_negated = got >= 1000 + ROWS_MAX;
	if (got >= 1000)
		return &table[(got - 1000) % ROWS_MAX];
	for (const struct setting *row = table; row->name; row++) {
		if (row->letter == got)
			return row;
	}
	return NULL;
}

int
setting_parse(const struct setting *table, void *values, int argc, char **argv, int *ret_operands,
	struct fault *f)
{
	AUTO(getopt_table_clear) struct getopt_table g = {.longs = {{0}}};
	int got;

	if (getopt_table_fill(&g, table, f))
		return -1;
	opterr = 0;
	optind = 0;
	while ((got = getopt_long(argc, argv, g.shorts, g.longs, NULL)) != -1) {
		const char *given = argv[optind - 1];
		const struct setting *row;
		bool negated;

		if (got == ':')
			return fault_set(f, FAULT_USAGE, "option '%s' needs a value", given);
		row = got == '?' ? NULL : row_of(table, got, &negated);
		if (!row) {
			if (optopt && optopt < 256 && strncmp(given, "--", 2) != 0)
				return fault_set(f, FAULT_USAGE, "no such option: '-%c'", optopt);
			return fault_set(f, FAULT_USAGE, "no such option: '%.*s'",
				(int)strcspn(given, "="), given);
		}
		if (setting_set(row, values,
			    !is_flag(row) ? optarg
			    : negated	  ? "false"
					  : "true",
			    f))
			return -1;
	}
	*ret_operands = optind;
	return 0;
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool
same_list(const struct setting_list *a, const struct setting_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	}
	return true;
}

bool
setting_same(const struct setting *row, const void *a, const void *b)
{
	const void *at_a = (const char *)a + row->offset, *at_b = (const char *)b + row->offset;

	switch (row->type) {
	case SETTING_FLAG:
		return *(const bool *)at_a == *(const bool *)at_b;
	case SETTING_SWITCH:
		return *(const int *)at_a == *(const int *)at_b;
	case SETTING_TEXT:
	case SETTING_CHOICE:
		return same_text(*(char *const *)at_a, *(char *const *)at_b);
	case SETTING_NUMBER:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return *(const long *)at_a == *(const long *)at_b;
	case SETTING_LIST:
		return same_list(at_a, at_b);
	}
	return false;
}

void
setting_list_clear(struct setting_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct setting_list){NULL, 0};
}

void
setting_clear(const struct setting *table, void *values)
{
	for (const struct setting *row = table; row->name; row++) {
		if (row->type == SETTING_TEXT || row->type == SETTING_CHOICE) {
			char **text = place(row, values);

			free(*text);
			*text = NULL;
		} else if (row->type == SETTING_LIST) {
			setting_list_clear(place(row, values));
		}
	}
}

void
setting_help(const struct setting *table, FILE *to)
{
	for (const struct setting *row = table; row->name; row++) {
		char left[64];
		int n;

		if (!row->help)
			continue;
		n = row->letter ? snprintf(left, sizeof(left), "-%c, ", row->letter)
				: snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", row->name,
			row->value ? " " : "", row->value ? row->value : "");
		fprintf(to, "  %-30s %s", left, row->help);
		if (row->words)
			fprintf(to, ": %s", row->words);
		if (row->preset)
			fprintf(to, " (default %s)", row->preset);
		if (row->env)
			fprintf(to, " [$%s]", row->env);
		fputc('\n', to);
	}
}
