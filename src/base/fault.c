#include "config.h"

#include "base/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "base/text.h"

static const struct {
	const char *name;
	const char *meaning;
	int status;
} codes[] = {
#define FAULT_ROW(name, status, meaning) {#name, meaning, status},
	FAULT_CODES(FAULT_ROW)
#undef FAULT_ROW
};

static const char *const lower_names[] = {
	"none",
	"usage",
	"config",
	"invalid",
	"exists",
	"ambiguous",
	"precondition",
	"notfound",
	"nomem",
	"io",
	"token",
	"crypto",
	"auth",
	"net",
	"cancelled",
	"pin",
	"locked",
	"refused",
};

_Static_assert(sizeof(codes) / sizeof(codes[0]) == sizeof(lower_names) / sizeof(lower_names[0]),
	"a lower-case name for every code");

/* Bytes that a text may have before it is made fit to print, which cuts it. */
#define RAW_SIZE 1024

__attribute__((format(printf, 5, 0))) static void
fill(struct fault *f, enum fault_code code, unsigned long native, const char *tail,
	const char *format, va_list ap)
{
	char text[RAW_SIZE];
	int n;

	n = vsnprintf(text, sizeof(text), format, ap);
	if (n < 0)
		n = 0, text[0] = '\0';
	if (tail && (size_t)n < sizeof(text))
		snprintf(text + n, sizeof(text) - (size_t)n, ": %s", tail);
	f->code = code;
	f->native = native;
	text_show(text, f->text, sizeof(f->text));
}

int(fault_set)(struct fault *f, enum fault_code code, const char *format, ...)
{
	va_list ap;

	if (f) {
		va_start(ap, format);
		fill(f, code, 0, NULL, format, ap);
		va_end(ap);
	}
	return -1;
}

int(fault_errno)(struct fault *f, const char *format, ...)
{
	int saved = errno;
	enum fault_code code = saved == ENOENT	 ? FAULT_NOTFOUND
			       : saved == ENOMEM ? FAULT_NOMEM
						 : FAULT_IO;
	va_list ap;

	if (f) {
		va_start(ap, format);
		fill(f, code, (unsigned long)saved, strerror(saved), format, ap);
		va_end(ap);
	}
	return -1;
}

/* The cause: an error of a library beneath OpenSSL, such as a token's, else the last that came. */
static unsigned long
openssl_cause(void)
{
	unsigned long cause = 0, error;

	while ((error = ERR_get_error()) != 0) {
		if (ERR_GET_LIB(cause) < ERR_LIB_USER)
			cause = error;
	}
	return cause;
}

int(fault_openssl)(struct fault *f, enum fault_code code, const char *format, ...)
{
	unsigned long cause = openssl_cause();
	va_list ap;

	if (f) {
		va_start(ap, format);
		fill(f, code, cause, ERR_reason_error_string(cause), format, ap);
		va_end(ap);
	}
	return -1;
}

int(fault_nomem)(struct fault *f)
{
	return fault_set(f, FAULT_NOMEM, "out of memory");
}

int(fault_prefix)(struct fault *f, const char *format, ...)
{
	char old[sizeof(f->text)];
	va_list ap;

	if (f) {
		memcpy(old, f->text, sizeof(old));
		va_start(ap, format);
		fill(f, f->code, f->native, old, format, ap);
		va_end(ap);
	}
	return -1;
}

const char *
fault_name(enum fault_code code)
{
	return lower_names[code];
}

const char *
fault_meaning(enum fault_code code)
{
	return codes[code].meaning;
}

int
fault_exit_status(enum fault_code code)
{
	return codes[code].status;
}
