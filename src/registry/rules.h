/* rules: what Cloud IoT Core's device protocol allows: decisions on names, topics and claims. */
#ifndef REGISTRY_RULES_H
#define REGISTRY_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <jansson.h>

#include "base/fault.h"

/* Clocks may differ by so much, unless told; a connection outlives its token by it. */
#define RULES_SKEW_S 600

/* Seconds that a claim may name at most: the year 9999. */
#define RULES_TIME_MAX 253402300799

/* exp - iat at most. */
#define RULES_LIFETIME_MAX_S 86400

#define RULES_ID_MAX	       255 /* characters of a registry's or a device's id */
#define RULES_SUBFOLDER_MAX    256 /* bytes */
#define RULES_TELEMETRY_MAX    (256 * 1024)
#define RULES_STATE_MAX	       (64 * 1024)
#define RULES_CONFIG_MAX       (64 * 1024)
#define RULES_COMMAND_MAX      (256 * 1024)
#define RULES_CREDENTIALS_MAX  3
#define RULES_REGISTRY_CAS_MAX 10

/* Which of a device's events are logged: those of this level and of the more serious ones. */
enum rules_log_level { RULES_LOG_NONE, RULES_LOG_ERROR, RULES_LOG_INFO, RULES_LOG_DEBUG };

/* From "NONE", "ERROR", "INFO" or "DEBUG"; RULES_LOG_INFO for any other text. */
enum rules_log_level rules_log_level(const char *name);

/*
 * Who a client says it is; a device by its id or, all digits, by its number, and its topics have
 * that same text.
 */
struct rules_client {
	char project[RULES_ID_MAX + 1];
	char region[RULES_ID_MAX + 1];
	char registry[RULES_ID_MAX + 1];
	char device[RULES_ID_MAX + 1];
};

/*
 * A registry's or a device's id: `[a-zA-Z][-a-zA-Z0-9._+~%]{2,254}`, not beginning with "goog".
 *
 * what  "device", for the text
 *
 * Returns 0; else FAULT_USAGE that quotes the id and says what one looks like.  Threads: any.
 */
int rules_check_id(const char *what, const char *id, struct fault *f);

/*
 * A project's id or a region, as it may stand in a client id.
 *
 * Returns 0; else FAULT_USAGE.
 */
int rules_check_segment(const char *what, const char *text, struct fault *f);

/* Whether a text that stands for a device is its number, which no id can look like. */
bool rules_is_number(const char *device);

/* Whether a client id is meant for us: begins with "projects/". Others are service clients. */
bool rules_is_device_client(const char *client_id);

/*
 * Reads "projects/P/locations/R/registries/G/devices/D", exactly.
 *
 * Returns 0; else FAULT_AUTH.
 */
int rules_parse_client_id(const char *client_id, struct rules_client *ret, struct fault *f);

/*
 * Judges a token's claims: `aud` a string equal to the project, `iat` and `exp` times, exp not
 * before iat and at most RULES_LIFETIME_MAX_S after it, iat not after now + skew, exp + skew after
 * now. A time is a JSON number, rounded down to whole seconds, or a JSON string of up to 12 digits.
 * It is at least 0 and at most RULES_TIME_MAX.
 *
 * skew_s     how far clocks may differ: 0 to RULES_SKEW_S
 * strict     as RFC 7519 has it: a time is a JSON number, and exp is after iat
 * ret_until  receives exp + skew: when the connection ends
 *
 * Returns 0; else FAULT_AUTH with the reason, never a claim's text.  Threads: any.
 */
int rules_check_claims(const json_t *claims, const char *project, time_t now, long skew_s,
	bool strict, time_t *ret_until, struct fault *f);

/* Whether the characters are those of ids; len bytes of text. */
bool rules_is_id_char(char c);

/* Whether len bytes of a text are a device's id or number. */
bool rules_is_device(const char *text, size_t len);

#endif
