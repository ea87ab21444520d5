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

/* Looks between two attempts to open the file. */
#define LOOKS_TO_OPEN 10

#define CHANGES_MAX 1000

/* failure  why the file could not be opened; the thread's until `failed` */
struct waker {
	pthread_t thread;
	char *path;
	atomic_bool ticked, failed;
	atomic_llong due;
	struct fault failure;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool ending;
	bool tried, running, told;
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

	if (!registry_changed(registry))
		return false;
	/* That there was a change is not said again: the broker has to find out what it was. */
	if (registry_changes(registry, rows, CHANGES_MAX, &n, &all, NULL))
		return true;
	return n || all || (!registry_commands_wait(registry, time(NULL), &waits, NULL) && waits);
}

static void
open_registry(struct waker *waker, struct registry **ret_registry)
{
	struct fault f = FAULT_INIT;

	if (!registry_open(waker->path, ret_registry, &f) || waker->failed)
		return;
	waker->failure = f;
	waker->failed = true;
}

static void *
run(void *with)
{
	struct waker *waker = with;
	AUTO(auto_registry) struct registry *registry = NULL;
	long slept_ms = WAKE_EVERY_MS;
	unsigned looks = 0;
	bool due = false;

	while (!rest(waker, LOOK_EVERY_MS) && !waker->ticked) {
		long long at = waker->due;

		if (slept_ms < WAKE_EVERY_MS)
			slept_ms += LOOK_EVERY_MS;
		if (!registry && looks++ % LOOKS_TO_OPEN == 0)
			open_registry(waker, &registry);
		due = (registry && has_work(registry)) || due ||
		      (at && at <= (long long)time(NULL));
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
	if (atomic_load_explicit(&waker->ticked, memory_order_relaxed))
		return 0;
	if (waker->failed && !waker->told) {
		waker->told = true;
		return fault_set(f, waker->failure.code, "%s", waker->failure.text);
	}
	if (waker->tried)
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
