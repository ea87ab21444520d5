#include "config.h"

#include "spool/timely.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/thread.h"
#include "spool/chores.h"

#define TICK_EVERY_MS 1000

/* As much is brought from the front to the disk without waiting for the next tick. */
#define SETTLE_LEN (1024 * 1024)

enum task { TASK_NONE, TASK_APPEND, TASK_END };

struct answer {
	int rc;
	struct fault f;
};

/*
 * asked, answered  something is to be done, and a task is done
 * writer    the thread's while there is a task, else that of who has the lock
 * message   what is to be appended; room: bytes at `copy`, which holds what it points to
 * settles   the front is to be brought to the disk, once through; settled: what came of it last
 * ticks     housekeeping is to be done, by that clock
 * owing     an answer is late, and waited for no more
 * credit_ms how long answers may be waited for now; since_ms: when it was so
 */
struct timely {
	pthread_mutex_t lock;
	pthread_cond_t asked, answered;
	pthread_t thread;
	bool has_thread;
	struct spool_writer *writer;
	enum task task;
	struct spool_message message;
	char *copy;
	size_t room;
	struct answer appended, ticked, settled;
	bool settles, ticks, owing;
	int64_t bound_ms, credit_ms, since_ms, asked_ms;
	int64_t tick_ms;
};

/* --- the thread ------------------------------------------------------------------------------ */

/* A front that is gone is told, and another one made. */
static int
tell_lost(struct timely *t, struct fault *f)
{
	return fault_set(f, FAULT_IO,
		"the spool's front was removed, and %lld bytes of messages in it",
		(long long)spool_lose_front(t->writer));
}

/* What failed is tried again before more is taken; and the front may be full. */
static struct answer
append_on_disk(struct timely *t, bool failed)
{
	struct answer answer = {0, FAULT_INIT};
	struct front_part part;

	if ((failed || spool_is_displaced(t->writer)) && spool_return(t->writer, &answer.f)) {
		answer.rc = -1;
		return answer;
	}
	while ((failed || !spool_is_quick(t->writer, &t->message)) &&
		spool_unsettled(t->writer, &part)) {
		if (front_copy(&part, &answer.f) || spool_settled(t->writer, &part, &answer.f)) {
			answer.rc = -1;
			if (answer.f.code == FAULT_NOTFOUND)
				tell_lost(t, &answer.f);
			return answer;
		}
	}
	answer.rc = spool_append(t->writer, &t->message, &answer.f);
	return answer;
}

/* All of these begin and end with the lock, which is free while the disk is waited for. */

/* The writer is the thread's own meanwhile. */
static void
do_append(struct timely *t)
{
	bool failed = t->settled.rc != 0;
	struct answer answer;

	pthread_mutex_unlock(&t->lock);
	answer = append_on_disk(t, failed);
	pthread_mutex_lock(&t->lock);
	t->appended = answer;
	if (!answer.rc)
		t->settled = answer;
	t->task = TASK_NONE;
	t->owing = false;
	pthread_cond_signal(&t->answered);
}

static void
settle_next(struct timely *t)
{
	struct answer answer = {0, FAULT_INIT};
	struct front_part part;

	if (!spool_unsettled(t->writer, &part)) {
		t->settles = false;
		return;
	}
	pthread_mutex_unlock(&t->lock);
	answer.rc = front_copy(&part, &answer.f);
	pthread_mutex_lock(&t->lock);
	if (!answer.rc)
		answer.rc = spool_settled(t->writer, &part, &answer.f);
	else if (answer.f.code == FAULT_NOTFOUND)
		tell_lost(t, &answer.f);
	t->settled = answer;
	/* Once through, unless it has become much meanwhile. */
	t->settles = !answer.rc && (!part.last || spool_unsettled_bytes(t->writer) >= SETTLE_LEN);
}

/* Goes on in another directory when that of the spool was removed or replaced. */
static struct answer
stay_in_place(struct timely *t)
{
	struct answer answer = {0, FAULT_INIT};
	struct spool_writer *fresh = NULL;
	int front = spool_front(t->writer);
	bool in_place;

	pthread_mutex_unlock(&t->lock);
	in_place = spool_is_in_place(t->writer);
	answer.rc = in_place ? spool_keep_front(t->writer, front, &answer.f)
			     : spool_open_place(t->writer, &fresh, &answer.f);
	pthread_mutex_lock(&t->lock);
	if (fresh)
		answer.rc = spool_take_place(t->writer, fresh, &answer.f);
	spool_note_place(t->writer, in_place || !answer.rc);
	return answer;
}

/* What was dropped, and how old the segments are. */
static struct answer
write_notes(struct timely *t, int64_t now)
{
	struct answer answer = {0, FAULT_INIT};
	struct ages ages;
	bool due = spool_ages_due(t->writer, now, &ages);

	pthread_mutex_unlock(&t->lock);
	answer.rc = spool_note_drops(t->writer, &answer.f);
	if (due && spool_save_ages(t->writer, &ages, now, answer.rc ? NULL : &answer.f))
		answer.rc = -1;
	pthread_mutex_lock(&t->lock);
	return answer;
}

/* What spool_tick() does. */
static void
keep_house(struct timely *t)
{
	struct answer answer = stay_in_place(t);
	struct spool_victim victim;
	int64_t now = t->tick_ms;
	uint64_t held;

	if (!answer.rc) {
		pthread_mutex_unlock(&t->lock);
		answer.rc = spool_find_held(t->writer, &held, &answer.f);
		pthread_mutex_lock(&t->lock);
	}
	while (!answer.rc && spool_find_victim(t->writer, held, now, &victim)) {
		pthread_mutex_unlock(&t->lock);
		answer.rc = spool_delete(t->writer, &victim, &answer.f);
		pthread_mutex_lock(&t->lock);
		if (!answer.rc)
			spool_deleted(t->writer);
	}
	if (!answer.rc)
		answer = write_notes(t, now);
	if (!answer.rc)
		answer.rc = spool_tell_front(t->writer, &answer.f);
	t->ticked = answer;
	t->ticks = false;
}

static void *
work(void *with)
{
	struct timely *t = with;

	pthread_mutex_lock(&t->lock);
	while (t->task != TASK_END) {
		if (t->task == TASK_APPEND)
			do_append(t);
		else if (t->settles)
			settle_next(t);
		else if (t->ticks)
			keep_house(t);
		else
			pthread_cond_wait(&t->asked, &t->lock);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static int
begin_thread(struct timely *t, struct fault *f)
{
	if (thread_start(&t->thread, work, t, f))
		return -1;
	t->has_thread = true;
	return 0;
}

/* --- who asks -------------------------------------------------------------------------------- */

static void
ask(struct timely *t, enum task task)
{
	t->task = task;
	t->asked_ms = clock_ms(CLOCK_MONOTONIC_COARSE);
	pthread_cond_signal(&t->asked);
}

/* What was waited comes back with the time that has passed since. */
static void
earn(struct timely *t, int64_t now)
{
	t->credit_ms += now - t->since_ms;
	if (t->credit_ms > t->bound_ms)
		t->credit_ms = t->bound_ms;
	t->since_ms = now;
}

static void
spend(struct timely *t, int64_t began)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC_COARSE), took = now - began;

	t->since_ms = now;
	if (took > TIMELY_QUICK_MS)
		t->credit_ms = took < t->credit_ms ? t->credit_ms - took : 0;
}

static int
fault_late(const struct timely *t, struct fault *f)
{
	return fault_set(f, FAULT_IO, "the disk has not answered for %lld ms",
		(long long)(clock_ms(CLOCK_MONOTONIC_COARSE) - t->asked_ms));
}

/* Waits until the thread has nothing to do. */
static int
wait_until(struct timely *t, int64_t until_ms, struct fault *f)
{
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
	int rc = 0;

	while (t->task != TASK_NONE && !rc)
		rc = pthread_cond_timedwait(&t->answered, &t->lock, &until);
	if (t->task == TASK_NONE)
		return 0;
	t->owing = true;
	return fault_late(t, f);
}

/* The thread's own, for its caller's may be gone before it is done. */
static int
copy_message(struct timely *t, const struct spool_message *m, struct fault *f)
{
	size_t device = strlen(m->device) + 1, topic = strlen(m->topic) + 1;
	size_t len = device + topic + m->len;

	if (len > t->room) {
		char *more = realloc(t->copy, len);

		if (!more)
			return fault_nomem(f);
		t->copy = more;
		t->room = len;
	}
	t->message = *m;
	t->message.device = memcpy(t->copy, m->device, device);
	t->message.topic = memcpy(t->copy + device, m->topic, topic);
	t->message.payload = t->copy + device + topic;
	if (m->len)
		memcpy(t->copy + device + topic, m->payload, m->len);
	return 0;
}

static int
tell(const struct answer *answer, struct fault *f)
{
	if (answer->rc && f)
		*f = answer->f;
	return answer->rc;
}

static int
have_appended(
	struct timely *t, const struct spool_message *message, int64_t until_ms, struct fault *f)
{
	if (copy_message(t, message, f))
		return -1;
	ask(t, TASK_APPEND);
	if (wait_until(t, until_ms, f))
		return -1;
	return tell(&t->appended, f);
}

static int
append_in_front(struct timely *t, const struct spool_message *message, struct fault *f)
{
	int rc = spool_append(t->writer, message, f);

	if (!t->settles && spool_unsettled_bytes(t->writer) >= SETTLE_LEN) {
		t->settles = true;
		pthread_cond_signal(&t->asked);
	}
	return rc;
}

static int
append(struct timely *t, const struct spool_message *message, struct fault *f)
{
	int64_t began = clock_ms(CLOCK_MONOTONIC_COARSE);
	int rc;

	earn(t, began);
	if (t->owing)
		return fault_late(t, f);
	if (!t->settled.rc && spool_is_quick(t->writer, message))
		return append_in_front(t, message, f);
	if (t->credit_ms < TIMELY_QUICK_MS)
		return fault_set(f, FAULT_IO, "the disk is slow: its last answers took %lld ms",
			(long long)(t->bound_ms - t->credit_ms));
	rc = have_appended(t, message, began + t->credit_ms, f);
	spend(t, began);
	return rc;
}

int
timely_append(struct timely *t, const struct spool_message *message, struct fault *f)
{
	int rc;

	pthread_mutex_lock(&t->lock);
	rc = append(t, message, f);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

int
timely_tick(struct timely *t, int64_t now, struct fault *f)
{
	int rc;

	pthread_mutex_lock(&t->lock);
	if (!t->ticks && now - t->tick_ms >= TICK_EVERY_MS) {
		t->tick_ms = now;
		t->ticks = t->settles = true;
		pthread_cond_signal(&t->asked);
	}
	rc = tell(t->settled.rc ? &t->settled : &t->ticked, f);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* --- begin and end --------------------------------------------------------------------------- */

static struct timely *
make(int bound_ms)
{
	struct timely *t = calloc(1, sizeof(*t));
	pthread_condattr_t monotonic;

	if (!t)
		return NULL;
	t->bound_ms = t->credit_ms = bound_ms;
	t->since_ms = clock_ms(CLOCK_MONOTONIC_COARSE);
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&t->asked, NULL);
	pthread_cond_init(&t->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return t;
}

int
timely_open(const char *dir, const struct spool_options *options, int bound_ms,
	struct timely **ret_timely, struct fault *f)
{
	AUTO(auto_timely) struct timely *t = make(bound_ms);

	if (!t)
		return fault_nomem(f);
	if (spool_writer_open(dir, options, &t->writer, f) || begin_thread(t, f))
		return -1;
	*ret_timely = TAKE(t);
	return 0;
}

static void
end_thread(struct timely *t)
{
	pthread_mutex_lock(&t->lock);
	while (t->task != TASK_NONE)
		pthread_cond_wait(&t->answered, &t->lock);
	ask(t, TASK_END);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
}

void
timely_close(struct timely *t)
{
	if (!t)
		return;
	if (t->has_thread)
		end_thread(t);
	spool_writer_close(t->writer);
	pthread_cond_destroy(&t->asked);
	pthread_cond_destroy(&t->answered);
	pthread_mutex_destroy(&t->lock);
	free(t->copy);
	free(t);
}
