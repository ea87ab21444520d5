/* roster: who speaks here, directly or through a gateway: until when, and what is due for each. */
#ifndef PLUGIN_ROSTER_H
#define PLUGIN_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/list.h"
#include "base/table.h"
#include "plugin/allowance.h"
#include "registry/registry.h"

struct attributes;
struct session;

/* No subscription. */
#define DEVICE_NO_QOS (-1)

/*
 * One device with a way to it.
 *
 * session         the connection it speaks over: its own or its gateway's
 * admission       who it is; `until` 0 for as long as its gateway is there
 * allowance       what it has used of its limits
 * config_qos, commands_qos  what was subscribed to, or DEVICE_NO_QOS
 * config_version  what was delivered last; 0 before the first
 * activity        what it did since that was last written down
 * attributes      of its messages, or NULL; goes with the device
 * by_name         in its gateway's table of attached devices
 * the rest is private to roster.c
 */
struct device {
	struct session *session;
	struct registry_admission admission;
	struct allowance allowance;
	int config_qos, commands_qos;
	int64_t config_version;
	struct registry_activity activity;
	struct attributes *attributes;
	struct table_link by_name;

	unsigned long epoch;
	size_t heap_at;
	struct table_link by_row;
	struct list_link look, busy;
};

struct roster;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time but for growth. */
int roster_new(struct roster **ret_roster, struct fault *f);

/* The devices themselves are their sessions'. NULL is allowed. */
void roster_free(struct roster *roster);

AUTO_DEFINE(roster, struct roster, roster_free);

/*
 * Takes a device in, fresh; its session and admission are there already, the rest is zero. What it
 * has used of its limits on another connection, or before it went, is still used.
 *
 * Returns 0; else FAULT_NOMEM.
 */
int roster_add(struct roster *roster, struct device *device, struct fault *f);

/* One that was removed already is passed over. */
void roster_remove(struct roster *roster, struct device *device);

/* Gives a device a new admission, of the same row: its time may end later or sooner. */
void roster_renew(
	struct roster *roster, struct device *device, const struct registry_admission *admission);

/* The devices of a row of the registry: NULL begins, NULL ends. */
struct device *roster_of(const struct roster *roster, int64_t row, const struct device *after);

/* A device whose time is over at now, or NULL. */
struct device *roster_expired(const struct roster *roster, time_t now);

/* When the next one's time is over, in Unix seconds; 0 for never. */
time_t roster_next_end(const struct roster *roster);

/* What all were let in by has changed: each is stale until roster_fresh(). */
void roster_make_stale(struct roster *roster);

bool roster_is_stale(const struct roster *roster, const struct device *device);

/* A stale device, or NULL. */
struct device *roster_stale(const struct roster *roster);

/* Says that a device was looked at again and may stay. */
void roster_fresh(struct roster *roster, struct device *device);

/* Says that a device's activity is to be written down. */
void roster_note(struct roster *roster, struct device *device);

/* Takes one whose activity is to be written down, or NULL. */
struct device *roster_take_noted(struct roster *roster);

/* Whether a device's activity is to be written down; whether any one's is. */
bool roster_is_noted(const struct device *device);
bool roster_any_noted(const struct roster *roster);

#endif
