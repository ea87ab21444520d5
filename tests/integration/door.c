/*
 * What a gateway sees of a site: `door read SPOOL` prints the messages, `door SOCKET` what comes
 * over the socket, a line each, and delivers each line of its input: TOPIC QOS keep|pass TEXT.
 */
#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "site/channel.h"
#include "spool/spool.h"

#define LINE_MAX_LEN 70000

static int
fail(const struct fault *f)
{
	fprintf(stderr, "door: %s\n", f->text);
	return 1;
}

static int
read_spool(const char *dir)
{
	AUTO(auto_spool_reader) struct spool_reader *reader = NULL;
	struct fault f = FAULT_INIT;

	if (spool_reader_open(dir, NULL, &reader, &f))
		return fail(&f);
	for (;;) {
		struct spool_message m;
		bool any;

		if (spool_next(reader, &m, &any, &f))
			return fail(&f);
		if (!any)
			return 0;
		printf("%s %d %s %zu %.*s\n", m.device, m.qos, m.topic, m.len,
			m.len < 80 ? (int)m.len : 0, (const char *)m.payload);
	}
}

static int
show(struct channel *channel, struct fault *f)
{
	static const char *const kinds[] = {
		"", "hello", "present", "gone", "attach", "detach", "deliver"};

	for (;;) {
		struct frame frame;
		bool any;

		if (channel_next(channel, &frame, &any, f))
			return -1;
		if (!any)
			return 0;
		printf("%s %s %.*s\n", kinds[frame.kind], frame.device, (int)frame.len,
			(const char *)frame.payload);
		fflush(stdout);
	}
}

static int
deliver(struct channel *channel, const char *line, struct fault *f)
{
	char topic[LINE_MAX_LEN], keep[8], text[LINE_MAX_LEN];
	int qos;

	if (sscanf(line, "%69999s %d %7s %69999[^\n]", topic, &qos, keep, text) != 4)
		return fault_set(f, FAULT_USAGE, "no such line");
	return channel_send(channel,
		&(struct frame){.kind = FRAME_DELIVER,
			.qos = qos,
			.retain = !strcmp(keep, "keep"),
			.device = "",
			.topic = topic,
			.payload = text,
			.len = strlen(text)},
		f);
}

int
main(int argc, char **argv)
{
	AUTO(auto_channel) struct channel *channel = NULL;
	static char line[LINE_MAX_LEN];
	struct fault f = FAULT_INIT;

	if (argc == 3)
		return read_spool(argv[2]);
	if (argc != 2 || channel_connect(argv[1], &channel, &f))
		return fail(&f);
	setvbuf(stdin, NULL, _IONBF, 0);
	for (bool input = true;;) {
		const short out = channel_is_waiting(channel) ? POLLOUT : 0;
		struct pollfd fds[] = {
			{channel_fd(channel), (short)(POLLIN | out), 0}, {0, POLLIN, 0}};

		poll(fds, input ? 2 : 1, -1);
		if ((fds[0].revents & POLLOUT) && channel_flush(channel, &f))
			return fail(&f);
		if ((fds[0].revents & ~POLLOUT) && show(channel, &f))
			return fail(&f);
		if (!input || !fds[1].revents)
			continue;
		input = fgets(line, sizeof(line), stdin) != NULL;
		if (input && deliver(channel, line, &f))
			return fail(&f);
	}
}
