/* words: a broker's reason codes in words. Private to mqtt/. */
#ifndef MQTT_WORDS_H
#define MQTT_WORDS_H

#include "base/fault.h"

/*
 * Why the broker refused the connection.
 *
 * version  4 or 5
 * code     CONNACK's return code (MQTT 3.1.1, 3.2.2.3) or reason code (MQTT 5, 3.2.2.2)
 *
 * Returns -1, always: FAULT_AUTH for what we say we are, else FAULT_NET; the code is in `native`.
 */
int mqtt_fault_connack(int version, int code, struct fault *f);

/* Why the broker did not take a message (MQTT 5 section 3.4.2.1); as above. */
int mqtt_fault_puback(int code, struct fault *f);

/* Why the broker did not take a subscription (MQTT 5 section 3.9.3; 0x80 in 3.1.1); as above. */
int mqtt_fault_suback(int code, struct fault *f);

/* Why the connection went: DISCONNECT's code (MQTT 5 section 3.14.2.1), 0 without; as above. */
int mqtt_fault_lost(int code, struct fault *f);

#endif
