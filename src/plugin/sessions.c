#include "config.h"

#include "plugin/sessions.h"

#include <stdlib.h>
#include <string.h>

/* heap_at of a session that is not in the heap */
#define NOWHERE ((size_t)-1)

struct session_list {
	struct session *head, *tail;
};

/*
 * heap    those not ended, the one that expires first on top
 * open    those not ended, the one longest not looked at first: stale ones stand before fresh ones
 * ending  those that wait to be closed
 * parked  those that are being closed
 */
struct sessions {
	struct table by_client;
	struct table by_id;
	struct session **heap;
	size_t n_heap, heap_size;
	struct session_list open, ending, parked;
	unsigned long generation;
	unsigned long epoch;
};

#define SESSION_OF(link, member) \
	((struct session *)(void *)((char *)(link)-offsetof(struct session, member)))

static void
list_remove(struct session *session)
{
	struct session_list *list = session->list;

	if (!list)
		return;
	*(session->prev ? &session->prev->next : &list->head) = session->next;
	*(session->next ? &session->next->prev : &list->tail) = session->prev;
	session->list = NULL;
}

static void
list_move(struct session *session, struct session_list *list)
{
	list_remove(session);
	session->list = list;
	session->next = NULL;
	session->prev = list->tail;
	*(list->tail ? &list->tail->next : &list->head) = session;
	list->tail = session;
}

static void
heap_set(struct sessions *sessions, size_t at, struct session *session)
{
	sessions->heap[at] = session;
	session->heap_at = at;
}

static bool
before(const struct session *a, const struct session *b)
{
	return a->admission.until < b->admission.until;
}

static void
heap_up(struct sessions *sessions, size_t at, struct session *session)
{
	while (at && before(session, sessions->heap[(at - 1) / 2])) {
		heap_set(sessions, at, sessions->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(sessions, at, session);
}

static void
heap_down(struct sessions *sessions, size_t at, struct session *session)
{
	for (size_t child; (child = 2 * at + 1) < sessions->n_heap; at = child) {
		if (child + 1 < sessions->n_heap &&
			before(sessions->heap[child + 1], sessions->heap[child]))
			child++;
		if (!before(sessions->heap[child], session))
			break;
		heap_set(sessions, at, sessions->heap[child]);
	}
	heap_set(sessions, at, session);
}

static int
heap_reserve(struct sessions *sessions, struct fault *f)
{
	size_t size = sessions->heap_size ? sessions->heap_size * 2 : 64;
	struct session **heap;

	if (sessions->n_heap < sessions->heap_size)
		return 0;
	heap = reallocarray(sessions->heap, size, sizeof(*heap));
	if (!heap)
		return fault_nomem(f);
	sessions->heap = heap;
	sessions->heap_size = size;
	return 0;
}

static void
heap_remove(struct sessions *sessions, struct session *session)
{
	size_t at = session->heap_at;
	struct session *last;

	if (at == NOWHERE)
		return;
	session->heap_at = NOWHERE;
	last = sessions->heap[--sessions->n_heap];
	if (last == session)
		return;
	if (at && before(last, sessions->heap[(at - 1) / 2]))
		heap_up(sessions, at, last);
	else
		heap_down(sessions, at, last);
}

int
sessions_new(struct sessions **ret_sessions, struct fault *f)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions)
		return fault_nomem(f);
	*ret_sessions = sessions;
	return 0;
}

static void
session_free(struct session *session)
{
	if (!session)
		return;
	free(session->client_id);
	free(session);
}

AUTO_DEFINE(session, struct session, session_free);

static void
list_free(struct session_list *list)
{
	struct session *session = list->head;

	while (session) {
		struct session *next = session->next;

		session_free(session);
		session = next;
	}
}

void
sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return;
	list_free(&sessions->open);
	list_free(&sessions->ending);
	list_free(&sessions->parked);
	table_clear(&sessions->by_client);
	table_clear(&sessions->by_id);
	free(sessions->heap);
	free(sessions);
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
		struct session *session = SESSION_OF(link, by_client);

		if (session->client == client)
			return session;
	}
	return NULL;
}

int
sessions_put(struct sessions *sessions, const void *client, const char *client_id,
	const struct registry_admission *admission, struct fault *f)
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
	session->admission = *admission;
	session->generation = ++sessions->generation;
	session->epoch = sessions->epoch;
	if (heap_reserve(sessions, f) ||
		table_add(&sessions->by_client, &session->by_client, table_hash_pointer(client), f))
		return -1;
	if (table_add(&sessions->by_id, &session->by_id, table_hash_text(client_id), f)) {
		table_remove(&sessions->by_client, &session->by_client);
		return -1;
	}
	heap_up(sessions, sessions->n_heap++, session);
	list_move(session, &sessions->open);
	TAKE(session);
	return 0;
}

void
sessions_remove(struct sessions *sessions, const void *client)
{
	struct session *session = sessions_find(sessions, client);

	if (!session)
		return;
	heap_remove(sessions, session);
	list_remove(session);
	table_remove(&sessions->by_client, &session->by_client);
	table_remove(&sessions->by_id, &session->by_id);
	session_free(session);
}

bool
sessions_is_newest(const struct sessions *sessions, const struct session *session)
{
	struct table_link *link = table_first(&sessions->by_id, session->by_id.hash);

	for (; link; link = table_next(link)) {
		const struct session *other = SESSION_OF(link, by_id);

		if (other->generation > session->generation &&
			!strcmp(other->client_id, session->client_id))
			return false;
	}
	return true;
}

struct session *
sessions_expired(const struct sessions *sessions, time_t now)
{
	if (!sessions->n_heap || sessions->heap[0]->admission.until > now)
		return NULL;
	return sessions->heap[0];
}

void
sessions_make_stale(struct sessions *sessions)
{
	sessions->epoch++;
}

bool
sessions_is_stale(const struct sessions *sessions, const struct session *session)
{
	return !session->ended && session->epoch != sessions->epoch;
}

struct session *
sessions_stale(const struct sessions *sessions)
{
	struct session *oldest = sessions->open.head;

	return oldest && sessions_is_stale(sessions, oldest) ? oldest : NULL;
}

void
sessions_fresh(struct sessions *sessions, struct session *session)
{
	if (session->ended)
		return;
	session->epoch = sessions->epoch;
	list_move(session, &sessions->open);
}

void
sessions_end(struct sessions *sessions, struct session *session)
{
	if (session->ended)
		return;
	session->ended = true;
	heap_remove(sessions, session);
	list_move(session, &sessions->ending);
}

struct session *
sessions_take_ended(struct sessions *sessions)
{
	struct session *session = sessions->ending.head;

	if (session)
		list_move(session, &sessions->parked);
	return session;
}
