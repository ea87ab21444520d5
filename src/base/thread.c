#include "config.h"

#include "base/thread.h"

#include <signal.h>
#include <string.h>

int
thread_start(pthread_t *ret_thread, void *(*run)(void *), void *with, struct fault *f)
{
	sigset_t all, before;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, NULL, run, with);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return fault_set(f, FAULT_IO, "cannot start a thread: %s", strerror(rc));
	*ret_thread = thread;
	return 0;
}
