/*
 * guard: what stands between the packets that come and paho, which takes them at their word: it
 * reads behind the end of properties, and falls over a SUBACK without codes (1.3.12). Private to
 * mqtt/.
 *
 * Threads: one at a time.
 */
#ifndef MQTT_GUARD_H
#define MQTT_GUARD_H

#include <stdbool.h>

#include "base/fault.h"
#include "mqtt/packet.h"

/* Has every packet looked at before paho does; what was of the last connection is forgotten. */
void guard_begin(void);

/*
 * Ends the connection for what the broker sends: paho reads nothing more of it.
 *
 * what  as packet_check() says it; kept
 */
void guard_refuse(const char *what);

/*
 * Whether the connection was ended so, and the reason: FAULT_NET, with MQTT 5's code for malformed
 * packets in `native` when it was the broker's first.
 */
bool guard_refused(struct fault *ret_why);

/* Of the packet that paho tells of now; n is 0 when it is no SUBACK. */
struct packet_suback guard_suback(void);

#endif
