/* fault: the one shape of failure. Knows the closed list of codes and the exit status of each. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stddef.h>

/*
 * A code says what the caller can do, not where the failure arose.
 * X(name, exit status, meaning)
 */
#define FAULT_CODES(X) \
	X(NONE, 0, "no fault") \
	X(USAGE, 2, "the command line is wrong: read --help") \
	X(CONFIG, 2, "a setting is missing or wrong: mend it") \
	X(INVALID, 2, "the data handed in is not what it must be: hand in other data") \
	X(EXISTS, 2, "it is there already: choose another name or delete the old one") \
	X(AMBIGUOUS, 2, "a name matches several things: name one") \
	X(PRECONDITION, 1, "things are not as this needs them: it may work later") \
	X(NOTFOUND, 1, "the thing named is not there") \
	X(NOMEM, 1, "memory ran out") \
	X(IO, 1, "a file or the system failed") \
	X(TOKEN, 1, "the token failed; it may come back") \
	X(CRYPTO, 1, "a cryptographic operation failed") \
	X(AUTH, 1, "the other side refuses who we are, or we refuse who they are") \
	X(NET, 1, "the network or the other side failed") \
	X(CANCELLED, 1, "the user asked to stop") \
	X(PIN, 3, "the token refuses the PIN: never offer it again") \
	X(LOCKED, 3, "the token is locked: someone must unlock it") \
	X(REFUSED, 3, "the token cannot or will not do this, now or later")

enum fault_code {
#define FAULT_ENUM(name, status, meaning) FAULT_##name,
	FAULT_CODES(FAULT_ENUM)
#undef FAULT_ENUM
};

/*
 * code    what the caller can do
 * native  the other library's number (CK_RV, OpenSSL error, errno, CONNACK code); 0 without one
 * text    one line for a user, never with a secret in it
 */
struct fault {
	enum fault_code code;
	unsigned long native;
	char text[256];
};

#define FAULT_INIT \
	{ \
		FAULT_NONE, 0, "" \
	}

/*
 * Fills a fault. The text is made fit to print (text.h), so that it stays one line whatever was put
 * into it. A text too long ends in "...".
 *
 * f  what to fill; NULL is allowed
 *
 * Returns -1, always: `return fault_set(f, FAULT_IO, "...")`.  Threads: any.
 */
int fault_set(struct fault *f, enum fault_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same with `what: strerror(errno)` as the text and FAULT_IO (ENOENT: FAULT_NOTFOUND,
 * ENOMEM: FAULT_NOMEM) as the code.
 */
int fault_errno(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The same with OpenSSL's reason behind the text and its error in `native`; empties OpenSSL's error
 * queue. The reason is that of a library beneath OpenSSL when there is one, else the last.
 */
int fault_openssl(struct fault *f, enum fault_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for memory that ran out. */
int fault_nomem(struct fault *f);

/*
 * Puts `context: ` before the text of a fault that passes through.
 *
 * Returns -1, always.
 */
int fault_prefix(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * The compiler is told that these return -1: without that it takes what a failed function leaves
 * unset for used.
 */
static inline int
fault_failed(int status)
{
	(void)status;
	return -1;
}

#define fault_set(...)	   fault_failed(fault_set(__VA_ARGS__))
#define fault_errno(...)   fault_failed(fault_errno(__VA_ARGS__))
#define fault_openssl(...) fault_failed(fault_openssl(__VA_ARGS__))
#define fault_nomem(...)   fault_failed(fault_nomem(__VA_ARGS__))
#define fault_prefix(...)  fault_failed(fault_prefix(__VA_ARGS__))

/* The code's name in lower case ("notfound"), for log tails. A static string. */
const char *fault_name(enum fault_code code);

/* The code's meaning. A static string. */
const char *fault_meaning(enum fault_code code);

/* The exit status of a program that stops for this fault: 0, 1, 2 or 3. */
int fault_exit_status(enum fault_code code);

#endif
