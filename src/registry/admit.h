/* admit: the two halves of letting a device in: it may, and it is who it says. Private. */
#ifndef REGISTRY_ADMIT_H
#define REGISTRY_ADMIT_H

#include "registry/db.h"

/*
 * Finds the device that admission->client names and fills in what the file says of it: all but
 * credential_row and until.
 *
 * Returns 0; else FAULT_AUTH when it is not there (device_row is then 0), is blocked or its
 * registry takes no MQTT, FAULT_IO when the file fails.
 */
int admit_device(struct registry *r, struct registry_admission *admission, struct fault *f);

/*
 * Judges the token of the device that admit_device() found: its form, its claims, and that one of
 * the device's credentials signed it that has neither expired nor been revoked. Fills in
 * credential_row and until.
 *
 * token  not NUL-terminated; need not be trusted
 *
 * Returns 0; else FAULT_AUTH with the reason (no piece of the token), FAULT_IO when the file fails.
 */
int admit_token(struct registry *r, struct registry_admission *admission, const char *token,
	size_t len, time_t now, struct fault *f);

#endif
