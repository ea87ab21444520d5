#include "config.h"

#include "plugin/waker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/thread.h"
#include "registry/registry.h"

/* How often the thread looks. */
#define LOOK_EVERY_MS 200

/* A reload costs the broker a look at every client. */
#define WAKE_EVERY_MS 1000

#define CHANGES_MAX 1000

struct waker {
	pthread_t thread;
	char *path;
	atomic_bool ticked;
	atomic_llong due;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool ending;
	bool tried, running;
};

/* Waits, and says whether the waker is to end. */
static bool
rest(struct waker *waker, long ms)
{
	struct timespec until;
	bool ending;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&waker->lock);
	while (!waker->ending && rc == 0)
		rc = pthread_cond_timedwait(&waker->ended, &waker->lock, &until);
	ending = waker->ending;
	pthread_mutex_unlock(&waker->lock);
	return ending;
}

/* Changes by others, and commands that wait: our own writing is neither. */
static bool
has_work(struct registry *registry)
{
	int64_t rows[CHANGES_MAX];
	bool all, waits = false;
	size_t n;

	if (!registry_changed(registry) ||
		registry_changes(registry, rows, CHANGES_MAX, &n, &all, NULL))
		return false;
	return n || all || (!registry_commands_wait(registry, time(NULL), &waits, NULL) && waits);
}

static void *
run(void *with)
{
	struct waker *waker = with;
	AUTO(auto_registry) struct registry *registry = NULL;
	long slept_ms = WAKE_EVERY_MS;
	bool due = false;

	if (registry_open(waker->path, &registry, NULL))
		return NULL;
	while (!rest(waker, LOOK_EVERY_MS) && !waker->ticked) {
		long long at = waker->due;

		slept_ms += LOOK_EVERY_MS;
		due = has_work(registry) || due || (at && at <= (long long)time(NULL));
		if (!due || slept_ms < WAKE_EVERY_MS)
			continue;
		due = false;
		slept_ms = 0;
		kill(getpid(), SIGHUP);
	}
	return NULL;
}

int
waker_new(const char *path, struct waker **ret_waker, struct fault *f)
{
	AUTO(auto_waker) struct waker *waker = calloc(1, sizeof(*waker));
	pthread_condattr_t monotonic;

	if (!waker)
		return fault_nomem(f);
	waker->path = strdup(path);
	if (!waker->path)
		return fault_nomem(f);
	pthread_mutex_init(&waker->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&waker->ended, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_waker = TAKE(waker);
	return 0;
}

int
waker_called(struct waker *waker, struct fault *f)
{
	if (waker->tried || atomic_load_explicit(&waker->ticked, memory_order_relaxed))
		return 0;
	waker->tried = true;
	if (thread_start(&waker->thread, run, waker, f))
		return -1;
	waker->running = true;
	return 0;
}

void
waker_free(struct waker *waker)
{
	if (!waker)
		return;
	if (waker->running) {
		pthread_mutex_lock(&waker->lock);
		waker->ending = true;
		pthread_cond_signal(&waker->ended);
		pthread_mutex_unlock(&waker->lock);
		pthread_join(waker->thread, NULL);
	}
	free(waker->path);
	free(waker);
}

void
waker_ticked(struct waker *waker)
{
	if (!atomic_load_explicit(&waker->ticked, memory_order_relaxed))
		waker->ticked = true;
}

void
waker_set_due(struct waker *waker, time_t due)
{
	if (!atomic_load_explicit(&waker->ticked, memory_order_relaxed))
		waker->due = due;
}
