/* diagnose: why a broker could not be reached, which paho does not tell. Private to mqtt/. */
#ifndef MQTT_DIAGNOSE_H
#define MQTT_DIAGNOSE_H

#include "base/fault.h"
#include "mqtt/url.h"

/*
 * Connects once more and says where it ends: the name, the address, the certificates, the version
 * of MQTT. The broker is sent a CONNECT without client ID, user name and password.
 *
 * ca_file    as in mqtt_options
 * version    4 (3.1.1) or 5
 * timeout_s  for each step
 *
 * Returns -1, always: FAULT_NET, or FAULT_CONFIG when the CA file cannot be used.
 * Blocks: up to five times timeout_s.  Threads: any.
 */
int mqtt_diagnose(const struct mqtt_url *url, const char *ca_file, int version, int timeout_s,
	struct fault *f);

#endif
