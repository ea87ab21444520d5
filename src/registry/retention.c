#include "config.h"

#include "registry/retention.h"

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

/* A message that waits; number 0: there is none. */
struct waiting {
	int64_t number;
	int64_t id;
};

/*
 * What a subscription holds.
 *
 * there         false when it is deleted, or being deleted
 * device_bytes  of the device's messages
 */
struct holding {
	bool there;
	int64_t messages, bytes, device_bytes;
	struct waiting oldest, device_oldest;
};

static int
read_subscription(struct registry *r, int64_t subscription, struct holding *h, struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;

	if (db_prepare(r,
		    "SELECT s.messages, s.bytes, d.number, d.message FROM subscriptions s"
		    " LEFT JOIN deliveries d ON d.subscription = s.id"
		    " WHERE s.id = ? AND NOT s.deleting ORDER BY d.number LIMIT 1",
		    &q, f, "i", subscription) ||
		db_step(r, q, &h->there, f))
		return -1;
	if (!h->there)
		return 0;
	h->messages = sqlite3_column_int64(q, 0);
	h->bytes = sqlite3_column_int64(q, 1);
	h->oldest = (struct waiting){sqlite3_column_int64(q, 2), sqlite3_column_int64(q, 3)};
	return 0;
}

/* The sum that the newest has, without what the oldest has before itself. */
static int
read_device(struct registry *r, int64_t subscription, int64_t device, struct holding *h,
	struct fault *f)
{
	AUTO(auto_reset) sqlite3_stmt *q = NULL;
	bool row;

	if (db_prepare(r,
		    "SELECT number, message, bytes - device_bytes + (SELECT device_bytes"
		    "  FROM deliveries WHERE subscription = ?1 AND device = ?2"
		    "  ORDER BY number DESC LIMIT 1)"
		    " FROM deliveries WHERE subscription = ?1 AND device = ?2"
		    " ORDER BY number LIMIT 1",
		    &q, f, "ii", subscription, device) ||
		db_step(r, q, &row, f))
		return -1;
	h->device_oldest = (struct waiting){0};
	h->device_bytes = 0;
	if (row) {
		h->device_oldest =
			(struct waiting){sqlite3_column_int64(q, 0), sqlite3_column_int64(q, 1)};
		h->device_bytes = sqlite3_column_int64(q, 2);
	}
	return 0;
}

/* Which message is to go so that the new one finds room; number 0: none. */
static struct waiting
victim(const struct registry *r, const struct holding *h, const struct retention_message *m)
{
	const struct registry_retention *max = &r->retention;

	if (h->device_bytes + m->bytes > max->device_bytes && h->device_oldest.number)
		return h->device_oldest;
	/* A message's id is its time in microseconds. */
	if (h->messages >= max->messages || h->bytes + m->bytes > max->bytes ||
		h->oldest.id < ((int64_t)m->now - max->age_s) * 1000000)
		return h->oldest;
	return (struct waiting){0};
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
	bool *ret_room, struct fault *f)
{
	const struct registry_retention *max = &r->retention;
	int64_t dropped = 0, began_us = db_now_us();
	struct holding h = {0};

	for (;;) {
		struct waiting old;

		if (read_subscription(r, subscription, &h, f) ||
			(h.there && read_device(r, subscription, m->device, &h, f)))
			return -1;
		old = victim(r, &h, m);
		if (!h.there || !old.number || dropped == DROPS_MAX ||
			(dropped && db_now_us() - began_us >= DROPPING_US))
			break;
		if (db_run(r, "DELETE FROM deliveries WHERE subscription = ? AND number = ?", f,
			    "ii", subscription, old.number))
			return -1;
		dropped++;
	}
	*ret_room = h.there && fits(h.messages, 1, max->messages) &&
		    fits(h.bytes, m->bytes, max->bytes) &&
		    fits(h.device_bytes, m->bytes, max->device_bytes);
	if (h.there && !*ret_room)
		dropped++;
	return count_dropped(r, subscription, dropped, f);
}

int
retention_add(struct registry *r, int64_t subscription, int64_t id,
	const struct retention_message *m, struct fault *f)
{
	return db_run(r,
		"INSERT INTO deliveries (subscription, number, message, device, bytes, "
		"device_bytes)"
		" VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM deliveries"
		"  WHERE subscription = ?1), ?2, ?3, ?4,"
		"  ?4 + coalesce((SELECT device_bytes FROM deliveries WHERE subscription = ?1"
		"   AND device = ?3 ORDER BY number DESC LIMIT 1), 0))",
		f, "iiii", subscription, id, m->device, m->bytes);
}
