#include "config.h"

#include "mqtt/turn.h"

#include <errno.h>

#include "mqtt/stream.h"

/* paho's: each runs until it is to stop. */
void *MQTTAsync_receiveThread(void *with);
void *MQTTAsync_sendThread(void *with);
extern int MQTTAsync_tostop;

void
turn_send(void)
{
	MQTTAsync_tostop = 0;
	MQTTAsync_sendThread(NULL);
	MQTTAsync_tostop = 0;
}

bool
turn_take(bool readable)
{
	stream_begin(readable);
	MQTTAsync_tostop = 0;
	MQTTAsync_receiveThread(NULL);
	turn_send();
	stream_flush();
	return stream_has_more();
}

int
turn_thread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with)
{
	(void)thread, (void)how, (void)run, (void)with;
	return 0;
}

/* The sender has sent everything. */
int
turn_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
	(void)cond, (void)mutex, (void)until;
	MQTTAsync_tostop = 1;
	return ETIMEDOUT;
}

/* Nobody else is there to be kept out. */
int
turn_lock(pthread_mutex_t *mutex)
{
	(void)mutex;
	return 0;
}

/* The receiver has found nothing that is ready. */
int
turn_sleep(useconds_t us)
{
	(void)us;
	MQTTAsync_tostop = 1;
	return 0;
}

/* The thread is not paho's. */
int
turn_set_name(pthread_t thread, const char *name)
{
	(void)thread, (void)name;
	return 0;
}
