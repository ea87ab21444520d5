/* door: where gateways come in to p11_site.so. Knows no broker. */
#ifndef PLUGIN_DOOR_H
#define PLUGIN_DOOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/auto.h"
#include "base/fault.h"
#include "plugin/speakers.h"
#include "site/frame.h"

/* One an uplink; more are turned away. */
#define DOOR_GATEWAYS_MAX 16

struct door;

/*
 * Called with what a gateway wants published at the site, and with what is to be logged: a gateway
 * that came, went, or was turned away.
 */
typedef void door_deliver_fn(void *with, const struct frame *frame);
typedef void door_say_fn(void *with, bool good, const char *text);

/*
 * Listens for gateways.
 *
 * path      of the socket
 * speakers  whose devices each gateway is told of when it comes; borrowed
 *
 * Returns 0; else as channel_listen(), FAULT_NOMEM.
 */
int door_new(const char *path, const struct speakers *speakers, door_deliver_fn *deliver,
	door_say_fn *say, void *with, struct door **ret_door, struct fault *f);

/* Takes the socket's file away too. NULL is allowed. */
void door_free(struct door *door);

AUTO_DEFINE(door, struct door, door_free);

/* Takes who comes, reads what they say, writes what waits. Never blocks. */
void door_poll(struct door *door);

/*
 * Tells every gateway of a device: FRAME_PRESENT, FRAME_GONE, FRAME_ATTACH or FRAME_DETACH. With ""
 * for the device: FRAME_REFUSING.
 */
void door_tell(
	struct door *door, enum frame_kind kind, const char *device, const void *body, size_t len);

#endif
