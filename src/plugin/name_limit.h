/* name_limit: how many new device names the site's broker accepts in a minute. Pure. */
#ifndef PLUGIN_NAME_LIMIT_H
#define PLUGIN_NAME_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/fault.h"

/* Names that are remembered as known: past that, the one that was seen longest ago is forgotten. */
#define NAME_LIMIT_KNOWN_MAX 100000

/* Network addresses that are remembered with what they have used of their limit. */
#define NAME_LIMIT_ADDRESSES_MAX 10000

/* The largest limit. */
#define NAME_LIMIT_MAX 1000000

/*
 * How often one device may ask to be attached or detached: at a time, and on average in a second.
 * Gateways are told of each, and one that cannot keep up loses its connection to the broker.
 */
#define NAME_LIMIT_ATTACHES	  20
#define NAME_LIMIT_ATTACHES_PER_S 1

/*
 * per_minute   new names a minute, from all addresses together; 0: no limit
 * per_address  new names a minute from one network address; 0: no limit
 */
struct name_limit_options {
	long per_minute, per_address;
};

struct name_limit;

/* Returns 0; else FAULT_NOMEM. All functions here: one thread; constant time unless they say so. */
int name_limit_new(
	const struct name_limit_options *options, struct name_limit **ret_limit, struct fault *f);

/* NULL is allowed. */
void name_limit_free(struct name_limit *limit);

AUTO_DEFINE(name_limit, struct name_limit, name_limit_free);

/*
 * Accepts a name that is known, and one that is new when the limits have room for it: it is known
 * from then on. A minute's names may come at the same time after a pause.
 *
 * address  the client's, as text; the limit of an address does not apply to NULL, to what is not
 *          an IP address, and to loopback addresses. The addresses of an IPv6 /64 network count as
 *          one.
 * now_ms   by a clock that never goes back
 *
 * Returns 0; else FAULT_PRECONDITION for a new name that has to wait, FAULT_NOMEM.
 */
int name_limit_accept(struct name_limit *limit, const char *name, const char *address,
	int64_t now_ms, struct fault *f);

/* Makes a name known, whatever the limits are. Returns 0; else FAULT_NOMEM. */
int name_limit_remember(struct name_limit *limit, const char *name, struct fault *f);

/*
 * Whether a device may ask to be attached or detached now. Its name becomes known if it is not.
 *
 * now_ms  as above
 *
 * Returns 0; else FAULT_PRECONDITION when it has to wait, FAULT_NOMEM.
 */
int name_limit_attach(struct name_limit *limit, const char *name, int64_t now_ms, struct fault *f);

/* How many names became known; it changes when name_limit_text() does. */
uint64_t name_limit_added(const struct name_limit *limit);

/*
 * The names that are known, a line each; the one that was seen last comes last. Time: linear.
 *
 * ret_text  free with free()
 *
 * Returns 0; else FAULT_NOMEM.
 */
int name_limit_text(
	const struct name_limit *limit, char **ret_text, size_t *ret_len, struct fault *f);

#endif
