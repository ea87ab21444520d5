#include "config.h"

#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "commands.h"
#include "pki/cert.h"

/* RFC 3339: 2027-01-01T00:00:00Z; a fraction of a second is passed over, an offset counts. */
static int
read_time(const char *text, time_t *ret, struct fault *f)
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
key_flag_set(const char *path, const char *type, const char *expires, struct key_flag *flag,
	struct fault *f)
{
	size_t len;

	if (!path || !type)
		return fault_set(f, FAULT_USAGE, "a public key needs a path and a type");
	if (expires && read_time(expires, &flag->credential.expires, f))
		return -1;
	if (file_read(path, CERT_MAX, &flag->pem, &len, f))
		return -1;
	flag->credential.name = path;
	flag->credential.type = type;
	flag->credential.pem = flag->pem;
	return 0;
}

int
key_flag_read(const char *name, const char *text, struct key_flag *flag, struct fault *f)
{
	static const char *const keys[] = {"path", "type", "expiration-time", NULL};

	if (split_flag(name, text, keys, flag->texts, f))
		return -1;
	if (!flag->texts[0] || !flag->texts[1])
		return fault_set(f, FAULT_USAGE, "--%s needs path=FILE and type=TYPE", name);
	return key_flag_set(flag->texts[0], flag->texts[1], flag->texts[2], flag, f);
}

void
key_flag_clear(struct key_flag *flag)
{
	for (size_t i = 0; i < 3; i++)
		free(flag->texts[i]);
	free(flag->pem);
}
