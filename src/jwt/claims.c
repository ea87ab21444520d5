#include "config.h"

#include "jwt/claims.h"

#include <string.h>

#include "base/auto.h"
#include "jwt/jwt.h"

#define SANE_CLOCK 1704067200 /* 2024-01-01T00:00:00Z */

bool
jwt_clock_is_sane(time_t now)
{
	return now >= SANE_CLOCK;
}

int
jwt_claims(const char *aud, long lifetime_s, time_t now, json_t **ret_claims, struct fault *f)
{
	json_t *claims;
	char date[32];
	struct tm tm;

	if (!jwt_clock_is_sane(now)) {
		if (!gmtime_r(&now, &tm) || !strftime(date, sizeof(date), "%Y-%m-%d", &tm))
			strcpy(date, "an impossible date");
		return fault_set(f, FAULT_CONFIG,
			"the clock says %s: set it before a token is signed ('timedatectl' shows "
			"whether it is synchronised)",
			date);
	}
	claims = json_pack("{s:s, s:I, s:I}", "aud", aud, "iat", (json_int_t)now, "exp",
		(json_int_t)(now + lifetime_s));
	if (!claims)
		return fault_set(f, FAULT_USAGE, "the audience is not UTF-8");
	*ret_claims = claims;
	return 0;
}

/* One member; the name ends at the first '=' or ':='. */
static int
add(json_t *object, const char *item, struct fault *f)
{
	const char *equals = strchr(item, '=');
	bool json = equals && equals > item && equals[-1] == ':';
	size_t len = equals ? (size_t)(equals - item) - json : 0;
	AUTO(auto_free) char *name = strndup(item, len);
	json_t *value;

	if (!name)
		return fault_nomem(f);
	if (len == 0)
		return fault_set(f, FAULT_USAGE, "'%s' is neither NAME=TEXT nor NAME:=JSON", item);
	if (json_object_get(object, name))
		return fault_set(f, FAULT_USAGE, "'%s' is there already", name);
	value = json ? json_loads(equals + 1, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL)
		     : json_string(equals + 1);
	if (!value)
		return fault_set(f, FAULT_USAGE, "the value of '%s' is not %s", name,
			json ? "JSON" : "UTF-8");
	if (json_object_set_new(object, name, value))
		return fault_set(f, FAULT_USAGE, "'%s' is not a name in UTF-8", name);
	return 0;
}

int
jwt_members_add(json_t *object, char *const *items, size_t n, struct fault *f)
{
	AUTO(auto_json) json_t *all = json_copy(object);

	if (!all)
		return fault_nomem(f);
	for (size_t i = 0; i < n; i++) {
		if (add(all, items[i], f))
			return -1;
	}
	if (json_object_update(object, all))
		return fault_nomem(f);
	return 0;
}
