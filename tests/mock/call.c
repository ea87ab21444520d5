/* call: what surrounds every call. Knows the lock and the log. */
#include "config.h"

#include "mock.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct mock mock;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
wait_unlocked(unsigned delay_ms)
{
	struct timespec left = {delay_ms / 1000, (long)(delay_ms % 1000) * 1000000};

	/* Other threads' calls go on: what is slow is this call, not the token. */
	pthread_mutex_unlock(&lock);
	while (nanosleep(&left, &left))
		;
	pthread_mutex_lock(&lock);
}

CK_RV
call_enter(const char *function)
{
	unsigned delay_ms = 0;
	CK_RV rv;

	pthread_mutex_lock(&lock);
	/* C_Initialize reads its rules first and then counts itself. */
	if (strcmp(function, "C_Initialize") == 0)
		return CKR_OK;
	if (!mock.initialised)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	rv = faults_count(function, &delay_ms);
	if (delay_ms > 0)
		wait_unlocked(delay_ms);
	if (!mock.initialised)
		return CKR_CRYPTOKI_NOT_INITIALIZED;
	return rv == CKR_OK ? store_begin() : rv;
}

static void
log_call(const char *function, const char *detail, CK_RV rv)
{
	char line[256];
	int fd, len;

	if (!mock.log[0])
		return;
	len = snprintf(line, sizeof(line), "%s%s%s CKR_%s\n", function, detail ? " " : "",
		detail ? detail : "", name_of_rv(rv));
	fd = open(mock.log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)len) != len)
		fprintf(stderr, "mock-pkcs11: cannot write the log %s\n", mock.log);
	if (fd >= 0)
		close(fd);
}

CK_RV
call_leave(const char *function, const char *detail, CK_RV rv)
{
	CK_RV stored = store_end();

	if (rv == CKR_OK)
		rv = stored;
	log_call(function, detail, rv);
	pthread_mutex_unlock(&lock);
	return rv;
}
