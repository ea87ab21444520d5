/* admit: the two halves of letting a device in: it may, and it is who it says. Private. */
#ifndef REGISTRY_ADMIT_H
#define REGISTRY_ADMIT_H

#include "jwt/jwt.h"
#include "registry/db.h"

/* What a credential is known by: SHA-256 of its PEM. FAULT_CRYPTO when OpenSSL fails. */
int admit_digest(const char *pem, unsigned char *ret_digest, struct fault *f);

/*
 * Finds the device that admission->client names and fills in what the file says of it: all but
 * by_token, credential and until.
 *
 * Returns 0; else FAULT_AUTH when it is not there (device_row is then 0), is blocked or its
 * registry takes no MQTT, FAULT_IO when the file fails.
 */
int admit_device(struct registry *r, struct registry_admission *admission, struct fault *f);

/*
 * Judges what can be said of a token without its device: its form and its claims.
 *
 * token      not NUL-terminated; need not be trusted
 * ret_jwt    empty it with jwt_clear()
 * ret_until  when the token's time is over, the allowed clock skew included
 *
 * Returns 0; else FAULT_AUTH with the reason (no piece of the token), FAULT_NOMEM.
 */
int admit_read_token(struct registry *r, const char *project, const char *token, size_t len,
	time_t now, struct jwt *ret_jwt, time_t *ret_until, struct fault *f);

/*
 * Checks that one of a device's credentials signed a token, one that has neither expired nor been
 * revoked.
 *
 * device          its row
 * ret_credential  receives the credential's digest, REGISTRY_CREDENTIAL_LEN bytes
 *
 * Returns 0; else FAULT_AUTH with the reason, FAULT_IO when the file fails.
 */
int admit_signature(struct registry *r, int64_t device, const struct jwt *jwt, time_t now,
	unsigned char *ret_credential, struct fault *f);

/*
 * Admits a registered device: admit_device(), admit_read_token() and admit_signature() in one
 * transaction, which no other may be around. Fills in the whole admission.
 *
 * Returns as they do; device_row is 0 when the device is not registered.
 */
int admit_known(struct registry *r, struct registry_admission *admission, const char *token,
	size_t len, time_t now, struct fault *f);

#endif
