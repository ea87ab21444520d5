#include "config.h"

#include "registry/audit.h"

#include "registry/store.h"

int
audit_add(struct registry *r, const struct rules_client *at, time_t when, const char *event,
	const char *detail, struct fault *f)
{
	if (db_run(r,
		    "INSERT INTO audit (time, project, region, registry, device, event, detail)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?)",
		    f, "itttttt", (int64_t)when, at->project, at->region, at->registry, at->device,
		    event, detail))
		return -1;
	return db_run(r, "DELETE FROM audit WHERE id <= ?", f, "i",
		sqlite3_last_insert_rowid(r->db) - AUDIT_MAX);
}
