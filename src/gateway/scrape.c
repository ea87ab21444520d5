/*
 * The metrics over HTTP, for who scrapes them: GET /metrics, and nothing else. The loop's own
 * thread does it, so what one may ask and how long one may take is bounded.
 */
#include "config.h"

#include "gateway/inside.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/auto.h"
#include "base/log.h"
#include "gateway/listen.h"

/* A connection may be silent for so long, and take so long for a request. */
#define CONNECTIONS_MAX 32
#define SILENCE_S	10
#define REQUEST_S	20
#define REQUEST_BYTES	4096

/* A connection: since_ms is when it began, or was answered last. fd -1: none. */
struct guest {
	int fd;
	int64_t since_ms;
};

/*
 * daemon   its descriptor is what the loop watches
 * closing  handles that the loop has not let go of yet
 */
struct scrape {
	struct gateway *gateway;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;
	uv_timer_t timer;
	int closing;
	struct guest guests[CONNECTIONS_MAX];
};

static void
on_guest(void *with, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode code)
{
	struct scrape *s = with;
	struct guest *guest = code == MHD_CONNECTION_NOTIFY_STARTED ? s->guests : *state;

	if (code != MHD_CONNECTION_NOTIFY_STARTED) {
		if (guest)
			guest->fd = -1;
		return;
	}
	while (guest < s->guests + CONNECTIONS_MAX && guest->fd >= 0)
		guest++;
	if (guest == s->guests + CONNECTIONS_MAX)
		return;
	guest->fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	guest->since_ms = gateway_now_ms(s->gateway);
	*state = guest;
}

/* Who sends a little now and then is never silent, and would stay for hours. */
static void
cut_off(struct scrape *s)
{
	int64_t now_ms = gateway_now_ms(s->gateway);

	for (struct guest *guest = s->guests; guest < s->guests + CONNECTIONS_MAX; guest++) {
		if (guest->fd >= 0 && now_ms - guest->since_ms > REQUEST_S * 1000)
			shutdown(guest->fd, SHUT_RDWR);
	}
}

static enum MHD_Result
answer(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response)
{
	enum MHD_Result rc;

	if (!response)
		return MHD_NO;
	rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result
say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
		strlen(text), (char *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);

	if (response) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
		if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
			MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	}
	return answer(connection, status, response);
}

static enum MHD_Result
give_metrics(struct gateway *g, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	struct metrics metrics;
	char *text = NULL;
	size_t len;

	observe_metrics(g, &metrics);
	if (metrics_text(&metrics, &text, &len, NULL))
		return say(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	response = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	else
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, METRICS_TYPE);
	return answer(connection, MHD_HTTP_OK, response);
}

/* Answered when the headers are there: no body is waited for. */
static enum MHD_Result
on_request(void *with, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *body, size_t *body_len, void **state)
{
	struct gateway *g = ((struct scrape *)with)->gateway;
	struct guest *guest =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			->socket_context;

	if (guest)
		guest->since_ms = gateway_now_ms(g);
	(void)version, (void)body, (void)body_len, (void)state;
	if (strcmp(url, "/metrics") != 0)
		return say(connection, MHD_HTTP_NOT_FOUND, "what there is is at /metrics\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	return give_metrics(g, connection);
}

static void on_timer(uv_timer_t *timer);

static unsigned
count_connections(const struct scrape *s)
{
	return MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

/*
 * Has the daemon do what it can, and be called again when it wants to. One that lets nobody in any
 * more, for there are too many, looks only when it begins whether there is room again: so it begins
 * once more when somebody left.
 */
static void
run(struct scrape *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;
	unsigned before;

	cut_off(s);
	do {
		before = count_connections(s);
		MHD_run(s->daemon);
	} while (count_connections(s) < before);
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&s->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&s->timer);
}

static void
on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	run(poll->data);
}

static struct MHD_Daemon *
start(struct scrape *s, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, s,
		MHD_OPTION_NOTIFY_CONNECTION, on_guest, s, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
		SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES,
		MHD_OPTION_END);
}

int
scrape_open(struct gateway *g, struct fault *f)
{
	const char *where = g->settings.status.metrics_listen;
	AUTO(auto_free) struct scrape *s = NULL;
	const union MHD_DaemonInfo *info;
	int fd;

	if (g->scrape || !where || !*where)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fault_nomem(f);
	if (listen_open(where, &fd, f))
		return gateway_settings_blame(&g->settings, "status.metrics-listen", 0, f);
	s->gateway = g;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		s->guests[i].fd = -1;
	s->daemon = start(s, fd);
	if (!s->daemon) {
		close(fd);
		return fault_set(f, FAULT_IO, "cannot serve the metrics on %s", where);
	}
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	uv_poll_init(&g->loop, &s->poll, info->epoll_fd);
	uv_timer_init(&g->loop, &s->timer);
	s->poll.data = s->timer.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
	log_info("metrics are at /metrics address=%s", where);
	g->scrape = TAKE(s);
	return 0;
}

static void
on_closed(uv_handle_t *handle)
{
	struct scrape *s = handle->data;

	if (--s->closing == 0)
		free(s);
}

void
scrape_close(struct gateway *g)
{
	struct scrape *s = TAKE(g->scrape);

	if (!s)
		return;
	s->closing = 2;
	uv_close((uv_handle_t *)&s->poll, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	MHD_stop_daemon(TAKE(s->daemon));
}
