#include "config.h"

#include "spool/timely.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"

#define TICK_EVERY_MS 1000

/* After a late answer the thread is asked, for so long. */
#define WARY_MS 60000

enum task { TASK_NONE, TASK_APPEND, TASK_TICK, TASK_END };

struct answer {
	int rc;
	struct fault f;
};

/*
 * asked, answered  a task has come, and is done
 * writer    the thread's while there is a task, else the caller's
 * message   what is to be appended; room: bytes at `copy`, which holds what it points to
 * owing     an answer is late, and waited for no more
 * credit_ms how long answers may be waited for now; since_ms: when it was so
 * wary_ms   until then the thread is asked where the caller could do it
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
	struct answer appended, ticked;
	bool power, owing;
	int64_t bound_ms, credit_ms, since_ms, asked_ms, wary_ms;
	int64_t tick_ms, ticked_ms;
};

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the thread ------------------------------------------------------------------------------ */

/* Without the lock: what is used here is the thread's as long as it has a task. */
static struct answer
answer(struct timely *t, enum task task)
{
	struct answer answer = {0, FAULT_INIT};

	if (task == TASK_APPEND)
		answer.rc = spool_append(t->writer, &t->message, &answer.f);
	else
		answer.rc = spool_tick(t->writer, t->tick_ms, &answer.f);
	return answer;
}

static void *
work(void *with)
{
	struct timely *t = with;
	struct answer got;
	enum task task;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (t->task == TASK_NONE)
			pthread_cond_wait(&t->asked, &t->lock);
		task = t->task;
		if (task == TASK_END)
			break;
		pthread_mutex_unlock(&t->lock);
		got = answer(t, task);
		pthread_mutex_lock(&t->lock);
		*(task == TASK_APPEND ? &t->appended : &t->ticked) = got;
		t->task = TASK_NONE;
		t->owing = false;
		pthread_cond_signal(&t->answered);
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

static void
ask(struct timely *t, enum task task)
{
	t->task = task;
	t->asked_ms = now_ms();
	pthread_cond_signal(&t->asked);
}

/* --- who asks -------------------------------------------------------------------------------- */

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
	int64_t now = now_ms(), took = now - began;

	t->since_ms = now;
	if (took <= TIMELY_QUICK_MS)
		return;
	t->credit_ms = took < t->credit_ms ? t->credit_ms - took : 0;
	t->wary_ms = now + WARY_MS;
}

static int
fault_late(const struct timely *t, struct fault *f)
{
	return fault_set(f, FAULT_IO, "the disk has not answered for %lld ms",
		(long long)(now_ms() - t->asked_ms));
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
	if (wait_until(t, until_ms, f) || copy_message(t, message, f))
		return -1;
	ask(t, TASK_APPEND);
	if (wait_until(t, until_ms, f))
		return -1;
	return tell(&t->appended, f);
}

static int
append(struct timely *t, const struct spool_message *message, struct fault *f)
{
	int64_t began = now_ms();
	int rc;

	earn(t, began);
	if (t->owing)
		return fault_late(t, f);
	if (!t->power && t->task == TASK_NONE && began >= t->wary_ms)
		rc = spool_append(t->writer, message, f);
	else if (t->credit_ms < TIMELY_QUICK_MS)
		return fault_set(f, FAULT_IO, "the disk is slow: its last answers took %lld ms",
			(long long)(t->bound_ms - t->credit_ms));
	else
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
	if (t->task == TASK_NONE && now - t->ticked_ms >= TICK_EVERY_MS) {
		t->tick_ms = t->ticked_ms = now;
		ask(t, TASK_TICK);
	}
	rc = tell(&t->ticked, f);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

/* --- begin and end --------------------------------------------------------------------------- */

static struct timely *
make(bool power, int bound_ms)
{
	struct timely *t = calloc(1, sizeof(*t));
	pthread_condattr_t monotonic;

	if (!t)
		return NULL;
	t->power = power;
	t->bound_ms = t->credit_ms = bound_ms;
	t->since_ms = now_ms();
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
	AUTO(auto_timely) struct timely *t = make(options->power, bound_ms);

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
