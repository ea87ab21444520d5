/* thread: one that leaves signals to the threads that were there before. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/fault.h"

/*
 * Starts a thread in which every signal is blocked: they are for who waits for them.
 *
 * ret_thread  to be joined
 *
 * Returns 0; else FAULT_IO.  Threads: any.
 */
int thread_start(pthread_t *ret_thread, void *(*run)(void *), void *with, struct fault *f);

#endif
