#include "config.h"

#include "registry/registry.h"

#include "registry/audit.h"
#include "registry/db.h"

int
registry_begin(struct registry *registry, struct fault *f)
{
	return db_begin(registry, f);
}

int
registry_commit(struct registry *registry, struct fault *f)
{
	return db_commit(registry, f);
}

void
registry_rollback(struct registry *registry)
{
	db_rollback(registry);
}

int
registry_keep_activity(struct registry *registry, int64_t device_row,
	const struct registry_activity *a, struct fault *f)
{
	return db_run(registry,
		"INSERT INTO activity (device, heartbeat, event, config_sent, config_version, "
		"error,"
		" error_text)"
		" SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM devices WHERE id = ?1"
		" ON CONFLICT (device) DO UPDATE SET"
		" heartbeat = max(heartbeat, excluded.heartbeat),"
		" event = max(event, excluded.event),"
		" config_version = iif(excluded.config_sent, excluded.config_version,"
		"  config_version),"
		" config_sent = max(config_sent, excluded.config_sent),"
		" error_text = iif(excluded.error, excluded.error_text, error_text),"
		" error = max(error, excluded.error)",
		f, "iiiiiit", device_row, a->heartbeat, a->event, a->config_sent, a->config_version,
		a->error, a->error_text ? a->error_text : "");
}

int
registry_keep_event(struct registry *registry, const struct registry_event *event, struct fault *f)
{
	const struct audit_line line = {.class = event->class,
		.causer = event->causer,
		.at = &event->of,
		.when = event->when,
		.event = event->event,
		.detail = event->detail};

	return audit_add(registry, &line, f);
}
