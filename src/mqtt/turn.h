/*
 * turn: paho without threads of its own. It starts two, one that sends and one that receives; here
 * they are begun by who uses paho, run as far as they can without waiting, and end. Private to
 * mqtt/.
 *
 * A thread that is woken for each message costs more than the message, and comes late.
 */
#ifndef MQTT_TURN_H
#define MQTT_TURN_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

/*
 * Has paho make packets, for stream_flush() to write, of what was handed to it. To be called each
 * time: what paho has queued when the connection ends it does not free.
 */
void turn_send(void);

/*
 * Has paho do what there is to be done: read, answer, send, look at its clocks. To be called when
 * the connection's descriptor is ready (stream_wants()), and once a second.
 *
 * readable  the descriptor is, or may be
 *
 * Returns whether it is to be called again at once.
 * Blocks: only before there is a connection: for the broker's address and in the TLS handshake.
 * Threads: any, one at a time; paho's callbacks come from within.
 */
bool turn_take(bool readable);

/*
 * What paho calls in place of pthread_create(3), pthread_cond_timedwait(3), usleep(3) and
 * pthread_setname_np(3); and of pthread_mutex_lock(3) and pthread_mutex_unlock(3), forty times a
 * message.
 */
int turn_thread_create(
	pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with);
int turn_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int turn_lock(pthread_mutex_t *mutex);
int turn_sleep(useconds_t us);
int turn_set_name(pthread_t thread, const char *name);

#endif
