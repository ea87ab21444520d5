#include "config.h"

#include "plugin/sessions.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/attributes.h"

/*
 * open    those not ended
 * ending  those that wait to be closed
 * parked  those that are being closed
 * idle    those that can be idle, the one longest not heard of first
 */
struct sessions {
	struct table by_client;
	struct table by_id;
	struct roster *roster;
	struct list open, ending, parked, idle;
	unsigned long generation;
};

int
sessions_new(struct sessions **ret_sessions, struct fault *f)
{
	AUTO(auto_sessions) struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return fault_nomem(f);
	if (roster_new(&sessions->roster, f))
		return -1;
	*ret_sessions = TAKE(sessions);
	return 0;
}

static void
device_clear(struct device *device)
{
	attributes_free(device->attributes);
	free(device->activity.error_text);
}

static void
session_free(struct session *session)
{
	if (!session)
		return;
	table_clear(&session->attached);
	free(session->client_id);
	device_clear(&session->self);
	free(session);
}

AUTO_DEFINE(session, struct session, session_free);

static void
list_free(struct sessions *sessions, struct list *list)
{
	while (list->head) {
		struct session *session = CONTAINER(list->head, struct session, list);

		sessions_remove(sessions, session->client);
	}
}

void
sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	list_free(sessions, &sessions->open);
	list_free(sessions, &sessions->ending);
	list_free(sessions, &sessions->parked);
	roster_free(sessions->roster);
	table_clear(&sessions->by_client);
	table_clear(&sessions->by_id);
	free(sessions);
}

struct roster *
sessions_roster(struct sessions *sessions)
{
	return sessions->roster;
}

size_t
sessions_count(const struct sessions *sessions)
{
	return sessions->by_client.n;
}

struct session *
sessions_find(const struct sessions *sessions, const void *client)
{
	struct table_link *link = table_first(&sessions->by_client, table_hash_pointer(client));

	for (; link; link = table_next(link)) {
		struct session *session = CONTAINER(link, struct session, by_client);

		if (session->client == client)
			return session;
	}
	return NULL;
}

int
sessions_put(struct sessions *sessions, const void *client, const char *client_id,
	const struct registry_admission *admission, struct session **ret_session, struct fault *f)
{
	AUTO(auto_session) struct session *session = NULL;

	sessions_remove(sessions, client);
	session = calloc(1, sizeof(*session));
	if (!session)
		return fault_nomem(f);
	session->client = client;
	session->client_id = strdup(client_id);
	if (!session->client_id)
		return fault_nomem(f);
	session->self.session = session;
	session->self.admission = *admission;
	session->generation = ++sessions->generation;
	if (table_add(&sessions->by_client, &session->by_client, table_hash_pointer(client), f))
		return -1;
	if (table_add(&sessions->by_id, &session->by_id, table_hash_text(client_id), f)) {
		table_remove(&sessions->by_client, &session->by_client);
		return -1;
	}
	if (roster_add(sessions->roster, &session->self, f)) {
		table_remove(&sessions->by_client, &session->by_client);
		table_remove(&sessions->by_id, &session->by_id);
		return -1;
	}
	list_append(&sessions->open, &session->list);
	*ret_session = TAKE(session);
	return 0;
}

void
sessions_remove(struct sessions *sessions, const void *client)
{
	struct session *session = sessions_find(sessions, client);
	struct device *device;

	if (!session)
		return;
	while ((device = session_any_attached(session)))
		sessions_detach(sessions, device);
	roster_remove(sessions->roster, &session->self);
	list_remove(&session->list);
	list_remove(&session->idle);
	table_remove(&sessions->by_client, &session->by_client);
	table_remove(&sessions->by_id, &session->by_id);
	session_free(session);
}

bool
sessions_is_newest(const struct sessions *sessions, const struct session *session)
{
	struct table_link *link = table_first(&sessions->by_id, session->by_id.hash);

	for (; link; link = table_next(link)) {
		const struct session *other = CONTAINER(link, struct session, by_id);

		if (other->generation > session->generation &&
			!strcmp(other->client_id, session->client_id))
			return false;
	}
	return true;
}

struct device *
session_device(const struct session *session, const char *name)
{
	struct table_link *link;

	if (!strcmp(session->self.admission.client.device, name))
		return (struct device *)&session->self;
	if (!session->attached.n)
		return NULL;
	for (link = table_first(&session->attached, table_hash_text(name)); link;
		link = table_next(link)) {
		struct device *device = CONTAINER(link, struct device, by_name);

		if (!strcmp(device->admission.client.device, name))
			return device;
	}
	return NULL;
}

size_t
session_attached(const struct session *session)
{
	return session->attached.n;
}

int64_t
session_rate(const struct session *session, long device_rate)
{
	return device_rate * (1 + (int64_t)session_attached(session));
}

struct device *
session_any_attached(struct session *session)
{
	struct table_link *link = table_any(&session->attached);

	return link ? CONTAINER(link, struct device, by_name) : NULL;
}

int
sessions_attach(struct sessions *sessions, struct session *session,
	const struct registry_admission *admission, struct device **ret_device, struct fault *f)
{
	AUTO(auto_free) struct device *device = calloc(1, sizeof(*device));

	if (!device)
		return fault_nomem(f);
	device->session = session;
	device->admission = *admission;
	if (table_add(&session->attached, &device->by_name,
		    table_hash_text(admission->client.device), f))
		return -1;
	if (roster_add(sessions->roster, device, f)) {
		table_remove(&session->attached, &device->by_name);
		return -1;
	}
	*ret_device = TAKE(device);
	return 0;
}

void
sessions_detach(struct sessions *sessions, struct device *device)
{
	table_remove(&device->session->attached, &device->by_name);
	roster_remove(sessions->roster, device);
	device_clear(device);
	free(device);
}

void
sessions_end(struct sessions *sessions, struct session *session)
{
	struct device *device;

	if (session->ended)
		return;
	session->ended = true;
	while ((device = session_any_attached(session)))
		sessions_detach(sessions, device);
	roster_remove(sessions->roster, &session->self);
	list_remove(&session->idle);
	list_append(&sessions->ending, &session->list);
}

struct session *
sessions_take_ended(struct sessions *sessions)
{
	struct session *session;

	if (!sessions->ending.head)
		return NULL;
	session = CONTAINER(sessions->ending.head, struct session, list);
	list_append(&sessions->parked, &session->list);
	return session;
}

bool
sessions_any_ended(const struct sessions *sessions)
{
	return sessions->ending.head != NULL;
}

void
sessions_hear(struct sessions *sessions, struct session *session, int64_t now_ms)
{
	if (session->ended)
		return;
	session->active_ms = now_ms;
	list_append(&sessions->idle, &session->idle);
}

struct session *
sessions_idle(const struct sessions *sessions, int64_t since_ms)
{
	struct session *oldest;

	if (!sessions->idle.head)
		return NULL;
	oldest = CONTAINER(sessions->idle.head, struct session, idle);
	return oldest->active_ms <= since_ms ? oldest : NULL;
}
