/* What others change in the registry's file, and what time brings. */
#include "config.h"

#include "plugin/plugin.h"

#include <stdlib.h>
#include <string.h>

/* How often the registry's file is asked whether someone else changed it. */
#define LOOK_EVERY_MS 200

/* How often the files of revoked certificates are. */
#define CRLS_EVERY_MS 1000

/* Changes taken in at one look; what is more comes with the next one. */
#define CHANGES_MAX 1000

/*
 * Looking again at all who may stay costs the broker at most this many queries for each millisecond
 * that went by, and this many at once.
 */
#define RECHECKS_PER_MS 20
#define RECHECKS_MAX	2000

/* Connections closed at once. */
#define KICKS_MAX 200

int
watch_recheck(struct plugin *plugin, struct device *device)
{
	struct session *session = device->session;
	struct fault f = FAULT_INIT;
	bool stale = roster_is_stale(plugin->roster, device);
	int rc = device == &session->self
			 ? registry_may_stay(plugin->registry, &device->admission, &f)
			 : registry_may_stay_attached(plugin->registry, &session->self.admission,
				   &device->admission, &f);

	if (!rc) {
		roster_fresh(plugin->roster, device);
		/* What made it stale may have passed over a change of its config. */
		if (stale)
			downlink_renew_config(plugin, device);
	} else if (f.code == FAULT_AUTH) {
		if (device == &session->self)
			plugin_end(plugin, session, f.text);
		else
			gateway_drop(plugin, device, f.text);
	} else {
		/* As stale as before. */
		if (!plugin->failing)
			journal_failure(
				plugin->journal, "cannot check", session->client_id, f.text);
		plugin->failing = true;
		return -1;
	}
	plugin->failing = false;
	return 0;
}

/* The devices attached to a gateway that was itself changed are what its method says now. */
static int
recheck_attached(struct plugin *plugin, struct session *session)
{
	for (size_t i = 0; i < session->attached.n_slots; i++) {
		struct table_link *link = session->attached.slots[i], *next;

		for (; link; link = next) {
			next = link->next;
			if (watch_recheck(plugin, CONTAINER(link, struct device, by_name)))
				return -1;
		}
	}
	return 0;
}

static int
changed(struct plugin *plugin, int64_t row)
{
	struct device *device, *next;

	for (device = roster_of(plugin->roster, row, NULL); device; device = next) {
		next = roster_of(plugin->roster, row, device);
		if (watch_recheck(plugin, device))
			return -1;
	}
	for (device = roster_of(plugin->roster, row, NULL); device; device = next) {
		next = roster_of(plugin->roster, row, device);
		if (device == &device->session->self && recheck_attached(plugin, device->session))
			return -1;
		downlink_renew_config(plugin, device);
	}
	return 0;
}

static void
read_changes(struct plugin *plugin)
{
	int64_t rows[CHANGES_MAX];
	struct fault f = FAULT_INIT;
	bool all;
	size_t n;

	if (registry_changes(plugin->registry, rows, CHANGES_MAX, &n, &all, &f)) {
		/* That there was a change is not said again. */
		if (!plugin->reading_failed)
			journal_failure(plugin->journal, "cannot read what changed", "", f.text);
		plugin->reading = plugin->reading_failed = true;
		roster_make_stale(plugin->roster);
		return;
	}
	plugin->reading = n == CHANGES_MAX;
	plugin->reading_failed = false;
	for (size_t i = 0; i < n && !all; i++) {
		/* A file that fails now is asked again when the stale ones are swept. */
		all = changed(plugin, rows[i]) != 0;
	}
	if (all)
		roster_make_stale(plugin->roster);
}

static void
reread_crls(struct plugin *plugin, int64_t now_ms)
{
	struct fault f = FAULT_INIT;
	bool changed;

	if (!plugin->options.crl_file.n || now_ms - plugin->crls_ms < CRLS_EVERY_MS)
		return;
	plugin->crls_ms = now_ms;
	if (registry_reread_crls(plugin->registry, time(NULL), &changed, &f))
		journal_failure(plugin->journal, "revoked certificates", "", f.text);
	if (changed)
		roster_make_stale(plugin->roster);
}

void
watch_look(struct plugin *plugin, int64_t now_ms)
{
	reread_crls(plugin, now_ms);
	if (now_ms - plugin->looked_ms < LOOK_EVERY_MS)
		return;
	plugin->looked_ms = now_ms;
	if (registry_changed(plugin->registry) || plugin->reading) {
		read_changes(plugin);
		downlink_answer_commands(plugin);
	}
}

static void
sweep(struct plugin *plugin, int64_t now_ms)
{
	int64_t budget = (now_ms - plugin->swept_ms) * RECHECKS_PER_MS;
	struct device *device;

	if (budget <= 0)
		return;
	plugin->swept_ms = now_ms;
	if (budget > RECHECKS_MAX)
		budget = RECHECKS_MAX;
	while (budget-- && (device = roster_stale(plugin->roster))) {
		if (watch_recheck(plugin, device))
			return;
	}
}

static void
expire(struct plugin *plugin, int64_t now_ms)
{
	time_t now = time(NULL);
	struct session *session;
	struct device *device;

	while ((device = roster_expired(plugin->roster, now))) {
		if (device == &device->session->self)
			plugin_end(plugin, device->session, "the token's time is over");
		else
			gateway_drop(plugin, device, "the device's token's time is over");
	}
	while ((session = sessions_idle(
			plugin->sessions, now_ms - (int64_t)plugin->options.idle_s * 1000)))
		plugin_end(plugin, session, "nothing was heard of it for too long");
}

/*
 * Closes the connections of ended sessions: only here, because a kick inside another callback frees
 * what the broker is still using. The broker tells of the disconnection inside the kick, and that
 * frees the session.
 */
static void
kick(struct plugin *plugin)
{
	struct session *session;

	for (int n = 0; n < KICKS_MAX && (session = sessions_take_ended(plugin->sessions)); n++) {
		AUTO(auto_free) char *client_id = NULL;

		if (!sessions_is_newest(plugin->sessions, session))
			continue;
		client_id = strdup(session->client_id);
		if (client_id)
			mosquitto_kick_client_by_clientid(client_id, false);
	}
}

void
watch_tick(struct plugin *plugin)
{
	int64_t now_ms = plugin_now_ms();

	watch_look(plugin, now_ms);
	expire(plugin, now_ms);
	sweep(plugin, now_ms);
	kick(plugin);
	journal_tick(plugin->journal, now_ms);
}
