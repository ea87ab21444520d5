#include "config.h"

#include "base/times.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/setting.h"

int
times_read(const char *text, time_t *ret, struct fault *f)
{
	struct tm tm = {0};
	const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours, minutes, used = 0;
	long offset = 0;
	char sign;

	if (at && *at == '.')
		at += 1 + strspn(at + 1, "0123456789");
	if (at && *at == 'Z') {
		at++;
	} else if (at && sscanf(at, "%c%2d:%2d%n", &sign, &hours, &minutes, &used) == 3 &&
		   used == 6 && (sign == '+' || sign == '-')) {
		offset = (hours * 60L + minutes) * 60 * (sign == '-' ? -1 : 1);
		at += used;
	} else {
		at = NULL;
	}
	if (!at || *at)
		return fault_set(
			f, FAULT_USAGE, "'%.40s' is no time such as 2027-01-01T00:00:00Z", text);
	*ret = timegm(&tm) - offset;
	return 0;
}

int
times_read_since(const char *text, time_t now, time_t *ret, struct fault *f)
{
	static const struct setting row = {
		"since", 0, SETTING_DURATION, 0, .min = 0, .max = LONG_MAX};
	long span;

	if (strchr(text, 'T'))
		return times_read(text, ret, f);
	if (setting_set(&row, &span, text, NULL) || span > now)
		return fault_set(f, FAULT_USAGE,
			"--since: '%.40s' is no time such as 2027-01-01T00:00:00Z and no span such "
			"as 90s, 15m, 12h or 7d",
			text);
	*ret = now - span;
	return 0;
}
