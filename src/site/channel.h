/* channel: frames over a Unix socket, neither end ever waiting for the other. */
#ifndef SITE_CHANNEL_H
#define SITE_CHANNEL_H

#include <stdbool.h>

#include "base/auto.h"
#include "base/fault.h"
#include "site/frame.h"

/* Bytes that wait to be written at most. */
#define CHANNEL_OUT_MAX (8 * 1024 * 1024)

/* Whether a path fits into a socket's address. Returns 0; else FAULT_CONFIG. */
int channel_check_path(const char *path, struct fault *f);

/*
 * Makes a socket to listen on, in place of one that nobody listens on any more.
 *
 * path    at most 107 bytes; its folder is there
 * ret_fd  non-blocking; closing it leaves the file
 *
 * Returns 0; else FAULT_CONFIG when the path is too long or of another kind of file,
 * FAULT_PRECONDITION while another process listens there, FAULT_IO, FAULT_NOTFOUND.
 */
int channel_listen(const char *path, int *ret_fd, struct fault *f);

struct channel;

/*
 * Takes who waits on a listening socket, and says hello.
 *
 * ret  NULL when nobody waits; close with channel_close()
 *
 * Returns 0; else FAULT_IO, FAULT_NOMEM.
 */
int channel_accept(int listening, struct channel **ret, struct fault *f);

/*
 * Connects to who listens, and says hello.
 *
 * Returns 0; else FAULT_NOTFOUND when nobody listens there, FAULT_CONFIG, FAULT_IO, FAULT_NOMEM.
 */
int channel_connect(const char *path, struct channel **ret, struct fault *f);

/* NULL is allowed. */
void channel_close(struct channel *channel);

AUTO_DEFINE(channel, struct channel, channel_close);

/* To be watched for reading, and for writing while channel_is_waiting(). */
int channel_fd(const struct channel *channel);
bool channel_is_waiting(const struct channel *channel);

/*
 * Sends a frame; what the socket does not take waits here.
 *
 * Returns 0; else, with nothing sent, FAULT_PRECONDITION when too much waits already, FAULT_INVALID
 * for a frame that is too large, FAULT_NET when the other end is gone, FAULT_NOMEM.
 */
int channel_send(struct channel *channel, const struct frame *frame, struct fault *f);

/* Writes what waits, as far as the socket takes it. Returns 0; else FAULT_NET. */
int channel_flush(struct channel *channel, struct fault *f);

/*
 * The next frame, the other end's hello excepted.
 *
 * ret      valid until the next call
 * ret_any  false when none is there yet
 *
 * Returns 0; else FAULT_NET when the other end is gone, FAULT_CONFIG when it is another version's,
 * FAULT_INVALID when what it says is nonsense, FAULT_NOMEM.
 */
int channel_next(struct channel *channel, struct frame *ret, bool *ret_any, struct fault *f);

#endif
