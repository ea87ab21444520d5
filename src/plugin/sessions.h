/* sessions: the connections this broker let in, and the devices that speak over each. */
#ifndef PLUGIN_SESSIONS_H
#define PLUGIN_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/auto.h"
#include "base/fault.h"
#include "plugin/roster.h"
#include "base/list.h"
#include "base/table.h"
#include "registry/limits.h"

/* SHA-256. */
#define SESSION_DIGEST_LEN 32

/*
 * One connection.
 *
 * client     the broker's connection: the key; never looked into
 * client_id  as the broker knows it
 * self       the device that connected
 * attached   the devices that speak through it, by name
 * digest     of its token, so that the same one need not be judged twice
 * ended      may do nothing any more; waits to be closed
 * errors     whether it listens to its errors topic
 * active_ms  when it was last heard of; counts for those of `idle` only
 * the rest is private to sessions.c
 */
struct session {
	const void *client;
	char *client_id;
	struct device self;
	struct table attached;
	unsigned char digest[SESSION_DIGEST_LEN];
	bool ended;
	bool errors;
	int64_t active_ms;

	unsigned long generation;
	struct table_link by_client;
	struct table_link by_id;
	struct list_link list, idle;
};

struct sessions;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time but for growth. */
int sessions_new(struct sessions **ret_sessions, struct fault *f);

/* Frees the sessions and their devices too. NULL is allowed. */
void sessions_free(struct sessions *sessions);

AUTO_DEFINE(sessions, struct sessions, sessions_free);

/* Who speaks here, of all sessions. */
struct roster *sessions_roster(struct sessions *sessions);

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
	const struct registry_admission *admission, struct session **ret_session, struct fault *f);

/* Forgets a connection's session and its devices, if it has one. */
void sessions_remove(struct sessions *sessions, const void *client);

/* Whether no newer connection has the same client id: whether to close that id is to close this. */
bool sessions_is_newest(const struct sessions *sessions, const struct session *session);

/* The device of that name that speaks through a session: its own or an attached one, or NULL. */
struct device *session_device(const struct session *session, const char *name);

size_t session_attached(const struct session *session);

/* A limit of a connection: each device that is attached adds what a device has; 0 stays 0. */
int64_t session_rate(const struct session *session, long device_rate);

/* One of the attached devices, or NULL when there is none. */
struct device *session_any_attached(struct session *session);

/*
 * Attaches a device, which must not be attached to this session already.
 *
 * Returns 0; else FAULT_NOMEM.
 */
int sessions_attach(struct sessions *sessions, struct session *session,
	const struct registry_admission *admission, struct device **ret_device, struct fault *f);

/* Detaches and frees an attached device. */
void sessions_detach(struct sessions *sessions, struct device *device);

/* Ends a session: its devices are no devices any more, and it waits in sessions_take_ended(). */
void sessions_end(struct sessions *sessions, struct session *session);

/*
 * Takes a session out of those that wait to be closed, oldest first; it stays findable, and ended,
 * until it is removed.
 *
 * Returns it, or NULL when none waits.
 */
struct session *sessions_take_ended(struct sessions *sessions);

/* Whether one waits there. */
bool sessions_any_ended(const struct sessions *sessions);

/* Says that a session was heard of; from then on it is one that can be idle. */
void sessions_hear(struct sessions *sessions, struct session *session, int64_t now_ms);

/* A session that was not heard of since, not ended, or NULL. */
struct session *sessions_idle(const struct sessions *sessions, int64_t since_ms);

#endif
