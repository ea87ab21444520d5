#include "config.h"

#include "keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "commands.h"
#include "pki/cert.h"
#include "base/times.h"

int
key_flag_set(const char *path, const char *type, const char *expires, struct key_flag *flag,
	struct fault *f)
{
	size_t len;

	if (!path || !type)
		return fault_set(f, FAULT_USAGE, "a public key needs a path and a type");
	if (expires && times_read(expires, &flag->credential.expires, f))
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
