#include "config.h"

#include "registry/retention.h"

#include "base/clock.h"

/* How many messages are dropped for one that comes, and how long that may take. */
#define DROPS_MAX   64
#define DROPPING_US 1000

/* By which part of itself a bound may be exceeded while it takes several messages to make room. */
#define SLACK 8

const struct registry_retention retention_preset = {
	.messages = 1000000,
	.bytes = INT64_C(1) << 30,
	.device_bytes = 64 << 20,
	.age_s = 7 * 86400,
};

/*
 * What a subscription holds. Numbers are 0 when there is no such message.
 *
 * there          false when it is deleted, or being deleted
 * messages, bytes, device_bytes  that wait
 * number, total_bytes            of the newest delivery; of those that are gone when none waits
 * oldest, oldest_id, device_oldest  numbers, and the id of the oldest message
 * device_total   device_bytes of the device's newest delivery
 */
struct holding {
	bool there;
	int64_t messages, bytes, device_bytes;
	int64_t number, total_bytes, device_total;
	int64_t oldest, oldest_id, device_oldest;
};

static int
read_subscription(struct registry *r, int64_t subscription, struct holding *h, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t gone, gone_bytes;

	if (db_prepare(r,
		    "SELECT s.gone, s.gone_bytes, o.number, o.message, coalesce(n.number, s.gone),"
		    " coalesce(n.total_bytes, s.gone_bytes) FROM subscriptions s"
		    " LEFT JOIN deliveries n ON n.subscription = s.id AND n.number ="
		    "  (SELECT max(number) FROM deliveries WHERE subscription = ?1)"
		    " LEFT JOIN deliveries o ON o.subscription = s.id"
		    " WHERE s.id = ?1 AND NOT s.deleting ORDER BY o.number LIMIT 1",
		    &q, f, "i", subscription) ||
		db_step(r, q, &h->there, f))
		return -1;
	if (!h->there)
		return 0;
	gone = sqlite3_column_int64(q, 0);
	gone_bytes = sqlite3_column_int64(q, 1);
	h->oldest = sqlite3_column_int64(q, 2);
	h->oldest_id = sqlite3_column_int64(q, 3);
	h->number = sqlite3_column_int64(q, 4);
	h->total_bytes = sqlite3_column_int64(q, 5);
	h->messages = h->number - gone;
	h->bytes = h->total_bytes - gone_bytes;
	return 0;
}

static int
read_device(struct registry *r, int64_t subscription, int64_t device, struct holding *h,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	int64_t before;
	bool row;

	if (db_prepare(r,
		    "SELECT number, device_bytes - bytes, (SELECT device_bytes FROM deliveries"
		    "  WHERE subscription = ?1 AND device = ?2 ORDER BY number DESC LIMIT 1)"
		    " FROM deliveries WHERE subscription = ?1 AND device = ?2"
		    " ORDER BY number LIMIT 1",
		    &q, f, "ii", subscription, device) ||
		db_step(r, q, &row, f))
		return -1;
	h->device_oldest = row ? sqlite3_column_int64(q, 0) : 0;
	before = row ? sqlite3_column_int64(q, 1) : 0;
	h->device_total = row ? sqlite3_column_int64(q, 2) : 0;
	h->device_bytes = h->device_total - before;
	return 0;
}

/* The number of the message that is to go so that the new one finds room; 0: none. */
static int64_t
victim(const struct registry *r, const struct holding *h, const struct retention_message *m)
{
	const struct registry_retention *max = &r->retention;

	if (h->device_bytes + m->bytes > max->device_bytes && h->device_oldest)
		return h->device_oldest;
	/* A message's id is its time in microseconds. */
	if (h->messages >= max->messages || h->bytes + m->bytes > max->bytes ||
		h->oldest_id < ((int64_t)m->now - max->age_s) * 1000000)
		return h->oldest;
	return 0;
}

/* An empty subscription takes a message of any size. */
static bool
fits(int64_t held, int64_t more, int64_t max)
{
	return held == 0 || held + more <= max + max / SLACK;
}

static int
count_dropped(struct registry *r, int64_t subscription, int64_t n, struct fault *f)
{
	return n ? db_run(r, "UPDATE subscriptions SET dropped = dropped + ? WHERE id = ?", f, "ii",
			   n, subscription)
		 : 0;
}

int
retention_make_room(struct registry *r, int64_t subscription, const struct retention_message *m,
	bool *ret_room, struct retention_place *ret_place, struct fault *f)
{
	const struct registry_retention *max = &r->retention;
	int64_t dropped = 0, began_us = clock_us(CLOCK_MONOTONIC);
	struct holding h = {0};

	for (;;) {
		int64_t old;

		if (read_subscription(r, subscription, &h, f) ||
			(h.there && read_device(r, subscription, m->device, &h, f)))
			return -1;
		old = h.there ? victim(r, &h, m) : 0;
		if (!old || dropped == DROPS_MAX ||
			(dropped && clock_us(CLOCK_MONOTONIC) - began_us >= DROPPING_US))
			break;
		if (db_run(r, "DELETE FROM deliveries WHERE subscription = ? AND number = ?", f,
			    "ii", subscription, old))
			return -1;
		dropped++;
	}
	*ret_room = h.there && fits(h.messages, 1, max->messages) &&
		    fits(h.bytes, m->bytes, max->bytes) &&
		    fits(h.device_bytes, m->bytes, max->device_bytes);
	*ret_place = (struct retention_place){
		subscription, h.number + 1, h.total_bytes + m->bytes, h.device_total + m->bytes};
	if (h.there && !*ret_room)
		dropped++;
	return count_dropped(r, subscription, dropped, f);
}

int
retention_add(struct registry *r, const struct retention_place *place, int64_t id,
	const struct retention_message *m, struct fault *f)
{
	return db_run(r,
		"INSERT INTO deliveries (subscription, number, message, bytes, total_bytes, device,"
		" device_bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
		f, "iiiiiii", place->subscription, place->number, id, m->bytes, place->total_bytes,
		m->device, place->device_bytes);
}
