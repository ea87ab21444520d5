#include "config.h"

#include "base/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <openssl/crypto.h>

#define SECRET_ARENA (256 * 1024)
#define SECRET_MIN   64

void
process_harden(void)
{
	const struct rlimit none = {0, 0};

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	CRYPTO_secure_malloc_init(SECRET_ARENA, SECRET_MIN);
}
