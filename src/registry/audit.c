#include "config.h"

#include "registry/audit.h"

/*
 * Lines removed with each new one, per bound: more than one, so that a file with too many lines
 * shrinks, and few, so that no transaction becomes long.
 */
#define REMOVED_MAX 4

/*
 * max         lines of the class
 * causer_max  lines of the class that have the same causer
 */
static const struct ring {
	const char *name;
	int64_t max, causer_max;
} rings[] = {
	[REGISTRY_OPERATOR] = {"operator", AUDIT_OPERATORS_MAX, AUDIT_OPERATORS_MAX},
	[REGISTRY_DEVICE] = {"device", AUDIT_DEVICES_MAX, AUDIT_DEVICE_MAX},
	[REGISTRY_STRANGER] = {"stranger", AUDIT_STRANGERS_MAX, AUDIT_STRANGERS_MAX},
};

const char *audit_class_name(enum registry_class class)
{
	return rings[class].name;
}

/* A causer's lines have numbers without gaps: only the oldest is ever removed. */
static int
insert(struct registry *r, const struct ring *ring, const struct audit_line *line, struct fault *f)
{
	return db_run(r,
		"INSERT INTO audit (time, project, region, registry, device, event, detail, class,"
		" causer, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (SELECT"
		" coalesce(max(number), 0) + 1 FROM audit WHERE class = ?8 AND causer = ?9))",
		f, "ittttttti", (int64_t)line->when, line->at->project, line->at->region,
		line->at->registry, line->at->device, line->event, line->detail, ring->name,
		line->causer);
}

static int
remove_oldest_of_causer(
	struct registry *r, const struct ring *ring, int64_t causer, struct fault *f)
{
	return db_run(r,
		"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE class = ?1"
		" AND causer = ?2 AND number <= (SELECT max(number) FROM audit WHERE class = ?1"
		"  AND causer = ?2) - ?3 ORDER BY number LIMIT ?4)",
		f, "tiii", ring->name, causer, ring->causer_max, (int64_t)REMOVED_MAX);
}

static int
remove_oldest(struct registry *r, const struct ring *ring, struct fault *f)
{
	return db_run(r,
		"DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE class = ?1 ORDER BY id"
		" LIMIT (SELECT min(max(lines - ?2, 0), ?3) FROM audit_rings WHERE class = ?1))",
		f, "tii", ring->name, ring->max, (int64_t)REMOVED_MAX);
}

int
audit_add(struct registry *r, const struct audit_line *line, struct fault *f)
{
	const struct ring *ring = &rings[line->class];

	if (insert(r, ring, line, f) || remove_oldest_of_causer(r, ring, line->causer, f))
		return -1;
	return remove_oldest(r, ring, f);
}
