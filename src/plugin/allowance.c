#include "config.h"

#include "plugin/allowance.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/table.h"

struct kept {
	int64_t row;
	struct allowance allowance;
	struct table_link by_row;
	struct list_link order;
};

/* order: the device that went first stands first. */
struct allowances {
	struct table by_row;
	struct list order;
};

int
allowances_new(struct allowances **ret_allowances, struct fault *f)
{
	struct allowances *allowances = calloc(1, sizeof(*allowances));

	if (!allowances)
		return fault_nomem(f);
	*ret_allowances = allowances;
	return 0;
}

static void
forget(struct allowances *allowances, struct kept *kept)
{
	table_remove(&allowances->by_row, &kept->by_row);
	list_remove(&kept->order);
	free(kept);
}

void
allowances_free(struct allowances *allowances)
{
	if (!allowances)
		return;
	while (allowances->order.head)
		forget(allowances, CONTAINER(allowances->order.head, struct kept, order));
	table_clear(&allowances->by_row);
	free(allowances);
}

static struct kept *
find(struct allowances *allowances, int64_t row)
{
	struct table_link *link =
		table_first(&allowances->by_row, table_hash_number((uint64_t)row));

	for (; link; link = table_next(link)) {
		struct kept *kept = CONTAINER(link, struct kept, by_row);

		if (kept->row == row)
			return kept;
	}
	return NULL;
}

static bool
is_unused(const struct allowance *a)
{
	return !a->messages.used_ns && !a->bytes_up.used_ns && !a->bytes_down.used_ns &&
	       !a->states.used_ns;
}

void
allowances_keep(struct allowances *allowances, int64_t row, const struct allowance *allowance)
{
	AUTO(auto_free) struct kept *kept = NULL;

	allowances_take(allowances, row);
	if (is_unused(allowance))
		return;
	if (allowances->by_row.n == ALLOWANCES_MAX)
		forget(allowances, CONTAINER(allowances->order.head, struct kept, order));
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return;
	kept->row = row;
	kept->allowance = *allowance;
	if (table_add(&allowances->by_row, &kept->by_row, table_hash_number((uint64_t)row), NULL))
		return;
	list_append(&allowances->order, &kept->order);
	kept = NULL;
}

struct allowance
allowances_take(struct allowances *allowances, int64_t row)
{
	struct kept *kept = find(allowances, row);
	struct allowance allowance = {0};

	if (kept) {
		allowance = kept->allowance;
		forget(allowances, kept);
	}
	return allowance;
}
