#include "config.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/thread.h"
#include "mqtt/inside.h"
#include "mqtt/stream.h"
#include "mqtt/turn.h"

/* Bytes of a PUBACK or SUBACK, at least. */
#define ANSWER_MIN 4

int64_t
mqtt_now_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

/* --- the bell -------------------------------------------------------------------------------- */

int
mqtt_drive_open(struct mqtt *m, struct fault *f)
{
	struct epoll_event event = {.events = EPOLLIN};

	m->ready = epoll_create1(EPOLL_CLOEXEC);
	m->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	m->watched.fd = -1;
	if (m->ready < 0 || m->bell < 0 || epoll_ctl(m->ready, EPOLL_CTL_ADD, m->bell, &event) < 0)
		return fault_errno(f, "cannot wait for a connection");
	return 0;
}

void
mqtt_drive_close(struct mqtt *m)
{
	auto_fd(&m->bell);
	auto_fd(&m->ready);
}

void
mqtt_ring(struct mqtt *m)
{
	const uint64_t one = 1;

	/* It cannot fail: nothing counts so far as to block. */
	if (!atomic_exchange(&m->rung, true) && write(m->bell, &one, sizeof(one)) < 0)
		m->rung = false;
}

void
mqtt_heard(struct mqtt *m)
{
	uint64_t n;

	if (m->rung && read(m->bell, &n, sizeof(n)) > 0)
		m->rung = false;
}

bool
mqtt_wait(const struct mqtt *m, int other)
{
	struct pollfd fds[] = {
		{.fd = m->ready, .events = POLLIN},
		{.fd = other, .events = POLLIN},
	};

	return poll(fds, 2, MQTT_SLICE_MS) > 0 && fds[1].revents;
}

/* --- the connector --------------------------------------------------------------------------- */

static void *
connect_here(void *with)
{
	struct mqtt *m = with;

	while (turn_take(true), m->link == CONNECTING && !m->abandoned) {
		struct pollfd fd = stream_wants();

		stream_acknowledge();
		poll(&fd, 1, MQTT_SLICE_MS);
	}
	m->tried = true;
	mqtt_ring(m);
	return NULL;
}

int
mqtt_drive_connect(struct mqtt *m, struct fault *f)
{
	if (thread_start(&m->connector, connect_here, m, f))
		return -1;
	m->connects = true;
	return 0;
}

bool
mqtt_drive_connected(struct mqtt *m, bool wait)
{
	if (m->connects && (wait || m->tried)) {
		pthread_join(m->connector, NULL);
		m->connects = false;
	}
	return !m->connects;
}

/* --- from then on ---------------------------------------------------------------------------- */

/*
 * To wake up for each answer costs more than the answer: a quarter of a window of them is as good,
 * as long as as many are to come. Where few are, each counts.
 */
static void
expect(const struct mqtt *m, bool readable)
{
	int surplus = m->n_unanswered - m->window * 3 / 4;

	stream_expect(surplus > 0 ? surplus * ANSWER_MIN : 1);
	if (readable && surplus <= 0 && m->n_unanswered)
		stream_acknowledge();
}

/* A descriptor that is closed is forgotten by the system. */
static void
watch(struct mqtt *m)
{
	struct pollfd wants = stream_wants();
	struct epoll_event event = {.events = (wants.events & POLLIN ? EPOLLIN : 0) |
					      (wants.events & POLLOUT ? EPOLLOUT : 0)};
	bool is_new = wants.fd != m->watched.fd;

	if (wants.fd >= 0 && (is_new || wants.events != m->watched.events))
		epoll_ctl(m->ready, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, wants.fd, &event);
	m->watched = wants;
}

/*
 * A ping when nothing was written for half of the time: it is looked once a second, and the broker
 * waits for one and a half of it. That none is answered paho finds out by its own.
 */
void
mqtt_drive_keep_alive(struct mqtt *m)
{
	static const char ping[] = {(char)0xc0, 0};
	struct keep_alive *k = &m->keep_alive;
	int64_t now_ms;

	if (!k->s || m->link != UP)
		return;
	now_ms = mqtt_now_ms();
	if (k->written != stream_written()) {
		k->written = stream_written();
		k->since_ms = k->looked_ms;
	}
	k->looked_ms = now_ms;
	if (now_ms - k->since_ms >= (int64_t)k->s * 500 && !stream_waiting())
		stream_add(ping, sizeof(ping));
}

void
mqtt_drive_flush(struct mqtt *m)
{
	stream_flush();
	expect(m, false);
	watch(m);
}

void
mqtt_drive(struct mqtt *m, bool readable)
{
	enum link before = m->link;

	if (turn_take(readable) || m->link != before)
		mqtt_ring(m);
	expect(m, readable);
	watch(m);
}
