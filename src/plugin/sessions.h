/* sessions: the devices this broker let in: until when, and which must be looked at again. */
#ifndef PLUGIN_SESSIONS_H
#define PLUGIN_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/auto.h"
#include "base/fault.h"
#include "plugin/table.h"
#include "registry/registry.h"

/*
 * One connection of a device.
 *
 * client     the broker's connection: the key; never looked into
 * client_id  as the broker knows it
 * admission  who it is, and until when
 * ended      may do nothing any more; waits to be closed
 * the rest is private to sessions.c
 */
struct session {
	const void *client;
	char *client_id;
	struct registry_admission admission;
	bool ended;

	unsigned long generation;
	unsigned long epoch;
	size_t heap_at;
	struct table_link by_client;
	struct table_link by_id;
	struct session_list *list;
	struct session *prev, *next;
};

struct sessions;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time but for growth. */
int sessions_new(struct sessions **ret_sessions, struct fault *f);

/* Frees the sessions too. NULL is allowed. */
void sessions_free(struct sessions *sessions);

AUTO_DEFINE(sessions, struct sessions, sessions_free);

size_t sessions_count(const struct sessions *sessions);

/* The session of a connection, or NULL. */
struct session *sessions_find(const struct sessions *sessions, const void *client);

/*
 * Keeps a new session, in place of the one that this connection may have had. Another connection
 * with the same client id keeps its own until that is removed: a broker tells of the new one before
 * it tells of the old one's end.
 *
 * client_id, admission  copied
 *
 * Returns 0; else FAULT_NOMEM, with no session left for this connection.
 */
int sessions_put(struct sessions *sessions, const void *client, const char *client_id,
	const struct registry_admission *admission, struct fault *f);

/* Forgets a connection's session, if it has one. */
void sessions_remove(struct sessions *sessions, const void *client);

/* Whether no newer connection has the same client id: whether to close that id is to close this. */
bool sessions_is_newest(const struct sessions *sessions, const struct session *session);

/* A session whose time is over at now and that is not ended, or NULL. */
struct session *sessions_expired(const struct sessions *sessions, time_t now);

/* What the sessions were let in by has changed: each is stale until sessions_fresh(). */
void sessions_make_stale(struct sessions *sessions);

bool sessions_is_stale(const struct sessions *sessions, const struct session *session);

/* A stale session, or NULL. */
struct session *sessions_stale(const struct sessions *sessions);

/* Says that a session was looked at again and may stay. */
void sessions_fresh(struct sessions *sessions, struct session *session);

/* Ends a session: it never expires or becomes stale again, and waits in sessions_take_ended(). */
void sessions_end(struct sessions *sessions, struct session *session);

/*
 * Takes a session out of those that wait to be closed, oldest first; it stays findable, and ended,
 * until it is removed.
 *
 * Returns it, or NULL when none waits.
 */
struct session *sessions_take_ended(struct sessions *sessions);

#endif
