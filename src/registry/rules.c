#include "config.h"

#include "registry/rules.h"

#include <stdio.h>
#include <string.h>

#define ID_MIN 3

/* The digits of RULES_TIME_MAX, and of a number that cannot overflow. */
#define TIME_DIGITS_MAX 12

/* This runs for each character of each message's topic. */
bool
rules_is_id_char(char c)
{
	switch (c) {
	case 'a' ... 'z':
	case 'A' ... 'Z':
	case '0' ... '9':
	case '-':
	case '.':
	case '_':
	case '+':
	case '~':
	case '%':
		return true;
	default:
		return false;
	}
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_id(const char *id, size_t len)
{
	if (len < ID_MIN || len > RULES_ID_MAX || !is_letter(id[0]) || strncmp(id, "goog", 4) == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!rules_is_id_char(id[i]))
			return false;
	}
	return true;
}

/* A device's number: 19 digits at most, without leading zeros. */
static bool
is_number(const char *text, size_t len)
{
	return len > 0 && len < 20 && text[0] != '0' && strspn(text, "0123456789") >= len;
}

bool
rules_is_device(const char *text, size_t len)
{
	return is_id(text, len) || is_number(text, len);
}

bool
rules_is_number(const char *device)
{
	return is_number(device, strlen(device));
}

int
rules_check_id(const char *what, const char *id, struct fault *f)
{
	size_t len = strnlen(id, RULES_ID_MAX + 1);

	if (is_id(id, len))
		return 0;
	return fault_set(f, FAULT_USAGE,
		"'%.64s%s' is no %s id: a letter, then 2 to 254 letters, digits and -._+~%%, not "
		"beginning with goog",
		id, len > 64 ? "..." : "", what);
}

/*
 * A project's id or a region: what Cloud IoT Core allows in a path of names, and domain-scoped
 * projects' ':'.
 */
static bool
is_segment(const char *text, size_t len)
{
	if (len < 1 || len > RULES_ID_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!rules_is_id_char(text[i]) && text[i] != ':')
			return false;
	}
	return true;
}

int
rules_check_segment(const char *what, const char *text, struct fault *f)
{
	if (is_segment(text, strnlen(text, RULES_ID_MAX + 1)))
		return 0;
	return fault_set(f, FAULT_USAGE,
		"'%.64s' is no %s: 1 to 255 letters, digits and -._+~%%:", text, what);
}

enum rules_log_level
rules_log_level(const char *name)
{
	static const char *const names[] = {
		[RULES_LOG_NONE] = "NONE",
		[RULES_LOG_ERROR] = "ERROR",
		[RULES_LOG_INFO] = "INFO",
		[RULES_LOG_DEBUG] = "DEBUG",
	};

	for (int i = RULES_LOG_NONE; i <= RULES_LOG_DEBUG; i++) {
		if (strcmp(name, names[i]) == 0)
			return (enum rules_log_level)i;
	}
	return RULES_LOG_INFO;
}

bool
rules_is_device_client(const char *client_id)
{
	return strncmp(client_id, "projects/", 9) == 0;
}

/* Takes `/NAME/` and the segment behind it off the front of a path. */
static bool
take(const char **at, const char *name, char *segment)
{
	size_t n = strlen(name), len;

	if (strncmp(*at, name, n) != 0)
		return false;
	len = strcspn(*at + n, "/");
	if (!is_segment(*at + n, len))
		return false;
	memcpy(segment, *at + n, len);
	segment[len] = '\0';
	*at += n + len;
	return true;
}

int
rules_parse_client_id(const char *client_id, struct rules_client *ret, struct fault *f)
{
	struct rules_client client;
	const char *at = client_id;

	if (!take(&at, "projects/", client.project) || !take(&at, "/locations/", client.region) ||
		!take(&at, "/registries/", client.registry) ||
		!take(&at, "/devices/", client.device) || *at ||
		!is_id(client.registry, strlen(client.registry)) ||
		!rules_is_device(client.device, strlen(client.device)))
		return fault_set(f, FAULT_AUTH,
			"the client id is not projects/P/locations/R/registries/G/devices/D");
	*ret = client;
	return 0;
}

/* A time as a JSON string. Some clients of Cloud IoT Core write all their claims as strings. */
static bool
read_digits(const json_t *value, json_int_t *ret)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	json_int_t time = 0;

	if (len < 1 || len > TIME_DIGITS_MAX || strspn(text, "0123456789") < len)
		return false;
	while (len--)
		time = time * 10 + (*text++ - '0');
	*ret = time;
	return true;
}

/* NumericDate (RFC 7519 section 2) may have a fraction of a second, which is dropped. */
static bool
read_real(const json_t *value, json_int_t *ret)
{
	double real = json_real_value(value);

	/* Written so that a NaN is refused too. The conversion is undefined outside this range. */
	if (!(real >= 0 && real < (double)RULES_TIME_MAX + 1))
		return false;
	*ret = (json_int_t)real;
	return true;
}

static bool
read_number(const json_t *value, bool strict, json_int_t *ret)
{
	switch (json_typeof(value)) {
	case JSON_INTEGER:
		*ret = json_integer_value(value);
		return true;
	case JSON_REAL:
		return read_real(value, ret);
	case JSON_STRING:
		return !strict && read_digits(value, ret);
	default:
		return false;
	}
}

static int
read_time(const json_t *claims, const char *name, bool strict, json_int_t *ret, struct fault *f)
{
	const json_t *value = json_object_get(claims, name);
	json_int_t time;

	if (!value)
		return fault_set(f, FAULT_AUTH, "the token has no '%s'", name);
	if (!read_number(value, strict, &time) || time < 0 || time > RULES_TIME_MAX)
		return fault_set(f, FAULT_AUTH,
			"the token's '%s' must be a time in seconds since 1970", name);
	*ret = time;
	return 0;
}

int
rules_check_claims(const json_t *claims, const char *project, time_t now, long skew_s, bool strict,
	time_t *ret_until, struct fault *f)
{
	const json_t *aud = json_object_get(claims, "aud");
	json_int_t iat, exp;

	if (!json_is_string(aud) || json_string_length(aud) != strlen(project) ||
		strcmp(json_string_value(aud), project) != 0)
		return fault_set(f, FAULT_AUTH, "the token's 'aud' is not the project");
	if (read_time(claims, "iat", strict, &iat, f) || read_time(claims, "exp", strict, &exp, f))
		return -1;
	if (exp < iat || (strict && exp == iat))
		return fault_set(f, FAULT_AUTH, "the token ends before it begins");
	if (exp - iat > RULES_LIFETIME_MAX_S)
		return fault_set(
			f, FAULT_AUTH, "the token lives longer than %d s", RULES_LIFETIME_MAX_S);
	if (iat > (json_int_t)now + skew_s)
		return fault_set(f, FAULT_AUTH, "the token is not valid yet");
	if (exp + skew_s <= (json_int_t)now)
		return fault_set(f, FAULT_AUTH, "the token has expired");
	*ret_until = (time_t)(exp + skew_s);
	return 0;
}
