#include "config.h"

#include "base/setting.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

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
		return fault_set(f, FAULT_USAGE, "'%s' is not a number%s", text, measure.example);
	for (const struct unit *unit = measure.units; unit->suffix; unit++) {
		long scaled;

		if (strcmp(end, unit->suffix) != 0)
			continue;
		if (__builtin_mul_overflow(n, unit->factor, &scaled) || scaled < row->min ||
			scaled > row->max)
			return fault_set(f, FAULT_USAGE, "'%s' is not within %ld..%ld%s", text,
				row->min, row->max, measure.name);
		*ret = scaled;
		return 0;
	}
	return fault_set(f, FAULT_USAGE, "'%s' is not a number%s", text, measure.example);
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
add_item(struct setting_list *list, const char *text, struct fault *f)
{
	char **items;
	int *lines;

	if (list->n == SETTING_LIST_MAX)
		return fault_set(
			f, FAULT_USAGE, "it is given more than %d times", SETTING_LIST_MAX);
	items = realloc(list->items, (list->n + 1) * sizeof(*items));
	if (!items)
		return fault_nomem(f);
	list->items = items;
	lines = realloc(list->lines, (list->n + 1) * sizeof(*lines));
	if (!lines)
		return fault_nomem(f);
	list->lines = lines;
	items[list->n] = NULL;
	lines[list->n] = 0;
	if (set_text(&items[list->n], text, f))
		return -1;
	list->n++;
	return 0;
}

static int
set_flag(const struct setting *row, void *at, const char *text, struct fault *f)
{
	bool on = is_word("true yes 1", text);

	if (!on && !is_word("false no 0", text))
		return fault_set(f, FAULT_USAGE, "'%s' is neither true nor false", text);
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
		return fault_set(
			f, FAULT_USAGE, "the value is longer than %d bytes", SETTING_TEXT_MAX);
	switch (row->type) {
	case SETTING_FLAG:
	case SETTING_SWITCH:
		return set_flag(row, place(row, values), text, f);
	case SETTING_CHOICE:
		if (!is_word(row->words, text))
			return fault_set(
				f, FAULT_USAGE, "'%s' is not one of: %s", text, row->words);
		return set_text(place(row, values), text, f);
	case SETTING_TEXT:
		return set_text(place(row, values), text, f);
	case SETTING_NUMBER:
	case SETTING_DURATION:
	case SETTING_SIZE:
		return parse_number(row, text, place(row, values), f);
	case SETTING_LIST:
		return add_item(place(row, values), text, f);
	}
	return fault_set(f, FAULT_USAGE, "the setting has no type");
}

int
setting_give(const struct setting *row, void *values, struct setting_origin *origin,
	enum setting_source source, int line, const char *text, struct fault *f)
{
	struct setting_list *list = row->type == SETTING_LIST ? place(row, values) : NULL;

	if (list && source != origin->source)
		setting_list_clear(list);
	if (!list && source == SETTING_FILE && origin->source == SETTING_FILE)
		return fault_set(f, FAULT_USAGE, "it is set in line %d already", origin->line);
	if (setting_set(row, values, text, f))
		return -1;
	if (list)
		list->lines[list->n - 1] = line;
	*origin = (struct setting_origin){source, line};
	return 0;
}

int
setting_preset(
	const struct setting *table, void *values, struct setting_origin *origins, struct fault *f)
{
	for (const struct setting *row = table; row->name; row++) {
		const char *text = row->env ? getenv(row->env) : NULL;
		struct setting_origin unused = {0};
		struct setting_origin *origin = origins ? &origins[row - table] : &unused;

		if (text && *text) {
			if (setting_give(row, values, origin, SETTING_ENVIRONMENT, 0, text, f))
				return fault_prefix(f, "environment variable %s", row->env);
		} else if (row->preset && setting_set(row, values, row->preset, f)) {
			return fault_prefix(f, "the preset of %s", row->name);
		}
	}
	return 0;
}

/* The tables of getopt. val is 1000 + row for a long name, plus SETTING_ROWS_MAX for --no-NAME. */
struct getopt_table {
	struct option longs[2 * SETTING_ROWS_MAX + 1];
	char shorts[3 * SETTING_ROWS_MAX + 3];
	char *negated[SETTING_ROWS_MAX];
};

static void
getopt_table_clear(struct getopt_table *g)
{
	for (size_t i = 0; i < SETTING_ROWS_MAX; i++)
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

		if (i == SETTING_ROWS_MAX)
			return fault_set(f, FAULT_USAGE, "too many settings");
		g->longs[n++] = (struct option){
			table[i].name, flag ? no_argument : required_argument, NULL, 1000 + i};
		if (flag) {
			if (asprintf(&g->negated[i], "no-%s", table[i].name) < 0) {
				g->negated[i] = NULL;
				return fault_nomem(f);
			}
			g->longs[n++] = (struct option){
				g->negated[i], no_argument, NULL, 1000 + SETTING_ROWS_MAX + i};
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
	*ret_negated = got >= 1000 + SETTING_ROWS_MAX;
	if (got >= 1000)
		return &table[(got - 1000) % SETTING_ROWS_MAX];
	for (const struct setting *row = table; row->name; row++) {
		if (row->letter == got)
			return row;
	}
	return NULL;
}

/* One option that getopt found. */
static int
take_option(const struct setting *row, void *values, struct setting_origin *origin, bool negated,
	struct fault *f)
{
	const char *text = !is_flag(row) ? optarg : negated ? "false" : "true";
	int rc = origin ? setting_give(row, values, origin, SETTING_COMMAND_LINE, 0, text, f)
			: setting_set(row, values, text, f);

	return rc ? fault_prefix(f, "--%s", row->name) : 0;
}

int
setting_parse(const struct setting *table, void *values, struct setting_origin *origins, int argc,
	char **argv, int *ret_operands, struct fault *f)
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
		if (take_option(row, values, origins ? &origins[row - table] : NULL, negated, f))
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
	free(list->lines);
	*list = (struct setting_list){0};
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
