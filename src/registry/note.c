#include "config.h"

#include "registry/note.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "registry/audit.h"

/* The device may have been named by its number: the audit has its id. */
static int
read_name(struct registry *r, int64_t device, struct rules_client *at, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	at->device[0] = '\0';
	if (device == 0)
		return 0;
	if (db_prepare(r, "SELECT name FROM devices WHERE id = ?", &q, f, "i", device) ||
		db_step(r, q, &row, f))
		return -1;
	if (row)
		snprintf(at->device, sizeof(at->device), "%s", db_text(q, 0));
	return 0;
}

int
note(struct registry *r, const struct rules_client *at, int64_t device, const char *event,
	struct fault *f, const char *detail, ...)
{
	struct rules_client named = *at;
	char text[512];
	const struct audit_line line = {.class = REGISTRY_OPERATOR,
		.at = &named,
		.when = time(NULL),
		.event = event,
		.detail = text};
	va_list ap;

	if (read_name(r, device, &named, f))
		return -1;
	va_start(ap, detail);
	vsnprintf(text, sizeof(text), detail, ap);
	va_end(ap);
	return audit_add(r, &line, f);
}
