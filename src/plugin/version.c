#include "config.h"

#include "plugin/version.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <mosquitto.h>

#include "base/auto.h"

#define NUMBER(major, minor, patch) ((major)*1000000L + (minor)*1000L + (patch))

/* Reads "2.0.11" and the NUL behind it; 0 when that is not there. */
static long
parse(const char *at, const char *end)
{
	long parts[3] = {0};

	for (int i = 0; i < 3; i++) {
		int digits = 0;

		for (; at < end && *at >= '0' && *at <= '9' && digits < 3; at++, digits++)
			parts[i] = parts[i] * 10 + (*at - '0');
		if (!digits || at == end || *at != (i < 2 ? '.' : '\0'))
			return 0;
		at++;
	}
	return NUMBER(parts[0], parts[1], parts[2]);
}

long
version_find(const char *bytes, size_t len)
{
	const char *end = bytes + len;
	long found = 0;

	for (const char *at = bytes; (at = memmem(at, (size_t)(end - at),
					      "\0"
					      "2.",
					      3));
		at++) {
		long version = parse(at + 1, end);

		if (!version || version == found)
			continue;
		if (found)
			return 0;
		found = version;
	}
	return found;
}

/*
 * The broker tells plugins neither its version nor this; its own file has the version as a text. A
 * broker that hides it is taken for the one that this was built for.
 */
static long
read_version(void)
{
	AUTO(auto_fd) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat st;
	long version;
	void *map;

	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0)
		return LIBMOSQUITTO_VERSION_NUMBER;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return LIBMOSQUITTO_VERSION_NUMBER;
	version = version_find(map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
	return version ? version : LIBMOSQUITTO_VERSION_NUMBER;
}

bool
version_frees_replaced(void)
{
	static long version;

	if (!version)
		version = read_version();
	return version >= NUMBER(2, 0, 15);
}
