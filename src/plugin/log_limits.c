#include "config.h"

#include "plugin/log_limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/table.h"
#include "registry/limits.h"

/* By then the slowest bucket is full again, so a device gains nothing by being forgotten. */
#define FORGET_AFTER_MS \
	(LOG_LIMITS_ATTACHED_LINES / LOG_LIMITS_ATTACHED_LINES_PER_S * INT64_C(1000))

/*
 * A device that caused a line lately.
 *
 * asked_ms     when it last caused one, written or left out
 * own          lines about itself, by level
 * attached     lines about devices that are attached to it
 * of           the device, by its id; NULL while no line is left out
 * by_row, recent, owing  in the tables and lists of the same names
 */
struct source {
	int64_t row;
	int64_t asked_ms;
	struct limits_bucket own[RULES_LOG_DEBUG + 1];
	struct limits_bucket attached;
	unsigned long left_out;
	struct rules_client *of;
	struct table_link by_row;
	struct list_link recent, owing;
};

/*
 * recent  all, the one that has been quiet for longest first
 * owing   those with lines left out, in the same order
 */
struct log_limits {
	struct table by_row;
	struct list recent, owing;
};

int
log_limits_new(struct log_limits **ret_limits, struct fault *f)
{
	struct log_limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return fault_nomem(f);
	*ret_limits = limits;
	return 0;
}

static void
forget(struct log_limits *limits, struct source *source)
{
	table_remove(&limits->by_row, &source->by_row);
	list_remove(&source->recent);
	list_remove(&source->owing);
	free(source->of);
	free(source);
}

/* The device of a list that has been quiet for longest, or NULL. */
#define QUIETEST(list, member) ((list).head ? CONTAINER((list).head, struct source, member) : NULL)

void
log_limits_free(struct log_limits *limits)
{
	struct source *source;

	if (!limits)
		return;
	while ((source = QUIETEST(limits->recent, recent)))
		forget(limits, source);
	table_clear(&limits->by_row);
	free(limits);
}

size_t
log_limits_count(const struct log_limits *limits)
{
	return limits->by_row.n;
}

/* The device's entry, a new one when it caused no line lately; NULL when memory ran out. */
static struct source *
find(struct log_limits *limits, int64_t row)
{
	uint64_t hash = table_hash_number((uint64_t)row);
	struct table_link *link = table_first(&limits->by_row, hash);
	struct source *source;

	for (; link; link = table_next(link)) {
		source = CONTAINER(link, struct source, by_row);
		if (source->row == row)
			return source;
	}
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->row = row;
	if (table_add(&limits->by_row, &source->by_row, hash, NULL)) {
		free(source);
		return NULL;
	}
	return source;
}

static void
leave_out(struct log_limits *limits, struct source *source, const struct registry_admission *by)
{
	source->left_out++;
	list_append(&limits->owing, &source->owing);
	if (source->of)
		return;
	source->of = malloc(sizeof(*source->of));
	if (!source->of)
		return;
	*source->of = by->client;
	memcpy(source->of->device, by->device_id, sizeof(source->of->device));
}

/* What was left out is reported: the device owes nothing. */
static unsigned long
settle(struct source *source)
{
	unsigned long left_out = source->left_out;

	source->left_out = 0;
	free(source->of);
	source->of = NULL;
	list_remove(&source->owing);
	return left_out;
}

bool
log_limits_take(struct log_limits *limits, const struct registry_admission *by,
	enum rules_log_level level, bool attached, int64_t now_ms, unsigned long *ret_left_out)
{
	struct source *source = find(limits, by->device_row);
	bool taken;

	if (!source)
		return false;
	source->asked_ms = now_ms;
	list_append(&limits->recent, &source->recent);
	taken = attached ? limits_take_of(&source->attached, LOG_LIMITS_ATTACHED_LINES,
				   LOG_LIMITS_ATTACHED_LINES_PER_S, 1, now_ms)
			 : limits_take_of(&source->own[level], LOG_LIMITS_LINES,
				   LOG_LIMITS_LINES_PER_S, 1, now_ms);
	if (!taken) {
		leave_out(limits, source, by);
		return false;
	}
	*ret_left_out = settle(source);
	return true;
}

static void
forget_quiet(struct log_limits *limits, int64_t now_ms)
{
	struct source *source;

	while ((source = QUIETEST(limits->recent, recent)) && !source->left_out &&
		now_ms - source->asked_ms >= FORGET_AFTER_MS)
		forget(limits, source);
}

bool
log_limits_take_rest(struct log_limits *limits, int64_t now_ms, struct log_limits_rest *ret_rest)
{
	struct source *source;

	forget_quiet(limits, now_ms);
	while ((source = QUIETEST(limits->owing, owing)) &&
		now_ms - source->asked_ms >= LOG_LIMITS_QUIET_MS) {
		bool named = source->of != NULL;

		if (named)
			ret_rest->of = *source->of;
		ret_rest->causer = source->row;
		ret_rest->left_out = settle(source);
		if (named)
			return true;
	}
	return false;
}
